"""A store that loses a commit when it is told to: before it, in the midst of it, or before anybody hears of it.

It can lose the process, or only the connection: then nobody tells the store whether its commit went through.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from agentguard.errors import StoreUnavailableError
from agentguard.store import Reading, Store, Transaction
from agentguard.store.records import ActionKey
from agentguard.store.unit import Unit

T = TypeVar("T")


class Moment(enum.StrEnum):
    """Where around a commit something is lost."""

    BEFORE = "before"
    INSIDE = "inside"
    AFTER = "after"


class Crash(BaseException):
    """The process is gone. It passes every handler that an error would meet, as a real crash does."""


class TornError(Exception):
    """Everything was written, and nothing of it is committed."""


class _CutConnection:
    """A driver's connection that is cut in its next commit."""

    def __init__(self, driver: Any, moment: Moment, error: type[Exception]) -> None:
        object.__setattr__(self, "_of", (driver, moment, error))

    def commit(self) -> None:
        """Commit or not, and lose the connection."""
        driver, moment, error = self._of
        if moment is Moment.AFTER:
            driver.commit()
        else:
            driver.rollback()
        raise error("the simulation cut the connection in the midst of a commit")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of[0], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._of[0], name, value)


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
    _cut: Moment | None = None

    def crash_next(self, moment: Moment, commits: int = 1, *, dies: bool = True) -> None:
        """Raise `Crash` around the next commit, or a later one; the process is dead then, unless `dies` is false."""
        self._moment, self._commits_left, self._dies = moment, commits, dies

    def cut_next(self, moment: Moment) -> None:
        """Cut the connection in the next commit: `AFTER` it went through, or before."""
        self._cut = moment

    def disarm(self) -> None:
        """Take back what has not happened yet."""
        self._moment = self._cut = None

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

    def together(self, works: Sequence[Callable[[Transaction], Any]]) -> list[Unit]:
        """Run units of work in one batch, as the committer does with those that wait; each with what it came to."""
        self._reach()
        moment = self._moment_now()
        if moment in (Moment.BEFORE, Moment.INSIDE):
            self._crash()
        units = [Unit(work) for work in works]
        self._commit(units)
        if self.after_commit is not None:
            self.after_commit()
        if moment is Moment.AFTER:
            self._crash()
        return units

    def read(self, query: Callable[[Reading], T]) -> T:
        """Run a query as every store does, unless the process is dead or the database out of reach."""
        self._reach()
        return super().read(query)

    def look(self, query: Callable[[Reading], T], keys: Sequence[ActionKey] = ()) -> T:  # noqa: ARG002
        """Look up in a read of its own on every engine, so that an outage meets the same looks on each."""
        return self.read(query)

    def _commit(self, units: Sequence[Unit]) -> None:
        moment, self._cut = self._cut, None
        if moment is None:
            super()._commit(units)
            return
        channel = self._connections.take()
        driver = channel.driver
        channel.driver = _CutConnection(driver, moment, self._connections.dialect.errors[0])
        self._connections.give(channel)  # on top of those that lie idle: the commit takes it next
        super()._commit(units)
        channel.driver = driver  # where there was nothing to commit

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
            """Write everything, and fail."""
            work(transaction)
            raise TornError

        try:
            super().transact(torn)
        except TornError:
            self._crash()
