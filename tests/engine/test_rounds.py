"""Rounds of recovery: bounded starts, tools that hang, many actions, other applications' actions, again and again."""

import threading
import time
from datetime import timedelta

import pytest

from agentguard import Denied, Done, Idempotent, InDoubt, Queryable, Unavailable
from agentguard.core.lifecycle import State
from agentguard.engine import rounds
from agentguard.engine.parts import Waits
from tests.engine.given import shop as shop_of
from tests.engine.test_leases import HOUR, abandon

LATER = timedelta(minutes=10)


def states(shop):
    return sorted(str(record.state) for record in shop.guard.store.read(lambda r: r.actions(limit=1000)))


def lose(shop, count):
    """Leave so many refunds in doubt, each of an order of its own."""
    acts, shop.acts = shop.acts, lambda *_: 1 / 0
    for number in range(count):
        assert isinstance(shop.ask("1", key=f"k-{number}", order_id=f"A-{number}"), InDoubt)
    shop.acts = acts


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def test_a_start_waits_no_longer_than_it_may_and_the_rest_goes_on_in_the_background(open_shop):
    first = open_shop(effect=HOUR)
    lose(first, 6)
    hanging, stuck = threading.Event(), {"A-0", "A-1", "A-2"}
    waits = Waits(recovery=timedelta(seconds=0.3))
    late = open_shop(effect=HOUR, waits=waits)

    def act(order_id, amount, key):
        if order_id in stuck:
            assert hanging.wait(30)
        return late.pay(order_id, amount, key)

    late.acts = act
    began = time.monotonic()
    late.guard.start()
    assert 0.2 < time.monotonic() - began < 5
    wait_for(lambda: states(late) == ["executing"] * 3 + ["settled"] * 3)
    hanging.set()
    wait_for(lambda: states(late) == ["settled"] * 6)
    assert late.guard.audit.verify().ok


def test_what_is_not_known_in_time_is_said_to_be_under_way(open_shop):
    shop = open_shop(effect=HOUR)
    lose(shop, 2)
    hanging = threading.Event()

    def act(order_id, amount, key):
        if order_id == "A-0":
            hanging.wait(30)
        return {"refund": "r"}

    shop.acts = act
    told = []
    answers = shop.guard.recover(timedelta(seconds=0.5), told.append)
    hanging.set()
    assert {type(answer): answer.action for answer in answers} == dict.fromkeys((Unavailable, Done), "refund.issue")
    assert [answer.cause for answer in answers if isinstance(answer, Unavailable)] == ["in_progress"]
    assert told[0] in answers
    wait_for(lambda: states(shop) == ["settled"] * 2)


def test_rounds_go_past_the_first_page_and_past_what_only_people_can_settle(open_shop, monkeypatch):
    monkeypatch.setattr(rounds, "_PAGE", 2)
    shop = open_shop()
    lose(shop, 5)
    for number in range(5):
        shop.ask("1", key=f"r-{number}", order_id=f"B-{number}", run=shop.guard.propose)
        shop.ask("60", key=f"w-{number}", order_id=f"C-{number}")
    shop.clock.advance(timedelta(days=3))
    answers = shop.guard.recover()
    assert sum(isinstance(answer, InDoubt) for answer in answers) == 5
    assert sum(isinstance(answer, Denied) for answer in answers) == 5
    assert len(answers) == 15
    assert states(shop) == ["denied"] * 5 + ["in_doubt"] * 5 + ["waiting"] * 5


def test_an_action_whose_tool_is_elsewhere_is_left_and_said(open_shop, address):
    shop = open_shop(effect=HOUR)
    abandon(shop)
    shop.clock.advance(LATER)
    other = shop_of(address, clock=shop.clock)
    del other.guard._parts.registry.tools["refund.issue"]
    (answer,) = other.guard.recover()
    assert (type(answer), answer.cause) == (Unavailable, "no_tool")
    other.guard.close()
    assert states(shop) == ["executing"]
    assert isinstance(shop.guard.recover()[0], Done)


def test_one_action_that_cannot_be_taken_up_does_not_keep_the_others(open_shop, monkeypatch):
    shop = open_shop(effect=HOUR)
    lose(shop, 3)
    broken = shop.guard.store.read(lambda r: r.actions())[1].id
    recovering = rounds.recovering

    def failing(parts, record, *, patient):
        if record.id == broken:
            raise RuntimeError("a defect")
        return recovering(parts, record, patient=patient)

    monkeypatch.setattr(rounds, "recovering", failing)
    answers = shop.guard.recover()
    assert [getattr(answer, "cause", "done") for answer in answers] == ["done", "not_recovered", "done"]


def test_a_guard_that_runs_goes_round_again_when_it_is_time(open_shop, monkeypatch):
    shop = open_shop(effect=HOUR)
    abandon(shop)
    shop.clock.advance(LATER)
    seconds = [time.monotonic()]
    monkeypatch.setattr(rounds, "monotonic", lambda: seconds[0])
    shop.guard._rounds._put_off()
    seconds[0] += 59.9
    assert isinstance(shop.ask("1", key="2"), Done)
    time.sleep(0.2)
    assert states(shop) == ["executing", "settled"]
    seconds[0] += 0.1
    assert isinstance(shop.ask("1", key="3"), Done)
    wait_for(lambda: states(shop) == ["settled"] * 3)


def test_a_guard_may_go_round_only_when_it_starts(open_shop, monkeypatch):
    shop = open_shop(effect=HOUR, waits=Waits(rounds=None))
    abandon(shop)
    shop.clock.advance(LATER)
    monkeypatch.setattr(rounds, "monotonic", lambda: 10**9)
    shop.ask("1", key="2")
    time.sleep(0.2)
    assert states(shop) == ["executing", "settled"]


def test_a_guard_that_was_closed_takes_up_nothing_more(open_shop):
    shop = open_shop(effect=HOUR)
    lose(shop, 12)
    begun, closed = threading.Event(), threading.Event()

    def act(order_id, amount, key):
        begun.set()
        closed.wait(30)
        return {"refund": "r"}

    shop.acts = act
    recovering = threading.Thread(target=lambda: shop.guard.recover(timedelta(seconds=0.1)))
    recovering.start()
    begun.wait(10)
    shop.guard.close()
    closed.set()
    recovering.join()
    time.sleep(0.2)
    reopened = open_shop(waits=Waits(rounds=None))
    assert states(reopened).count("in_doubt") >= 8


def test_a_tool_that_keeps_failing_is_not_sent_more_often_than_it_may(open_shop):
    shop = open_shop(effect=Idempotent(ttl=timedelta(days=365)))
    shop.acts = lambda *_: 1 / 0
    shop.ask()
    for _ in range(25):
        shop.guard.recover()
    (record,) = shop.guard.store.read(lambda r: r.actions())
    assert (record.state, record.attempt) == (State.IN_DOUBT, 20)


def test_rounds_beside_a_run_send_a_failing_action_less_and_less_often(open_shop):
    shop = open_shop(effect=Idempotent(ttl=timedelta(days=1)))
    sent = []
    shop.acts = lambda *_: sent.append(shop.clock()) or 1 / 0
    shop.ask()
    for _ in range(70):
        shop.guard._rounds.go(patient=True)
        shop.clock.advance(timedelta(minutes=1))
    assert [round((later - sent[0]) / timedelta(minutes=1)) for later in sent] == [0, 0, 1, 3, 7, 15, 31, 63]


@pytest.mark.law(6)
@pytest.mark.parametrize("effect", [lambda asked: HOUR, lambda asked: Queryable(lambda key: asked.append(key) or "r")])
def test_nothing_is_recovered_by_asking_or_sending_while_it_is_stopped(open_shop, effect):
    asked = []
    shop = open_shop(effect=effect(asked))
    lose(shop, 2)
    shop.guard.halt("agent:bot", by="maria", why="it is wrong")
    assert all(isinstance(answer, InDoubt) for answer in shop.guard.recover())
    assert shop.paid == asked == []
    assert {record.fence for record in shop.guard.store.read(lambda r: r.actions())} == {1}
    shop.guard.resume("agent:bot", by="maria", why="it is right")
    assert all(isinstance(answer, Done) for answer in shop.guard.recover())
