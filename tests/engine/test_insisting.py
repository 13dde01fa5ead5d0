"""Outcomes that could not be written down at once: tried again while it may help, and never written twice."""

import asyncio
import threading
from datetime import timedelta

import pytest
import structlog

from agentguard import Done, InDoubt, NotDone, NotDoneError
from agentguard.core.lifecycle import State
from agentguard.engine import insisting
from agentguard.engine.parts import Waits
from agentguard.errors import ClockError, StoreUnavailableError
from tests.engine.given import Shop
from tests.engine.test_leases import only_action
from tests.engine.test_rounds import wait_for


@pytest.fixture(params=["thread", "task"])
def ask(request, monkeypatch):
    """How a shop is asked: by a thread, or by a task of an event loop; without the pauses."""
    monkeypatch.setattr(insisting, "PAUSES", (0.0,) * 7)
    return Shop.ask if request.param == "thread" else Shop.aask


def lose(shop, times, error=StoreUnavailableError, *, kept=False):
    """Let that many commits fail from when the tool has been called; `kept` says that what failed was committed."""
    store, left, tried = shop.guard.store, [times], []
    transact, submit, act = store.transact, store.submit, shop.acts or shop.pay

    def failing(through):
        def commit(work):
            tried.append(work)
            if left[0] == 0:
                return through(work)
            left[0] -= 1
            if kept:
                transact(work)
            raise error("the line was cut")

        return commit

    def acts(*given):
        store.transact, store.submit = failing(transact), failing(submit)
        return act(*given)

    shop.acts = acts
    return tried


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("times", [1, 7])
def test_what_an_unprotected_tool_did_is_written_down_as_soon_as_the_store_is_back(open_shop, ask, times, kept):
    shop = open_shop()
    tried = lose(shop, times, kept=kept)
    answer = ask(shop)
    assert (type(answer), answer.result, answer.replayed) == (Done, {"refund": "r-1"}, False)
    assert len(tried) == times + 1
    assert shop.kinds(answer) == ["decided", "settled"], "it is written once"
    assert shop.usage(answer) == [(0, 4000), (0, 4000)]
    assert shop.guard.audit.verify().ok


def test_what_was_not_done_gives_back_what_it_held_as_soon_as_the_store_is_back(open_shop, ask):
    shop = open_shop()

    def refuse(*_):
        raise NotDoneError("no such card")

    shop.acts = refuse
    lose(shop, 2)
    assert isinstance(answer := ask(shop), NotDone)
    assert shop.kinds(answer) == ["decided", "released"]
    assert shop.usage(answer) == [(0, 0), (0, 0)]


@pytest.mark.law(6)
def test_a_store_that_stays_away_leaves_a_doubt_that_keeps_its_hold(open_shop, ask):
    shop = open_shop()
    tried = lose(shop, 8)
    with structlog.testing.capture_logs() as logged:
        answer = ask(shop)
    assert (type(answer), answer.error, answer.executed) == (InDoubt, "store_unavailable", None)
    assert len(tried) == 8
    assert only_action(shop).state is State.EXECUTING
    assert shop.usage(answer) == [(4000, 0), (4000, 0)]
    assert [line["error"] for line in logged if line["event"] == "action.outcome_not_written"] == ["store_unavailable"]


@pytest.mark.parametrize("error, outcome", [(StoreUnavailableError, timedelta(0)), (ClockError, timedelta(seconds=10))])
def test_nothing_is_tried_again_where_it_cannot_help_or_may_not(open_shop, ask, error, outcome, monkeypatch):
    monkeypatch.setattr(insisting, "PAUSES", (0.01,) * 7)
    shop = open_shop(waits=Waits(outcome=outcome))
    tried = lose(shop, 1, error)
    assert isinstance(ask(shop), InDoubt)
    assert len(tried) == 1


def test_a_tool_that_ends_after_it_was_given_up_on_is_heard_though_the_store_is_away_just_then(open_shop, monkeypatch):
    monkeypatch.setattr(insisting, "PAUSES", (0.0,) * 7)
    shop = open_shop(timeout=timedelta(seconds=0.05))
    going_on = threading.Event()

    def slow(order_id, amount, key):
        going_on.wait(10)
        shop.acts = None
        lose(shop, 3)
        return shop.acts(order_id, amount, key)

    shop.acts = slow
    assert isinstance(shop.ask(), InDoubt)
    going_on.set()
    wait_for(lambda: only_action(shop).state is State.SETTLED)


def test_a_caller_that_goes_during_a_pause_leaves_an_outcome_that_is_written_all_the_same(open_shop, monkeypatch):
    monkeypatch.setattr(insisting, "PAUSES", (0.1,) * 2)
    shop = open_shop()
    tried = lose(shop, 2)

    async def go_away():
        asking = asyncio.ensure_future(Shop.ask(shop, run=shop.guard.arun))
        await asyncio.to_thread(wait_for, lambda: tried)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(go_away())
    wait_for(lambda: only_action(shop).state is State.SETTLED)
    assert len(tried) == 3
