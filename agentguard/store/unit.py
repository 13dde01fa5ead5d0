"""A unit of work on its way to a commit, and how whoever handed it in hears what came of it."""

from __future__ import annotations

import asyncio
import enum
import threading
from collections.abc import Callable, Sequence
from typing import Any

from agentguard.store.records import ActionKey
from agentguard.store.transaction import Transaction


class Stage(enum.Enum):
    """Where a unit of work is."""

    WAITING = enum.auto()
    TAKEN = enum.auto()
    ENDED = enum.auto()
    WITHDRAWN = enum.auto()


class Unit:
    """One unit of work with its outcome: a value, or what it raised.

    Attributes:
        keys: Of actions that it will look up, so that all units' can be looked up at once.
        goes_first: It says how something ended, as its work does that has a true attribute of this name: it does not
            wait behind what only wants to begin, and is not refused where too much waits.
        until: When it has waited long enough, by the clock of its event loop.
        taken: What the thread that waits for it commits with it, while it leads.
    """

    __slots__ = ("_bell", "error", "future", "goes_first", "keys", "stage", "taken", "until", "value", "work")

    def __init__(
        self,
        work: Callable[[Transaction], Any],
        future: asyncio.Future[Any] | None = None,
        keys: Sequence[ActionKey] = (),
    ) -> None:
        self.work = work
        self.goes_first: bool = getattr(work, "goes_first", False)
        self.keys = keys
        self.future = future
        self.stage = Stage.WAITING
        self.value: Any = None
        self.error: BaseException | None = None
        self.until = 0.0
        self.taken: list[Unit] = []
        self._bell: threading.Lock | None = None

    def begin_waiting(self) -> None:
        """Make ready to wait; before anybody can ring."""
        self._bell = threading.Lock()
        self._bell.acquire()

    def wait(self, seconds: float) -> bool:
        """Wait until `ring`; return False if the time was up first."""
        return self._bell is None or self._bell.acquire(timeout=seconds)

    def ring(self) -> None:
        """Wake the thread that waits."""
        if self._bell is not None and self._bell.locked():
            try:
                self._bell.release()
            except RuntimeError:
                return  # somebody else rang at the same moment

    def outcome(self) -> Any:
        """Return what it came to, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self.value

    def resolve(self) -> None:
        """Tell the task that waits, in its own event loop; if it is still there."""
        if self.future is None or self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.value)
        elif isinstance(self.error, StopIteration):
            self.future.set_exception(RuntimeError("a unit of work raised StopIteration"))
        else:
            self.future.set_exception(self.error)
