"""A replay's accounts say what a plain sum over all postings says, wherever a window begins."""

from hypothesis import given
from hypothesis import strategies as st

from agentguard.analysis import replaying_ledger
from agentguard.analysis.replaying_ledger import Ledger, named

KEEP = 50
postings = st.lists(st.tuples(st.integers(0, 9), st.integers(-3, 9)), max_size=400)


@given(postings, st.integers(0, KEEP), st.booleans())
def test_a_window_of_any_length_up_to_the_longest_sums_what_lies_in_it(steps, back, late):
    ledger, account, plain, now = Ledger(), named("one"), [], 0
    for step, amount in steps:
        now += step
        at = max(0, now - 5) if late and step == 3 else now
        ledger.post(account, at, amount, KEEP)
        plain.append((at, amount))
    start = now - back
    assert ledger.usage(account, start)[1] == sum(amount for at, amount in plain if at >= start)


def test_what_no_window_reaches_is_forgotten_and_what_counts_forever_is_not(monkeypatch):
    monkeypatch.setattr(replaying_ledger, "_SWEEP", 10)
    ledger = Ledger()
    for number in range(10):
        ledger.post(named(f"short-{number}"), number * 10, 1, KEEP)
        ledger.post(named("long"), number * 10, 1, None)
    assert len(ledger._accounts) == 7  # the long one, and the short ones from 40 on
    assert ledger.usage(named("long"), None) == (0, 10)


def test_what_is_held_goes_when_it_is_given_back():
    ledger = Ledger()
    ledger.hold(named("one"), 40, None)
    assert ledger.usage(named("one"), None) == (40, 0)
    ledger.hold(named("one"), -40, None)
    assert ledger.usage(named("one"), None) == (0, 0)


def test_of_many_postings_those_that_a_window_can_reach_stay():
    ledger, account = Ledger(), named("one")
    for at in range(300):
        ledger.post(account, at, at, KEEP)
        for back in (0, 1, KEEP - 1, KEEP):
            start = max(0, at - back)
            assert ledger.usage(account, start)[1] == sum(range(start, at + 1))
    assert len(ledger._accounts[account].times) < 150
