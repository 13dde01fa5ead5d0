"""What Ctrl-C and SIGTERM mean for a command that goes on until it is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agentguard.engine.machine import monotonic, sleep

_LOOKS_EVERY = 0.1


class Stop:
    """Whether somebody asked for the end; no lock is in it, since a signal comes in the midst of anything."""

    told = False

    def wait(self, seconds: float) -> None:
        """Wait so long, or until somebody asks for the end."""
        end = monotonic() + seconds
        while not self.told and (left := end - monotonic()) > 0:
            sleep(min(left, _LOOKS_EVERY))


@contextmanager
def until_told_to_stop() -> Iterator[Stop]:
    """Give what the first signal to stop sets; the second one ends the process as it always does."""
    stop = Stop()
    before: dict[int, Any] = {}

    def told(number: int, _frame: object) -> None:
        """Stop at the next chance; told once more, end at once."""
        stop.told = True
        signal.signal(number, before[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, told)
    try:
        yield stop
    finally:
        for told_by, handler in before.items():
            signal.signal(told_by, handler)
