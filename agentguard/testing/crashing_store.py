"""A store that loses a commit when it is told to: before it, in the midst of it, or before anybody hears of it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeVar

from agentguard.errors import StoreUnavailableError
from agentguard.store import Reading, Store, Transaction

T = TypeVar("T")


class Moment(enum.StrEnum):
    """Where around a commit something is lost."""

    BEFORE = "before"
    INSIDE = "inside"
    AFTER = "after"


class Crash(BaseException):
    """The process is gone. It passes every handler that an error would meet, as a real crash does."""


class _TornError(Exception):
    """Everything was written, and nothing of it is committed."""


class CrashingStore(Store):
    """A store for simulations; made like any other, with `CrashingStore.open`.

    Attributes:
        after_commit: Called after every commit, before whoever made it hears of it.
        dead: A dead process reads and writes nothing any more.
        outage: How many more times the database cannot be reached.
    """

    after_commit: Callable[[], None] | None = None
    dead: bool = False
    outage: int = 0
    _commits_left: int = 0
    _moment: Moment | None = None
    _dies: bool = True

    def crash_next(self, moment: Moment, commits: int = 1, *, dies: bool = True) -> None:
        """Raise `Crash` around the next commit, or a later one; the process is dead then, unless `dies` is false."""
        self._moment, self._commits_left, self._dies = moment, commits, dies

    def disarm(self) -> None:
        """Take back a crash that has not come yet."""
        self._moment = None

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run a unit of work as every store does, unless it was told to crash here."""
        self._reach()
        moment = self._moment_now()
        if moment is Moment.BEFORE:
            self._crash()
        if moment is Moment.INSIDE:
            self._tear(work)
        value = super().transact(work)
        if self.after_commit is not None:
            self.after_commit()
        if moment is Moment.AFTER:
            self._crash()
        return value

    def read(self, query: Callable[[Reading], T]) -> T:
        """Run a query as every store does, unless the process is dead or the database out of reach."""
        self._reach()
        return super().read(query)

    def _reach(self) -> None:
        if self.dead:
            raise Crash
        if self.outage:
            self.outage -= 1
            raise StoreUnavailableError(
                "expected the database, got none: the simulation took it away; nothing was stored"
            )

    def _crash(self) -> None:
        self.dead = self._dies
        raise Crash

    def _moment_now(self) -> Moment | None:
        if self._moment is None:
            return None
        self._commits_left -= 1
        if self._commits_left > 0:
            return None
        moment, self._moment = self._moment, None
        return moment

    def _tear(self, work: Callable[[Transaction], T]) -> None:
        def torn(transaction: Transaction) -> None:
            work(transaction)
            raise _TornError

        try:
            super().transact(torn)
        except _TornError:
            self._crash()
