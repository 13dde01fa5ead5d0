"""What judges the torture can say no: books and records that are wrong in one way each."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from agentguard.core.lifecycle import State
from agentguard.core.money import Money
from agentguard.store.records import ActionRecord, Entry
from agentguard.testing.payment_books import Booking, Receipt
from scripts.tortures import judge
from scripts.tortures.shop import CAPS, MINUTE

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
EVERYONE, ORDER = CAPS[3], CAPS[0]


def booking(number, at=NOW, amount="10.00", action=None, order="A-1"):
    metadata = {"action": action or f"act_{number}", "job": str(number), "pool": "p", "customer": "c"}
    return Booking(None, Receipt(f"re_{number}", order, Money.of(amount, "USD")), at, metadata)


def entry(position, kind, action, state, at=NOW):
    body = orjson.dumps({"kind": kind, "state": state})
    return Entry(position, "default", position, int(at.timestamp() * 1_000_000), kind, action, "", body)


def record_of(*entries, actions=()):
    return judge.Record({action.id: action for action in actions}, {one.pos: one for one in entries})


def action(name, state, amount="10.00"):
    arguments = orjson.dumps({"amount": judge.encode(Money.of(amount, "USD"))}).decode()
    return ActionRecord(name, "default", "a", "", name, "refund", "", "{}", arguments, "", NOW, state=state)


def test_a_payment_is_announced_if_an_entry_said_so_before_it_and_not_after():
    told = record_of(entry(1, "decided", "act_1", "executing"))
    assert list(judge.without_intent([booking(1)], told)) == []
    assert list(judge.without_intent([booking(1, at=NOW - timedelta(microseconds=1))], told)) != []
    assert list(judge.without_intent([booking(2)], told)) != []
    waiting = record_of(entry(1, "decided", "act_1", "waiting"))
    assert list(judge.without_intent([booking(1)], waiting)) != []


def test_two_payments_of_one_job_are_one_too_many():
    assert list(judge.doubled([booking(1), booking(2)])) == []
    assert list(judge.doubled([booking(1), booking(1)])) == ["job 1: 2 times"]


def test_a_limit_is_passed_by_one_cent_more_than_its_max_and_not_by_its_max():
    exact = [booking(1, amount="30.00"), booking(2, amount="30.00")]
    assert list(judge.passed(ORDER, exact)) == []
    assert len(list(judge.passed(ORDER, [*exact, booking(3, amount="0.01")]))) == 1
    assert list(judge.passed(ORDER, [*exact, booking(3, amount="0.01", order="A-2")])) == []


@pytest.mark.parametrize("apart, found", [(MINUTE, 0), (MINUTE - timedelta(microseconds=1), 1)])
def test_a_window_leaves_out_its_very_start(apart, found):
    books = [booking(1, amount="90000.00"), booking(2, at=NOW + apart, amount="0.01")]
    assert len(list(judge.passed(EVERYONE, books))) == found


def test_an_answer_whose_entry_is_missing_or_of_another_action_is_lost():
    record = record_of(entry(1, "decided", "act_1", "denied"))
    assert list(judge.lost([judge.Told(1, "denied", "act_1", 1, "")], record)) == []
    assert list(judge.lost([judge.Told(1, "denied", "act_1", 2, "")], record)) != []
    assert list(judge.lost([judge.Told(1, "denied", "act_2", 1, "")], record)) != []
    assert list(judge.lost([judge.Told(1, "done", "act_1", None, "")], record)) != []


def test_a_payment_and_a_settlement_that_do_not_meet_disagree():
    settled, record = entry(1, "settled", "act_1", "settled"), judge.disagreements
    assert list(record([booking(1)], record_of(settled, actions=[action("act_1", State.SETTLED)]))) == []
    assert list(record([], record_of(settled, actions=[action("act_1", State.SETTLED)]))) != []
    assert list(record([booking(1)], record_of(settled, actions=[action("act_1", State.RELEASED)]))) != []
    assert list(record([booking(1)], record_of(settled, actions=[action("act_1", State.SETTLED, "10.01")]))) != []


def test_who_was_told_done_and_was_not_was_lied_to():
    record = record_of(actions=[action("act_1", State.RELEASED)])
    assert list(judge.untrue([judge.Told(1, "not_done", "act_1", 1, "")], record)) == []
    assert list(judge.untrue([judge.Told(1, "done", "act_1", 1, "")], record)) != []


def test_one_key_that_gave_two_actions_is_found():
    first = judge.Told(1, "done", "act_1", 1, "")
    assert list(judge.two_actions([first, first])) == []
    assert list(judge.two_actions([first, judge.Told(1, "denied", "act_2", 2, "")])) != []


def test_a_payment_that_began_between_a_stop_and_its_end_is_found():
    stop, end = entry(1, "halted", None, None), entry(3, "resumed", None, None)
    inside, outside = entry(2, "decided", "act_1", "executing"), entry(4, "decided", "act_1", "executing")
    assert list(judge.begun_while_stopped([booking(1)], record_of(stop, end, outside))) == []
    assert list(judge.begun_while_stopped([booking(1)], record_of(stop, inside, end))) != []
    assert list(judge.begun_while_stopped([], record_of(stop, inside, end))) == []
