"""The operational log: structlog, never configured by this library.

An event is a name and keys. Arguments, facts and customers never go in. This log is a courtesy and may be lost; the
audit log is not and may not. Where a program configured nothing, lines go to standard error: its output is its own.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

_left_out: set[str] = set()


class Log:
    """What one part of agentguard says; how is asked with each line, since a program may configure it at any time."""

    def __init__(self, part: str) -> None:
        self._part = part

    def info(self, event: str, **keys: Any) -> None:
        """Say something that is as it should be."""
        self._say("info", event, keys)

    def warning(self, event: str, **keys: Any) -> None:
        """Say something that somebody should look at."""
        self._say("warning", event, keys)

    def error(self, event: str, **keys: Any) -> None:
        """Say something that somebody has to mend."""
        self._say("error", event, keys)

    def _say(self, level: str, event: str, keys: dict[str, Any]) -> None:
        if event in _left_out:
            return
        import structlog  # noqa: PLC0415 - most processes have nothing to say, and loading it takes long

        if structlog.is_configured():
            logger = structlog.get_logger("agentguard", part=self._part)
        else:
            *processors, _ = structlog.get_config()["processors"]
            logger = structlog.wrap_logger(
                structlog.PrintLogger(sys.stderr),
                processors=[*processors, structlog.dev.ConsoleRenderer(colors=False)],
                part=self._part,
            )
        getattr(logger, level)(event, **keys)


def get_logger(part: str) -> Log:
    """Return a logger that names the part of agentguard it speaks for."""
    return Log(part)


def leave_out(*events: str) -> None:
    """Say these events no more in this process, which says the same in words of its own."""
    _left_out.update(events)


def place_of(error: BaseException, function: Callable[..., Any]) -> str:
    """Return where a host's function failed, like `shop.py:31`: enough to find it, and nothing of what it was about."""
    frames = traceback.extract_tb(error.__traceback__)
    code = getattr(inspect.unwrap(function), "__code__", None)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename] or frames
    return f"{PurePath(own[-1].filename).name}:{own[-1].lineno}" if own else ""
