"""The store: one database, many readers, one writer at a time, and nothing half done.

`transact` is made so that many units of work can share one commit later: a unit of work has no effect beside its
transaction and may be called again.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from agentguard.errors import StoreUnavailableError, UsageError
from agentguard.store import schema, sqlite
from agentguard.store.address import read_address
from agentguard.store.dialect import Dialect
from agentguard.store.ledger_clock import LedgerClock, checked
from agentguard.store.moment import Clock
from agentguard.store.postgresql import Postgresql
from agentguard.store.reading import Reading
from agentguard.store.sqlite import Sqlite
from agentguard.store.transaction import Transaction

T = TypeVar("T")

DIALECTS: dict[str, Dialect] = {"sqlite": Sqlite(), "postgresql": Postgresql(), "postgres": Postgresql()}
"""By SQLAlchemy's name of the backend."""


class Store:
    """One database of actions, accounts and the audit log.

    Safe to share between threads, and between processes as long as each opens its own or was forked.
    """

    def __init__(self, url: URL, dialect: Dialect, clock: LedgerClock, patience: float) -> None:
        self.url = url.render_as_string(hide_password=True)
        self._url = url
        self._dialect = dialect
        self._engine = dialect.make_engine(url, patience)
        self.clock = clock
        self._patience = patience
        self._in_memory = dialect.is_in_memory(url)
        self._after_fork()

    def _after_fork(self) -> None:
        self._process = os.getpid()
        self._writer = threading.Lock()
        self._inside = threading.local()

    @classmethod
    def open(
        cls, url: str, clock: Clock | LedgerClock | None = None, *, log: str | None = None, patience: float = 10.0
    ) -> Store:
        """Open a database, and make its tables if it has none.

        Args:
            url: `sqlite:///file.db`, `sqlite://` for memory, `sqlite:///file:file.db?mode=ro&uri=true` to read only, or
                `postgresql://user:password@host/database`.
            clock: What time it is, with a zone; the database's own clock if None: this machine's, or a server's.
            log: The name of a new log, which stands in every entry; drawn at random when left out.
            patience: Seconds to wait for another process's transaction.

        Raises:
            StoreSchemaError: Another version made the database, or the file is not one.
            StoreUnavailableError: It cannot be opened.
            UsageError: The address is not one of the above.
        """
        address, dialect = _parse(url)
        ledger_clock = checked(clock)
        store = cls(address, dialect, ledger_clock, patience)
        try:
            schema.prepare(store._engine, dialect, ledger_clock, log=log, patience=patience)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def in_memory(self) -> bool:
        """Whether the database dies with this process."""
        return self._in_memory

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run a unit of work and commit it whole, or keep nothing of it.

        `work` may be called again after a serialization failure, so it must do nothing that its transaction does not
        take back: no call of a tool, no message, no key drawn. Whatever it raises is raised here, and nothing was kept.

        Raises:
            StoreUnavailableError: Locked, read-only, full or unreachable: nothing was stored.
        """
        with self._connected(writes=True) as connection:
            transaction = Transaction(connection, self.clock)
            value = work(transaction)
            transaction.finish()
            connection.commit()
            return value

    def read(self, query: Callable[[Reading], T]) -> T:
        """Run a query on one consistent view; what it returns must not need the view any more.

        Raises:
            StoreUnavailableError: The database cannot be read.
        """
        with self._connected(writes=False) as connection:
            return query(Reading(connection, self.clock))

    async def atransact(self, work: Callable[[Transaction], T]) -> T:
        """Run a unit of work as `transact` does, without holding up the event loop.

        When the awaiting task is cancelled the unit may still be committed, whole: shield the call to learn of it.
        """
        return await asyncio.to_thread(self.transact, work)

    async def aread(self, query: Callable[[Reading], T]) -> T:
        """Run a query as `read` does, without holding up the event loop."""
        return await asyncio.to_thread(self.read, query)

    def bind(self, fingerprint: str) -> None:
        """Bind the database to its vault, for good, or find that it is bound to it.

        A lost keys file is made anew in silence, and under its secret every account would begin empty.

        Raises:
            StoreUnavailableError: The database is bound to another vault.
        """
        if self.read(lambda reading: reading.vault()) is None:
            self.transact(lambda transaction: transaction.bind_vault(fingerprint))
        elif self.read(lambda reading: reading.vault()) != fingerprint:
            raise StoreUnavailableError(
                f"expected the keys file that `{self.url}` was made with, got another one, under which every limit "
                f"would begin empty; restore the keys file from its backup"
            )

    def close(self) -> None:
        """Close every connection; the store opens new ones if it is used again."""
        self._engine.dispose()

    @contextmanager
    def _connected(self, *, writes: bool) -> Iterator[Connection]:
        if os.getpid() != self._process:
            # A connection of the parent must not be used, and not be closed either, in a forked child.
            self._engine.dispose(close=False)
            self._after_fork()
        if getattr(self._inside, "transaction", False):
            raise UsageError(
                "expected one transaction at a time in a thread, got one inside another; use the one you have"
            )
        # A database in memory has one connection, so that its readers wait for each other too.
        alone = writes or self._in_memory
        if alone and not self._writer.acquire(timeout=self._patience):
            raise StoreUnavailableError(
                f"another thread has been writing to `{self.url}` for more than {self._patience:g} s; nothing was "
                f"stored; look for work that waits inside a transaction"
            )
        self._inside.transaction = True
        try:
            with self._engine.connect().execution_options(**{sqlite.WRITES: writes}) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._dialect.translate(error, self.url, self._patience) from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise UsageError(
                f"expected whole numbers of 64 bits and Unicode text, got what no database can keep: {error}"
            ) from error
        finally:
            self._inside.transaction = False
            if alone:
                self._writer.release()


def _parse(url: str) -> tuple[URL, Dialect]:
    address = read_address(url)
    return address, DIALECTS[address.get_backend_name()]
