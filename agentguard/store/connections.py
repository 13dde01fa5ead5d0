"""Where a store's connections come from, and what their errors mean."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from agentguard.errors import AgentGuardError, UsageError
from agentguard.store.channel import Channel
from agentguard.store.dialect import Dialect
from agentguard.store.statement import compiling

_Raised = TypeVar("_Raised", bound=BaseException)

MOST_IDLE = 8


class Connections:
    """The connections of one process to one database: each is used by one thread at a time, then lies idle."""

    def __init__(self, engine: Engine, dialect: Dialect, name: str, patience: float) -> None:
        self.dialect = dialect
        self.name = name
        self.patience = patience
        self._engine = engine
        self._compiling = compiling(engine.dialect)
        self._idle: deque[Channel] = deque()
        self._is_closed = False

    def take(self) -> Channel:
        """Return a connection that works, as far as can be told without asking the database."""
        while True:
            try:
                channel = self._idle.pop()
            except IndexError:
                return Channel(self._engine.raw_connection(), self.dialect, self._compiling)
            if self.dialect.is_living(channel.driver):
                return channel
            channel.close(broken=True)

    def give(self, channel: Channel, *, broken: bool = False) -> None:
        """Take back a connection that has no transaction any more, or one that is not to be used again."""
        if broken or len(self._idle) >= MOST_IDLE:
            channel.close(broken=broken)
        else:
            self._idle.append(channel)
            if self._is_closed:  # by a query that was under way meanwhile; its pool is gone
                self._close_idle(broken=True)

    def close(self) -> None:
        """Close what lies idle now, and what is given back from here on."""
        self._is_closed = True
        self._close_idle(broken=False)
        self._engine.dispose()

    def _close_idle(self, *, broken: bool) -> None:
        while True:
            try:
                self._idle.pop().close(broken=broken)
            except IndexError:
                return

    def abandon(self) -> None:
        """Forget every connection without closing it: it is the parent process's."""
        self._idle.clear()
        self._engine.dispose(close=False)

    def is_database_error(self, error: BaseException) -> bool:
        """Return whether an error came from the database or its driver, and not from a unit of work."""
        return isinstance(error, (SQLAlchemyError, OverflowError, UnicodeEncodeError, *self.dialect.errors))

    def meaning(self, error: _Raised) -> _Raised | AgentGuardError:
        """Return what an error means to somebody who can do something about it."""
        meant: AgentGuardError
        if not isinstance(error, Exception) or not self.is_database_error(error):
            return error
        if isinstance(error, OverflowError | UnicodeEncodeError):
            meant = UsageError(
                f"expected whole numbers of 64 bits and Unicode text, got what no database can keep: {error}"
            )
        else:
            meant = self.dialect.translate(error, self.name, self.patience)
        meant.__cause__ = error
        return meant
