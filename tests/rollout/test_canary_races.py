"""A canary that begins, widens and ends while many ask at once, in threads and processes, one of which is killed."""

import signal
import threading
import time

import pytest

from agentguard.core.canary import InForce
from tests.engine.given import bundle
from tests.forked import forked
from tests.rollout.racing import BUDGET, PERSON, SECOND, die_in_the_midst, many, trial_of, vouchers, want


def settled(guard, limit):
    """Return what is settled and held on the one account of a limit, and how many actions were done."""
    entries = [item.document for item in guard.audit.list(limit=1000)]
    told = [
        each
        for body in entries
        for name in ("limits", "held", "posted")
        for each in body.get(name) or ()
        if type(each) is dict
    ]
    (account,) = {each["account"] for each in told if each["limit"] == limit and each["account"]}
    row = guard.store.read(lambda reading: reading.account(account))
    return row.settled, row.held


def done(guard):
    return sum(item.kind == "settled" for item in guard.audit.list(limit=1000))


def steps_of(trial):
    """Yield what people do with a canary, one after the other."""
    yield lambda: trial.begin("50%", **PERSON)
    yield lambda: trial.begin("90%", **PERSON)
    yield lambda: trial.abort(**PERSON)
    yield lambda: trial.begin("10%", **PERSON)
    yield lambda: trial.promote(**PERSON)


@pytest.mark.law(4)
def test_threads_that_ask_while_the_canary_changes_share_one_budget_and_every_account_counts_every_action(address):
    guard = vouchers(address)
    numbers = iter(range(10_000))
    given, lock, over = [], threading.Lock(), threading.Event()

    def asks():
        while not over.is_set():
            with lock:
                number = next(numbers)
            if number >= 4 * BUDGET:
                return
            given.append(want(guard, number))

    threads = [threading.Thread(target=asks) for _ in range(8)]
    for thread in threads:
        thread.start()
    for step in steps_of(trial_of(guard)):
        assert step()
    for thread in threads:
        thread.join()
    assert sum(given) == BUDGET == done(guard)
    assert settled(guard, "vouchers/all-of-them") == (BUDGET * 100, 0)
    assert settled(guard, "vouchers/number") == (BUDGET, 0), "what the second version counts, from the first action on"
    assert guard.store.read(lambda reading: reading.in_force()) == InForce(bundle(SECOND).digest)
    assert guard.audit.verify().ok
    guard.close()


@pytest.mark.law(4)
def test_two_processes_that_ask_while_a_third_changes_the_canary_share_one_budget(address):
    guard = vouchers(address)
    others = [forked(many, guard.store.url, name) for name in ("left", "right")]
    for other in others:
        other.start()
    for turn, step in enumerate(steps_of(trial_of(guard))):
        while done(guard) < 5 * (turn + 1):
            time.sleep(0.05)
        assert step()
    for other in others:
        other.join(60)
        assert other.exitcode == 0
    assert done(guard) == BUDGET
    assert settled(guard, "vouchers/all-of-them") == (BUDGET * 100, 0)
    assert settled(guard, "vouchers/number") == (BUDGET, 0)
    assert guard.audit.verify().ok
    guard.close()


@pytest.mark.law(5)
@pytest.mark.parametrize("step", ["begin", "promote"])
def test_a_process_that_is_killed_while_it_changes_the_canary_has_changed_nothing(address, step):
    guard = vouchers(address)
    assert want(guard, 1)
    if step == "promote":
        trial_of(guard).begin("50%", **PERSON)
    before = guard.store.read(lambda reading: (reading.in_force(), reading.position()))
    other = forked(die_in_the_midst, guard.store.url, step)
    other.start()
    other.join(60)
    assert other.exitcode == -signal.SIGKILL
    assert guard.store.read(lambda reading: (reading.in_force(), reading.position())) == before
    assert want(guard, 2)
    assert guard.audit.verify().ok
    trial = trial_of(guard)
    assert trial.promote(**PERSON) if step == "promote" else trial.begin("50%", **PERSON)
    assert settled(guard, "vouchers/number") == (2, 0)
    guard.close()
