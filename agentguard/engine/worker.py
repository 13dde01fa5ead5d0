"""Calls that must end in time: in a thread that is given up on, since a running Python function cannot be stopped."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


def start(function: Callable[[], Any], name: str) -> Future[Any]:
    """Run a function in a thread of its own that does not keep the process alive; its end fills the future."""
    future: Future[Any] = Future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            result = context.run(function)
        except StopIteration as error:
            # An event loop's future refuses it, and whoever waits there would wait until the deadline.
            future.set_exception(RuntimeError(f"{type(error).__name__} from `{name}`"))
        except BaseException as error:  # noqa: BLE001 - it goes to whoever waits, whatever it is
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=work, name=f"agentguard-{name}", daemon=True).start()
    return future


def call(function: Callable[..., Any], parameters: dict[str, Any], *, is_async: bool) -> Any:
    """Call a function by name in this thread; a coroutine function gets an event loop of its own."""
    if is_async:
        return asyncio.run(function(**parameters))
    result = function(**parameters)
    if asyncio.iscoroutine(result):
        return asyncio.run(_awaited(result))
    return result


async def _awaited(coroutine: Any) -> Any:
    return await coroutine
