"""What a call says after it was given up on: only what it can know is believed (law 6)."""

import asyncio
import time
from datetime import timedelta

import pytest

from agentguard import Idempotent, NotDone, NotDoneError, Retry
from agentguard.engine.effect import Queryable

SHORT = timedelta(seconds=0.3)


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


@pytest.mark.law(6)
def test_a_lookup_that_finds_nothing_too_late_does_not_settle_what_it_was_asked_about(open_shop):
    ended = []

    def look(key):
        time.sleep(0.6)
        ended.append(key)

    shop = open_shop(effect=Queryable(look, settle_lag=timedelta(hours=1)), timeout=SHORT)
    shop.acts = lambda *_: (_ for _ in ()).throw(RuntimeError("lost"))
    answer = shop.ask()
    shop.guard.recover()
    wait_for(lambda: ended)
    time.sleep(0.1)
    assert shop.state(answer) == "in_doubt"
    assert shop.kinds(answer) == ["decided", "in_doubt", "taken_up", "in_doubt"]


@pytest.mark.law(6)
def test_a_first_attempt_that_did_nothing_does_not_speak_for_the_second(open_shop):
    shop = open_shop(effect=Idempotent(ttl=timedelta(days=1)), timeout=SHORT)
    calls = []

    def act(order_id, amount, key):
        calls.append(key)
        if len(calls) == 1:
            time.sleep(0.8)
            raise NotDoneError("refused before it was sent")
        shop.pay(order_id, amount, key)
        raise RuntimeError("sent, and the answer was lost")

    shop.acts = act
    answer = shop.ask()
    shop.ask()
    assert shop.paid
    wait_for(lambda: "late_report" in shop.kinds(answer))
    assert shop.state(answer) == "in_doubt"
    assert shop.usage(answer) == [(4000, 0), (4000, 0)]


@pytest.mark.law(6)
def test_a_second_attempt_that_did_nothing_does_not_speak_for_the_first_even_when_it_says_so_late(open_shop):
    shop = open_shop(effect=Idempotent(ttl=timedelta(days=1)), timeout=SHORT)
    calls = []

    def act(order_id, amount, key):
        calls.append(key)
        if len(calls) == 1:
            shop.pay(order_id, amount, key)
            raise RuntimeError("sent, and the answer was lost")
        time.sleep(0.8)
        raise NotDoneError("refused before it was sent")

    shop.acts = act
    answer = shop.ask()
    shop.ask()
    wait_for(lambda: "late_report" in shop.kinds(answer))
    assert shop.state(answer) == "in_doubt"
    assert shop.usage(answer) == [(4000, 0), (4000, 0)]


@pytest.mark.law(6)
def test_a_person_may_still_say_that_no_attempt_did_anything(open_shop):
    shop = open_shop(effect=Idempotent(ttl=timedelta(days=1)))
    shop.acts = lambda *_: (_ for _ in ()).throw(RuntimeError("lost"))
    answer = shop.ask()
    shop.ask()
    assert shop.guard.audit.action(answer.decision_id).attempt == 2
    shop.guard.resolve(answer.decision_id, done=False, by="ada", why="the provider has nothing")
    assert shop.state(answer) == "released"


def test_a_tool_that_runs_out_of_an_iterator_ends_at_once_in_an_event_loop_too(open_shop):
    shop = open_shop(timeout=timedelta(seconds=30))
    shop.acts = lambda *_: next(iter([]))

    async def ask():
        return await asyncio.wait_for(asyncio.create_task(_arun(shop)), 10)

    assert asyncio.run(ask()).status == "in_doubt"


async def _arun(shop):
    arguments = {"order_id": "A-1", "amount": "40.00", "reason": "late"}
    return await shop.guard.arun(
        "refund.issue", arguments, agent="bot", on_behalf_of="c-1", context={"conversation": "t"}, key="k"
    )


@pytest.mark.law(2)
@pytest.mark.parametrize("retry", [None, Retry(attempts=2)])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_tool_is_not_called_after_its_deadline_though_it_was_asked_before_it_whether_there_is_time(
    open_shop, is_async, retry
):
    shop = open_shop(effect=Idempotent(ttl=timedelta(days=1)), timeout=SHORT, is_async=is_async, retry=retry)
    store, looks = shop.guard.store, []
    look, alook = store.look, store.alook

    def stand_still():
        looks.append(True)
        if len(looks) == 2:  # the last one before the call
            time.sleep(SHORT.total_seconds() + 0.05)

    def slow_look(*args):
        found = look(*args)
        stand_still()
        return found

    async def slow_alook(*args):
        found = await alook(*args)
        stand_still()
        return found

    store.look, store.alook = slow_look, slow_alook
    answer = (shop.aask if is_async else shop.ask)()
    del store.look, store.alook
    assert (type(answer), answer.error, shop.paid) == (NotDone, "TooLateError", [])
    assert shop.state(answer) == "released"
    assert shop.usage(answer) == [(0, 0), (0, 0)]
