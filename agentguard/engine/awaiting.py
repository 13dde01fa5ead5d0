"""Waiting in an event loop, cheaply: for what may be there at once, and for one future at most so long."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


class Begun(Generator[Any, Any, None]):
    """A coroutine that has run as far as it can without waiting, in the task that awaits the rest of it.

    What is there at once needs no timer that says when it is late.

    Attributes:
        is_done: It came to its end, and there is nothing to await.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self._waits_for: Any = None
        self._is_told = False
        self.is_done = False
        try:
            self._waits_for = coroutine.send(None)
        except StopIteration:
            self.is_done = True

    def __await__(self) -> Begun:
        return self

    def send(self, given: Any) -> Any:
        """Hand over what it waits for already, and go on with it afterwards."""
        if self._is_told:
            return self._coroutine.send(given)
        self._is_told = True
        return self._waits_for

    def throw(self, *error: Any) -> Any:
        """Let it hear of an error, a cancelled task say, where it waits."""
        return self._coroutine.throw(*error)


async def is_done(future: asyncio.Future[Any], seconds: float | None) -> bool:
    """Return whether a future is done after at most so many seconds; it goes on, whoever waits for it or not.

    `asyncio.wait`, which takes many, costs half as much again.
    """
    loop = future.get_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def ring(_: object = None) -> None:
        """Let the task that waits go on."""
        if not waiter.done():
            waiter.set_result(None)

    future.add_done_callback(ring)
    timer = None if seconds is None else loop.call_later(seconds, ring)
    try:
        await waiter
    finally:
        future.remove_done_callback(ring)
        if timer is not None:
            timer.cancel()
    return future.done()
