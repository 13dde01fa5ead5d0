"""Everything that is SQLite's alone: pragmas, how a transaction begins, triggers, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.pool import StaticPool

from agentguard.errors import StoreError, StoreSchemaError, StoreUnavailableError, TamperedError
from agentguard.store.append_only import (
    CHANGED_ROW_MUST,
    DELETED_ROW_MUST,
    HEAD_GROWS,
    HEAD_SHRINKS,
    HEAD_STAYS,
    MAY_BE_DELETED,
    NEVER_CHANGED,
    NEW_ROW_MUST,
    REFUSAL,
    is_append_only,
    takes_next_row_only,
)
from agentguard.store.database_files import FileConnection
from agentguard.store.dialect import Cursor, Driver
from agentguard.store.turn import LockFile, NoTurns, OneConnection, Turns

WRITES = "agentguard_writes"

OLDEST = (3, 37, 0)

# What is erased or purged is overwritten with zeros; nothing else deletes anything.
# The write-ahead log is carried over when it has about as many pages as one part of its index holds: files are synced
# three times then, and a caller waits for it; with the 1,000 that SQLite has by itself that comes four times as often.
_PRAGMAS = (
    "synchronous = FULL",
    "wal_autocheckpoint = 4000",
    "recursive_triggers = ON",
    "foreign_keys = ON",
    "trusted_schema = OFF",
    "secure_delete = ON",
)


class Sqlite:
    """SQLite as a dialect of the store."""

    name = "sqlite"
    has_server = False
    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def make_engine(self, url: URL, patience: float) -> Engine:
        """Return an engine whose connections are durable, wait a bounded time and refuse to push rows out.

        Args:
            url: `sqlite://` for memory, `sqlite:///file.db`, or `sqlite:///file:file.db?mode=ro&uri=true` for reading.
            patience: Seconds to wait for another process's transaction.

        Raises:
            StoreUnavailableError: The library that Python was built with is older than 3.37 (November 2021), and does
                not have typed tables.
        """
        _require_version()
        connect_args = {
            "timeout": patience,
            "check_same_thread": False,
            "isolation_level": None,
            "factory": FileConnection,
        }
        if in_memory(url):
            engine = create_engine(url, connect_args=connect_args, poolclass=StaticPool)
        else:
            # Connections are made when they are needed, and the process may be in another folder by then.
            whole = _from_root(url)
            engine = create_engine(
                whole, connect_args=connect_args, pool_size=8, max_overflow=56, pool_timeout=patience
            )
        event.listen(engine, "connect", _prepare_connection)
        event.listen(engine, "begin", _begin)
        return engine

    def is_in_memory(self, url: URL) -> bool:
        """Return whether the database lives in this process's memory alone."""
        return in_memory(url)

    def begin(self, driver: Driver, text: str, *, writes: bool) -> Cursor:
        """Begin a transaction with its first query; a writer is alone from here on."""
        # A deferred transaction that turns into a writer fails at once when somebody else wrote meanwhile; taking the
        # write lock first waits its turn instead.
        driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        if writes:
            driver.require_same_files()
        return driver.execute(text)

    def is_living(self, driver: Driver) -> bool:  # noqa: ARG002 -- the other engine looks at it
        """Return True: there is no server that could be gone."""
        return True

    def turns(self, url: URL, patience: float) -> Turns:
        """Return turns at the one connection of a database in memory, or at the lock file beside the database."""
        if in_memory(url):
            return OneConnection(url.render_as_string(), patience)
        if url.query.get("mode") == "ro":
            return NoTurns()
        return LockFile(f"{str(url.database).removeprefix('file:')}.lock", patience)

    def pipeline(self, driver: Driver) -> AbstractContextManager[Any]:
        """Return a block that changes nothing: there is no server to wait for."""
        return nullcontext(driver)

    def stream(self, driver: Driver, text: str, parameters: Any) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query; the driver fetches them one by one."""
        yield from driver.execute(text, parameters)

    def triggers(self) -> Iterator[str]:
        """Yield the statements that make the append-only tables refuse changes."""
        for table in NEVER_CHANGED:
            allowed = CHANGED_ROW_MUST.get(table)
            when = f"BEFORE UPDATE ON {table}" + (f" WHEN NOT coalesce({allowed}, 0)" if allowed else "")
            yield _trigger(f"{table}_no_update", when, is_append_only(table))
            if table not in MAY_BE_DELETED:
                allowed = DELETED_ROW_MUST.get(table)
                when = f"BEFORE DELETE ON {table}" + (f" WHEN NOT coalesce({allowed}, 0)" if allowed else "")
                yield _trigger(f"{table}_no_delete", when, is_append_only(table))
        for table, condition in NEW_ROW_MUST.items():
            when = f"BEFORE INSERT ON {table} WHEN NOT coalesce({condition}, 0)"
            yield _trigger(f"{table}_in_order", when, takes_next_row_only(table))
        yield _trigger("agentguard_log_stays", "BEFORE DELETE ON agentguard_log", HEAD_STAYS)
        yield _trigger("agentguard_log_grows", f"BEFORE UPDATE ON agentguard_log WHEN {HEAD_SHRINKS}", HEAD_GROWS)

    def drop_triggers(self, connection: Connection) -> None:
        """Drop these triggers, in a transaction that makes them anew."""
        named = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'agentguard%'"
        for name in connection.exec_driver_sql(named).scalars().all():
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')

    def new_log_name(self, connection: Connection) -> str:
        """Return a random name for a new log, drawn by the database."""
        return str(connection.exec_driver_sql("SELECT lower(hex(randomblob(16)))").scalar_one())

    def translate(self, error: Exception, database: str, patience: float) -> StoreError:
        """Return what a database error means to somebody who can do something about it."""
        original = error.orig if isinstance(error, DBAPIError) else error
        name = getattr(original, "sqlite_errorname", "") or ""
        words = str(original if original is not None else error).splitlines()[0]
        if REFUSAL + ":" in words:
            return TamperedError(f"the database refused a change of what is append-only ({words}); nothing was stored")
        for prefix, make, message in _MEANINGS:
            if name.startswith(prefix):
                return make(message.format(database=database, patience=f"{patience:g}"))
        if isinstance(error, DatabaseError | sqlite3.DatabaseError):
            return StoreUnavailableError(f"the database `{database}` could not do it: {words}; nothing was stored")
        return StoreUnavailableError(f"the database `{database}` could not be reached: {words}; nothing was stored")

    def is_made_elsewhere(self, error: Exception) -> bool:
        """Return whether another process made the tables at the same moment, and was first."""
        # While the file changes to write-ahead logging, SQLite refuses at once instead of waiting.
        return "locked" in str(error)

    def scrub(self, engine: Engine) -> bool:
        """Write the write-ahead log into the database, where deleted bytes are zeros, and cut it to nothing."""
        if in_memory(engine.url):
            return True
        driver = engine.raw_connection()
        try:
            busy = driver.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            driver.close()
        return not busy

    def is_transient(self, error: Exception) -> bool:  # noqa: ARG002 -- the other engine looks at it
        """Return False: whoever holds the write lock is alone."""
        return False


def _trigger(name: str, when: str, words: str) -> str:
    return f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{words}'); END"


def _require_version() -> None:
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreUnavailableError(
            f"expected SQLite {'.'.join(map(str, OLDEST))} or newer, got {sqlite3.sqlite_version}; use a newer Python"
        )


def in_memory(url: URL) -> bool:
    """Return whether the database lives in this process's memory alone."""
    return url.database in {None, "", ":memory:"} or url.query.get("mode") == "memory"


def _from_root(url: URL) -> URL:
    is_address = str(url.database).startswith("file:")
    path, folder = str(url.database).removeprefix("file:"), str(Path.cwd())
    if Path(path).is_absolute():
        return url
    return url.set(database=f"file:{quote(folder)}/{path}" if is_address else f"{folder}/{path}")


def _prepare_connection(connection: FileConnection, _record: Any) -> None:
    connection.know_files()
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # A copy that is only read needs no write-ahead log, and refuses writes by itself.
            if not error.sqlite_errorname.startswith("SQLITE_READONLY"):
                raise


def _begin(connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails at once when somebody else wrote meanwhile; taking the
    # write lock first waits its turn instead.
    immediate = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


_MEANINGS: tuple[tuple[str, type[StoreError], str], ...] = (
    (
        "SQLITE_BUSY",
        StoreUnavailableError,
        (
            "the database `{database}` was locked by another process for more than {patience} s; nothing was "
            "stored; end the other transaction and try again"
        ),
    ),
    ("SQLITE_LOCKED", StoreUnavailableError, "the database `{database}` is locked; nothing was stored; try again"),
    (
        "SQLITE_READONLY",
        StoreUnavailableError,
        "the database `{database}` is read-only; nothing was stored; let this user write the file and its folder",
    ),
    (
        "SQLITE_CANTOPEN",
        StoreUnavailableError,
        "the database `{database}` cannot be opened; make its folder, and let this user write there",
    ),
    (
        "SQLITE_FULL",
        StoreUnavailableError,
        "the disk under the database `{database}` is full; nothing was stored; free some space and try again",
    ),
    (
        "SQLITE_IOERR",
        StoreUnavailableError,
        "the disk under the database `{database}` failed; nothing was stored; look at the disk and its free space",
    ),
    (
        "SQLITE_NOTADB",
        StoreSchemaError,
        "expected a SQLite database in `{database}`, got another kind of file; name another file",
    ),
    (
        "SQLITE_CORRUPT",
        TamperedError,
        "the database `{database}` is damaged; nothing was stored; keep a copy of it and restore a backup",
    ),
    (
        "SQLITE_CONSTRAINT",
        TamperedError,
        (
            "the database `{database}` refused what would contradict itself; nothing was stored; run "
            "`agentguard audit verify`"
        ),
    ),
)
