"""Tasks that are cancelled at every step of a walk: nothing is left holding that no tool was called for."""

import asyncio
import gc
import threading
import time

import pytest

from agentguard import Done
from tests.engine.given import Shop

STEPS = ("look", "decide", "look again", "finish")
MOMENTS = ("before", "while it runs", "after")


def cancel_at(shop, step, moment):
    """Run a refund in an event loop and cancel its task at one moment of one step of its store."""

    async def main():
        names = iter(STEPS)
        task = None

        async def through(method, work):
            if next(names, None) != step:
                return await method(work)
            if moment == "before":
                task.cancel()
                await asyncio.sleep(0)
            value = await method(slowly(work) if moment == "while it runs" else work)
            task.cancel()
            await asyncio.sleep(0)
            return value

        def slowly(work):
            loop = asyncio.get_running_loop()

            def run(reading):
                loop.call_soon_threadsafe(task.cancel)
                threading.Event().wait(0.05)
                return work(reading)

            return run

        store = shop.guard.store
        reads, transacts = store.alook, store.atransact
        store.alook = lambda query, keys: through(reads, query)
        store.atransact = lambda work: through(transacts, work)
        task = asyncio.create_task(Shop.ask(shop, run=shop.guard.arun))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    del shop.guard.store.alook, shop.guard.store.atransact


def settle_down(shop):
    """Return the one action there may be, once it has come to its end."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        actions = shop.guard.store.read(lambda reading: reading.actions())
        if all(str(action.state) != "executing" for action in actions):
            return actions[0] if actions else None
        time.sleep(0.01)
    raise AssertionError("an action hangs")


@pytest.mark.law(2)
@pytest.mark.law(5)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("is_async", [True, False])
def test_a_cancelled_task_leaves_nothing_held_that_no_tool_was_called_for(open_shop, is_async, step, moment):
    shop = open_shop(is_async=is_async)
    shop.guard.start()
    cancel_at(shop, step, moment)
    time.sleep(0.1)  # a unit that ran when its task was cancelled may be committed after all
    action = settle_down(shop)
    if step == "finish":
        assert (str(action.state), len(shop.paid)) == ("settled", 1)
    else:
        assert shop.paid == []
        assert action is None or str(action.state) == "released"
    if action is not None:
        kinds = [entry.kind for entry in shop.guard.audit.of(action.id)]
        assert kinds == ["decided", str(action.state)]
        held = shop.guard.store.read(lambda reading: reading.holds(action.id))
        assert not [hold for hold in held if hold.state == "open"]
    assert shop.guard.audit.verify().ok
    # The budget is as it was, and the guard goes on.
    assert isinstance(shop.ask("50.00", key="k-2", order_id="A-2"), Done)


@pytest.mark.parametrize("step", ["look", "decide"])
def test_a_task_that_is_cancelled_while_another_writer_has_the_store_stores_nothing(open_shop, step):
    shop = open_shop(is_async=True)
    shop.guard.start()
    inside, go_on = threading.Event(), threading.Event()

    def hold_up(transaction):
        inside.set()
        go_on.wait(5)

    async def main():
        writer = threading.Thread(target=lambda: shop.guard.store.transact(hold_up))
        writer.start()
        await asyncio.to_thread(inside.wait, 5)
        task = asyncio.create_task(Shop.ask(shop, run=shop.guard.arun))
        await asyncio.sleep(0 if step == "look" else 0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        await asyncio.to_thread(writer.join, 5)

    asyncio.run(main())
    time.sleep(0.1)
    assert settle_down(shop) is None
    assert shop.paid == []


@pytest.mark.law(2)
def test_an_interrupted_thread_gives_back_what_it_holds(open_shop):
    shop = open_shop()
    shop.guard.start()
    store = shop.guard.store
    looks = store.look
    seen = iter(STEPS[::2])

    def look(query, keys):
        if next(seen, None) == "look again":
            raise KeyboardInterrupt
        return looks(query, keys)

    store.look = look
    with pytest.raises(KeyboardInterrupt):
        shop.ask()
    store.look = looks
    assert str(settle_down(shop).state) == "released"
    assert shop.paid == []


@pytest.mark.law(2)
def test_a_walk_whose_event_loop_is_closed_gives_back_what_it_holds(open_shop):
    shop = open_shop(is_async=True)
    shop.guard.start()
    store, atransact = shop.guard.store, shop.guard.store.atransact
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # it says that a task was destroyed
    committed = asyncio.Event()

    async def stay(work):
        await atransact(work)
        committed.set()
        await asyncio.Event().wait()

    async def until_committed():
        asyncio.get_running_loop().create_task(Shop.ask(shop, run=shop.guard.arun))
        await committed.wait()

    store.atransact = stay
    loop.run_until_complete(until_committed())
    loop.close()
    del store.atransact
    gc.collect()
    assert str(settle_down(shop).state) == "released"
    assert shop.paid == []
