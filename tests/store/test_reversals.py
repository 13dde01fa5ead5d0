"""What is given back counts where the original counted, once, and never below zero."""

import sqlite3
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from agentguard.core.lifecycle import State
from agentguard.errors import TamperedError, UsageError
from agentguard.store import Store
from agentguard.store.records import Movement
from agentguard.store.verification import verify
from tests.store.given import MICROSECOND, START, HandClock, action, begin, body, settle, usage


def spend(store, name, account, amount):
    begin(store, name, [(account, amount)])
    return settle(store, name)


def undo(store, name, original, account, most=None):
    """Settle an action that gives back what another one counted; returns how much it was."""

    def work(transaction):
        transaction.open_action(action(name, state=State.EXECUTING, relates_to=original))
        transaction.append(body(name))
        transaction.move(name, State.EXECUTING, 0, State.SETTLED)
        amount = transaction.give_back(name, original, account, most)
        freed = [{"account": account, "action_id": original, "amount": amount}] if amount else []
        transaction.append(body(name, "settled", kind="settled", freed=freed))
        return amount

    return store.transact(work)


def test_what_is_undone_counts_no_longer(store):
    spend(store, "a1", "slot", 3)
    spend(store, "a2", "slot", 4)
    assert undo(store, "u1", "a1", "slot") == 3
    assert usage(store, "slot") == (0, 4)
    assert verify(store).findings == ()


def test_it_is_given_back_once_whoever_gives_it_back(store):
    spend(store, "a1", "slot", 3)
    assert [undo(store, f"u{number}", "a1", "slot") for number in range(3)] == [3, 0, 0]
    assert usage(store, "slot") == (0, 0)
    assert verify(store).findings == ()


@pytest.mark.parametrize("first, second", [(1, 2), (2, 2), (2, 5)])
def test_parts_are_given_back_until_nothing_is_left(store, first, second):
    spend(store, "a1", "slot", 4)
    assert undo(store, "u1", "a1", "slot", first) == first
    assert undo(store, "u2", "a1", "slot", second) == min(second, 4 - first)
    assert usage(store, "slot") == (0, max(4 - first - second, 0))


@pytest.mark.parametrize("most", [0, -1])
def test_nothing_is_given_back_of_nothing(store, most):
    spend(store, "a1", "slot", 4)
    assert undo(store, "u1", "a1", "slot", most) == 0
    assert undo(store, "u2", "never", "slot") == 0
    assert undo(store, "u3", "a1", "other") == 0
    assert usage(store, "slot") == (0, 4)
    assert verify(store).findings == ()


@pytest.mark.parametrize("edge, inside", [(-1, True), (0, True), (1, False)])
def test_it_is_given_back_in_exactly_the_windows_of_the_original(store, clock, edge, inside):
    spend(store, "a1", "slot", 3)
    clock.advance(days=3)
    spend(store, "a2", "slot", 4)
    undo(store, "u1", "a1", "slot")
    start = START + edge * MICROSECOND
    assert usage(store, "slot", start) == (0, 4), "with the original or without it, its reversal goes with it"
    undo(store, "u2", "a2", "slot", 1)
    assert usage(store, "slot", start) == (0, 3)
    assert usage(store, "slot", start + timedelta(days=3)) == (0, 3 if inside else 0)


def test_an_actions_own_postings_are_left_out_with_what_was_given_back_of_them(store):
    spend(store, "a1", "slot", 3)
    spend(store, "a2", "slot", 4)
    undo(store, "u1", "a1", "slot", 2)
    assert usage(store, "slot", exclude="a1") == (0, 4)
    assert usage(store, "slot", exclude="a2") == (0, 1)


def test_it_is_given_back_in_the_transaction_in_which_it_counted(store):
    def work(transaction):
        transaction.open_action(action("a1", state=State.SETTLED, agent="", conversation="desk"))
        transaction.post("a1", "slot", "USD", 5)
        transaction.append(body("a1", "settled", kind="recorded", source="desk", settled={"slot": 5}, limits=[]))
        told = [transaction.give_back("a1", "a1", "slot", most) for most in (2, 2)]
        seen = transaction.usage("slot", None, inclusive=True).settled
        transaction.append(
            {**body("a1", "settled", kind="counted"), "freed": [{"account": "slot", "action_id": "a1", "amount": 2}]}
        )
        return told, seen

    assert store.transact(work) == ([2, 0], 3), "one action gives back once"
    assert usage(store, "slot") == (0, 3)
    assert verify(store).findings == ()


def test_what_was_given_back_is_not_taken_for_a_change_that_makes_facts_stale(store):
    spend(store, "a1", "slot", 3)
    before = store.read(lambda r: r.position())
    undo(store, "u1", "a1", "slot")
    assert not store.read(lambda r: r.posted_since(["slot"], before))


@pytest.mark.law(5)
def test_giving_back_without_an_entry_is_refused(store):
    spend(store, "a1", "slot", 3)
    with pytest.raises(UsageError, match="gave back"):
        store.transact(lambda transaction: transaction.give_back("u1", "a1", "slot"))
    assert usage(store, "slot") == (0, 3)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("spend"), st.integers(0, 9), st.integers(0, 40)),
        st.tuples(st.just("late"), st.integers(1, 9), st.integers(0, 40)),
        st.tuples(st.just("undo"), st.integers(0, 12), st.none() | st.integers(0, 12)),
    ),
    max_size=14,
)


@pytest.mark.no_cover
@settings(max_examples=40, deadline=None)
@given(steps=STEPS, windows=st.lists(st.integers(0, 200), min_size=1, max_size=4))
def test_every_window_says_what_a_plain_list_says(steps, windows):
    clock = HandClock()
    store = Store.open("sqlite://", clock)
    originals = []  # [moment, amount, what is left of it]
    try:
        for number, (kind, value, more) in enumerate(steps):
            if kind == "undo":
                if originals:
                    index = value % len(originals)
                    expected = originals[index][2] if more is None else min(originals[index][2], more)
                    assert undo(store, f"u{number}", f"a{index}", "slot", more) == expected
                    originals[index][2] -= expected
                continue
            name = f"a{len(originals)}"
            if kind == "spend":
                clock.advance(seconds=more)
                spend(store, name, "slot", value)
                moment = clock.now
            else:  # done a while ago, and told now
                moment = max(clock.now - timedelta(seconds=more), originals[-1][0] if originals else START)
                moment = min(moment, clock.now)
                told(store, name, value, moment)
            originals.append([moment, value, value])
        for back in windows:
            start = clock.now - timedelta(seconds=back)
            for inclusive in (True, False):
                left = [left for at, _, left in originals if (at >= start if inclusive else at > start)]
                assert usage(store, "slot", start, inclusive) == (0, sum(left))
        assert usage(store, "slot") == (0, sum(left for _, _, left in originals))
        assert verify(store).findings == ()
    finally:
        store.close()


def told(store, name, amount, moment):
    def work(transaction):
        transaction.open_action(action(name, state=State.SETTLED, agent="", conversation="desk"))
        transaction.backfill("slot", "USD", [Movement(moment, amount, name)])
        transaction.append(body(name, "settled", kind="recorded", source="desk", settled={"slot": amount}, limits=[]))

    store.transact(work)


def changed(path, statement):
    with sqlite3.connect(path) as connection:
        for name in [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "statement, found",
    [
        ("UPDATE agentguard_reversal SET amount = 1", "reversal"),
        ("UPDATE agentguard_reversal SET amount = 9", "reversal"),
        ("UPDATE agentguard_reversal SET ts_us = ts_us + 1", "reversal"),
        ("DELETE FROM agentguard_reversal", "reversal"),
        ("UPDATE agentguard_reversal SET original = 'a2'", "reversal"),
        ("UPDATE agentguard_account SET reversed = 0", "account"),
        ("UPDATE agentguard_account SET reversed = 4", "account"),
    ],
)
def test_what_was_given_back_is_verified(store, path, clock, statement, found):
    spend(store, "a1", "slot", 3)
    clock.advance(seconds=1)
    spend(store, "a2", "slot", 4)
    undo(store, "u1", "a1", "slot")
    store.close()
    changed(path, statement)
    again = Store.open(f"sqlite:///{path}", clock)
    try:
        assert found in {finding.code for finding in verify(again).findings}
    finally:
        again.close()


def test_what_was_given_back_cannot_be_taken_away_again(store):
    spend(store, "a1", "slot", 3)
    undo(store, "u1", "a1", "slot")

    def rob(transaction):
        transaction._lookups.change(text("DELETE FROM agentguard_reversal"))

    with pytest.raises(TamperedError, match="append-only"):
        store.transact(rob)
