"""Calls that must end in time: in a thread that is given up on, since a running Python function cannot be stopped."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from agentguard.errors import NotDoneError
from agentguard.log import get_logger

log = get_logger("worker")


class NoThreadError(NotDoneError):
    """The machine had no thread left, so that what was to be called was not."""


def start(function: Callable[[], Any]) -> Future[Any]:
    """Run a function in a thread that does not keep the process alive; its end fills the future.

    Where the machine has no thread left, that is `NoThreadError`, and the function was not called.
    """
    future: Future[Any] = Future()
    context = contextvars.copy_context()
    job = (lambda: context.run(function), future)
    try:
        queue = _idle.pop()
    except IndexError:
        queue = SimpleQueue()
        thread = threading.Thread(target=_work, args=(queue,), name="agentguard-worker", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            log.error("worker.no_thread", reason=str(error))  # noqa: TRY400 - no locals
            future.set_exception(
                NoThreadError("expected a thread to call it in, got none: too many run in this process")
            )
            return future
    queue.put(job)
    return future


MOST_IDLE = 64

Job = tuple[Callable[[], Any], "Future[Any]"]
_idle: list[SimpleQueue[Job]] = []
"""The queues of threads that wait for work; one that was given up on comes back here when its call ends after all."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads do not live on in a forked process


def _work(queue: SimpleQueue[Job]) -> None:
    while True:
        _do(*queue.get())
        if len(_idle) >= MOST_IDLE:
            return
        _idle.append(queue)


def _do(function: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return  # whoever wanted it has gone before it began
    try:
        result = function()
    except StopIteration as error:
        # An event loop's future refuses it, and whoever waits there would wait until the deadline.
        future.set_exception(RuntimeError(f"{type(error).__name__} from a worker"))
    except BaseException as error:  # noqa: BLE001 - it goes to whoever waits, whatever it is
        future.set_exception(error)
    else:
        future.set_result(result)


def call(function: Callable[..., Any], parameters: dict[str, Any], *, is_async: bool) -> Any:
    """Call a function by name in this thread; a coroutine function gets an event loop of its own."""
    if is_async:
        return asyncio.run(function(**parameters))
    result = function(**parameters)
    if inspect.isawaitable(result):
        return asyncio.run(_awaited(result))
    return result


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


def is_unfinished(result: Any) -> bool:
    """Return whether what a call gave back has still to be awaited or gone through: it may have done nothing yet."""
    if inspect.isawaitable(result) or isinstance(result, Future):
        return True
    return inspect.isgenerator(result) or inspect.isasyncgen(result)
