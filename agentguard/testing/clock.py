"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class ManualClock:
    """A clock to pass to `Guard(clock=…)`: gives the same time until `advance` or `set`."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """Return the present, in UTC."""
        with self._lock:
            return self._now

    def advance(self, duration: timedelta) -> datetime:
        """Move on by a duration and return the new present."""
        with self._lock:
            self._now += duration
            return self._now

    def set(self, moment: datetime) -> None:
        """Move to an instant; a clock that goes back is worth a test too."""
        with self._lock:
            self._now = moment.astimezone(UTC)
