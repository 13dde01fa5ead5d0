"""What the store asks of a database engine; every line of SQL beside it is the same on all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL

from agentguard.errors import AgentGuardError
from agentguard.store.turn import Turns

Driver = Any
"""A connection of the engine's own driver: `cursor`, `commit` and `rollback` as Python's database API has them."""

Cursor = Any
"""A cursor of it."""


class Dialect(Protocol):
    """One database engine.

    Attributes:
        name: As SQLAlchemy calls the backend: `sqlite`, `postgresql`.
        has_server: Whether each question is a message to somebody else, so that many are better asked at once.
    """

    name: str
    has_server: bool

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What its driver raises; `translate` takes them."""

    def make_engine(self, url: URL, patience: float) -> Engine:
        """Return an engine whose connections are durable and wait at most `patience` seconds."""

    def is_in_memory(self, url: URL) -> bool:
        """Return whether the database dies with this process, and has one connection."""

    def begin(self, driver: Driver, text: str, *, writes: bool) -> Cursor:
        """Begin a transaction with its first query: one that will write, or one consistent view.

        A writer locks the head of the log with it, `SELECT … FOR UPDATE`, unless it is alone from here on.
        """

    def is_living(self, driver: Driver) -> bool:
        """Return whether a connection that lay idle still works, as far as can be told without asking the database."""

    def turns(self, url: URL, patience: float) -> Turns:
        """Return what makes writers of several processes wait in order, where the database does not do that itself."""

    def pipeline(self, driver: Driver) -> AbstractContextManager[Any]:
        """Return a block in which statements may be sent without waiting for the one before."""

    def stream(self, driver: Driver, text: str, parameters: Any) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query without holding all of them."""

    def triggers(self) -> Iterator[str]:
        """Yield the statements that make the append-only tables refuse changes; run once, with the tables."""

    def drop_triggers(self, connection: Connection) -> None:
        """Drop these triggers, in a transaction that makes them anew."""

    def new_log_name(self, connection: Connection) -> str:
        """Return a random name for a new log, drawn by the database."""

    def translate(self, error: Exception, database: str, patience: float) -> AgentGuardError:
        """Return what an error of SQLAlchemy or the driver means to somebody who can do something about it."""

    def is_made_elsewhere(self, error: Exception) -> bool:
        """Return whether another process made the tables at the same moment, and was first."""

    def scrub(self, engine: Engine) -> bool:
        """Let nothing that was deleted lie about in the database's files; False where that is not ours to do."""

    def is_transient(self, error: Exception) -> bool:
        """Return whether the same transaction may be run again: a serialization failure, a deadlock."""
