"""Coroutines that are begun before anybody waits for them, and futures that are waited for at most so long."""

import asyncio

import pytest

from agentguard.engine.awaiting import Begun, is_done


def test_a_coroutine_that_waits_for_nothing_has_ended_once_it_is_begun():
    seen = []

    async def at_once():
        seen.append(asyncio.current_task())

    async def main():
        assert Begun(at_once()).is_done
        assert seen == [asyncio.current_task()]

    asyncio.run(main())


def test_a_coroutine_that_waits_goes_on_where_it_is_awaited_and_hears_of_what_it_waits_for():
    heard = []

    async def twice(fails):
        await asyncio.sleep(0)
        heard.append("first")
        try:
            await fails
        except ValueError as error:
            heard.append(str(error))
            raise

    async def main():
        fails = asyncio.get_running_loop().create_future()
        begun = Begun(twice(fails))
        assert not begun.is_done
        asyncio.get_running_loop().call_later(0.01, fails.set_exception, ValueError("second"))
        with pytest.raises(ValueError, match="second"):
            await begun

    asyncio.run(main())
    assert heard == ["first", "second"]


@pytest.mark.parametrize("waits", [1, 2])
def test_a_coroutine_is_cancelled_where_it_waits_when_its_time_is_over(waits):
    heard = []

    async def slowly():
        try:
            for _ in range(waits - 1):
                await asyncio.sleep(0)
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async def main():
        begun = Begun(slowly())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await begun

    asyncio.run(main())
    assert heard == ["cancelled"]


def test_a_future_that_is_waited_for_in_vain_goes_on():
    async def main():
        task = asyncio.create_task(asyncio.sleep(0.05, "came"))
        assert not await is_done(task, 0.01)
        waiter = asyncio.create_task(is_done(task, None))
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert await is_done(task, 5)
        assert task.result() == "came"

    asyncio.run(main())
