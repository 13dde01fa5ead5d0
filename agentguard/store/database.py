"""The store: one database, many readers, one writer at a time, and nothing half done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy.engine import URL

from agentguard.errors import StoreUnavailableError, UsageError
from agentguard.store import forking, schema
from agentguard.store.address import dialect_of, read_address
from agentguard.store.committer import Committer, Submitted, closed
from agentguard.store.connections import Connections
from agentguard.store.dialect import Dialect
from agentguard.store.ledger_clock import LedgerClock, checked
from agentguard.store.memory import Memory
from agentguard.store.moment import Clock
from agentguard.store.readers import Readers
from agentguard.store.reading import Reading
from agentguard.store.records import ActionKey
from agentguard.store.transaction import Transaction
from agentguard.store.turn import NoTurns
from agentguard.store.unit import Unit
from agentguard.store.writer import Writer

T = TypeVar("T")


class Store:
    """One database of actions, accounts and the audit log.

    Safe to share between threads and event loops, and between processes as long as each opens its own or was forked: a
    forked child gets a committer, connections and a memory of its own, and what its parent was about to commit stays
    the parent's. A fork waits for the commit that is under way.
    """

    def __init__(self, url: URL, dialect: Dialect, clock: LedgerClock, patience: float) -> None:
        self.url = url.render_as_string(hide_password=True)
        self.clock = clock
        self._dialect = dialect
        self._engine = dialect.make_engine(url, patience)
        self._patience = patience
        self._in_memory = dialect.is_in_memory(url)
        self._connections = Connections(self._engine, dialect, self.url, patience)
        self._begin()
        forking.watch(self)

    def _begin(self) -> None:
        self._inside = threading.local()
        self._committing = threading.RLock()
        # Short looks of threads go one after the other: Python runs one thread at a time anyway, and many that take it
        # from each other in the midst of a query cost three times as much.
        self._looking = threading.Lock()
        self._closed = False
        memory, turns = Memory(), self._dialect.turns(self._engine.url, self._patience)
        self._memory, self._turns = memory, turns
        self._readers = Readers(self._connections, self.clock, memory, turns if self._in_memory else NoTurns())
        self._writer = Writer(self._connections, self.clock, memory, turns)
        self._committer = Committer(self._commit, self._find_out, self._patience, self.url)

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
        address = read_address(url)
        dialect = dialect_of(address)
        ledger_clock = checked(clock)
        store = cls(address, dialect, ledger_clock, patience)
        try:
            schema.prepare(store._engine, dialect, ledger_clock, log=log, patience=patience)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def address(self) -> str:
        """The address with its password, for a process of ours that opens the database too; never to be shown."""
        return self._engine.url.render_as_string(hide_password=False)

    @property
    def patience(self) -> float:
        """Seconds to wait for another process's transaction."""
        return self._patience

    @property
    def in_memory(self) -> bool:
        """Whether the database dies with this process."""
        return self._in_memory

    @property
    def is_closed(self) -> bool:
        """Whether it takes nothing more."""
        return self._closed

    @property
    def entries_committed(self) -> int:
        """How many entries the log had when this process last wrote, without asking the database; 0 if not known."""
        return self._memory.entries

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run a unit of work and commit it whole, or keep nothing of it.

        Units of several threads share a commit. `work` may be called again, so it must do nothing that its transaction
        does not take back: no call of a tool, no message, no key drawn. Whatever it raises is raised here, and nothing
        was kept of it.

        Raises:
            StoreUnavailableError: Locked, read-only, full, unreachable, overloaded or closed: nothing was stored.
        """
        self._enter()
        return self._committer.run(work)

    def submit(self, work: Callable[[Transaction], Any]) -> Submitted:
        """Hand in a unit of work from an event loop, and return what it will come to in a future.

        A unit that nobody has begun can be withdrawn; then nothing of it is stored. One that is being committed cannot,
        and its future resolves all the same.

        Raises:
            StoreUnavailableError: Overloaded or closed.
        """
        self._enter()
        return self._committer.submit(work)

    async def atransact(self, work: Callable[[Transaction], T]) -> T:
        """Run a unit of work as `transact` does, without holding up the event loop.

        When the awaiting task is cancelled the unit is withdrawn if nobody has begun it, and is committed whole if
        somebody has; `submit` tells which.
        """
        value: T = await _outcome(self.submit(work))
        return value

    def read(self, query: Callable[[Reading], T]) -> T:
        """Run a query on one consistent view; what it returns must not need the view any more.

        Raises:
            StoreUnavailableError: The database cannot be read.
        """
        self._enter()
        if self._closed:
            raise closed(self.url)
        self._inside.transaction = True
        try:
            return self._readers.run(query)
        finally:
            self._inside.transaction = False

    def look(self, query: Callable[[Reading], T], keys: Sequence[ActionKey] = ()) -> T:
        """Run a short query as `read` does, beside the units of work where a server is asked for all of them at once.

        Args:
            query: What to run.
            keys: Of actions that it will ask for, so that a server is asked once for those of many queries.
        """
        self._enter()
        if self._dialect.has_server:
            return self._committer.run(query, keys)
        with self._looking:
            return self.read(query)

    async def alook(self, query: Callable[[Reading], T], keys: Sequence[ActionKey] = ()) -> T:
        """Run a short query as `look` does, without holding up the event loop."""
        if not self._dialect.has_server:  # a lookup in a local file costs less than handing it to a thread
            return self.read(query)
        self._enter()
        value: T = await _outcome(self._committer.submit(query, keys))
        return value

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
                f"would begin empty; restore the keys file from its backup, or name it in `AGENTGUARD_KEYS`"
            )

    def scrub(self) -> bool:
        """Let nothing that was deleted lie about in files; False where a reader, or the server, keeps it for a while.

        Raises:
            StoreUnavailableError: The database cannot be reached.
        """
        self._enter()
        try:
            with self._committing:
                return self._dialect.scrub(self._engine)
        except self._dialect.errors as error:
            raise self._dialect.translate(error, self.url, self._patience) from error

    def close(self) -> None:
        """Take nothing more, let what was handed in be committed, and close every connection."""
        self._closed = True
        self._committer.close()
        # A database in memory has one connection: to close it under a query that is reading would end the process.
        with self._turns.taken() if self._in_memory else nullcontext():
            self._connections.close()
        self._turns.close()

    def _commit(self, units: Sequence[Unit]) -> None:
        self._inside.transaction = True
        try:
            with self._committing:
                self._writer.commit(units)
        finally:
            self._inside.transaction = False

    def _find_out(self, units: Sequence[Unit]) -> None:
        with self._committing:
            self._writer.find_out(units)

    def hold_still(self) -> bool:
        """Wait until no commit is under way, and let none begin; False if that takes too long. For forks alone."""
        return self._committing.acquire(timeout=self._patience)

    def go_on(self) -> None:
        """Let commits begin again after `hold_still`."""
        self._committing.release()

    def begin_anew(self) -> None:
        """Be as newly opened, in a forked child: what the parent was about to commit is the parent's."""
        # A connection of the parent must not be used, and not be closed either.
        self._connections.abandon()
        self._turns.close()
        if not self._closed:
            self._begin()

    def _enter(self) -> None:
        if getattr(self._inside, "transaction", False):
            raise UsageError(
                "expected one transaction at a time in a thread, got one inside another; use the one you have"
            )


async def _outcome(submitted: Submitted) -> Any:
    try:
        return await submitted.future
    except asyncio.CancelledError:
        submitted.withdraw()
        raise
