"""The one module that asks the machine: for the time, for ids, for how long something took."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from typing import TypeVar

Result = TypeVar("Result")

Clock = Callable[[], datetime]
"""Returns the present as an aware time in UTC."""


def wall_clock() -> datetime:
    """Return the machine's time in UTC."""
    return datetime.now(UTC)


def new_id(prefix: str, now: datetime) -> str:
    """Return an id that sorts by time: a prefix, 48 bits of milliseconds, 80 random bits."""
    milliseconds = int(now.timestamp() * 1000) & (2**48 - 1)
    try:
        random = _drawn.pop()
    except IndexError:
        drawn = os.urandom(_RANDOM_BYTES * _DRAWN_AT_ONCE).hex()
        size = 2 * _RANDOM_BYTES
        _drawn.extend(drawn[start : start + size] for start in range(size, len(drawn), size))
        random = drawn[:size]
    return f"{prefix}_{milliseconds:012x}{random}"


_RANDOM_BYTES = 10
_DRAWN_AT_ONCE = 256
_drawn: deque[str] = deque()
"""Random parts of ids, drawn many at once: each time the machine is asked, all other threads go first."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)  # or parent and child would give the same ids


def monotonic() -> float:
    """Return seconds that never go backwards, to measure waiting by."""
    return time.monotonic()


def uptime() -> float:
    """Return seconds that never go backwards and count a machine's sleep too, to hold deadlines by."""
    return time.monotonic() if _UPTIME is None else time.clock_gettime(_UPTIME)


_UPTIME = getattr(time, "CLOCK_BOOTTIME", None)


def sleep(seconds: float) -> None:
    """Wait in this thread."""
    time.sleep(seconds)


def random_bytes(count: int) -> bytes:
    """Return bytes that nobody can guess."""
    return os.urandom(count)


def login() -> str:
    """Return whose process this is, as the operating system knows: the environment says whatever its user wants.

    Raises:
        KeyError: Nobody has the number that this process runs under.
        OSError: There is no login.
    """
    if sys.platform == "win32":
        return os.getlogin()
    import pwd  # noqa: PLC0415 - only where there is one

    return pwd.getpwuid(os.getuid()).pw_name


def process() -> str:
    """Return what this process is called: its machine and its number there."""
    return f"{socket.gethostname()}/{os.getpid()}"


@functools.cache
def library_versions() -> tuple[str, str]:
    """Return the versions of agentguard and of the time zone data, for the record: those that this process found."""
    return _version("agentguard"), _version("tzdata")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


async def in_thread(function: Callable[[], Result]) -> Result:
    """Run a function that blocks in a thread, so that an event loop goes on."""
    return await asyncio.to_thread(function)


def jitter(seconds: float) -> float:
    """Return a random part of a pause, so that those who wait for each other do not come back together."""
    return seconds * int.from_bytes(os.urandom(2)) / 65_536
