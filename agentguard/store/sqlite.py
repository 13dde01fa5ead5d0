"""Everything that is SQLite's alone: pragmas, how a transaction begins, triggers, and what its errors mean."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.pool import StaticPool

from agentguard.errors import StoreError, StoreSchemaError, StoreUnavailableError, TamperedError
from agentguard.store.dialect import Driver

# Text that a trigger raises, so that its refusal can be told from any other.
REFUSAL = "agentguard"

WRITES = "agentguard_writes"

OLDEST = (3, 37, 0)

_NEVER_CHANGED = (
    "agentguard_entry",
    "agentguard_posting",
    "agentguard_reversal",
    "agentguard_action_value",
    "agentguard_policy_text",
    "agentguard_bundle",
    "agentguard_activation",
    "agentguard_vote",
    "agentguard_sealed",
    "agentguard_result",
)
# What a person's right to be forgotten may take away; an entry keeps its digest.
_MAY_BE_DELETED = frozenset({"agentguard_sealed", "agentguard_result"})

# What must be true of a new row. It is asked before `OR REPLACE` deletes anything, and refuses that as well.
_NEW_ROW_MUST = {
    "agentguard_entry": (
        "NEW.pos = (SELECT coalesce(max(pos), 0) + 1 FROM agentguard_entry)"
        " AND NEW.seq = (SELECT coalesce(max(seq), 0) + 1 FROM agentguard_entry WHERE stream = NEW.stream)"
    ),
    "agentguard_posting": (
        "NEW.n = (SELECT coalesce(max(n), 0) + 1 FROM agentguard_posting WHERE account = NEW.account)"
        " AND NEW.cum = NEW.amount + (SELECT coalesce(max(cum), 0) FROM agentguard_posting"
        " WHERE account = NEW.account AND n = NEW.n - 1)"
        " AND NEW.ts_us >= (SELECT coalesce(max(ts_us), 0) FROM agentguard_posting WHERE account = NEW.account)"
    ),
    "agentguard_action_value": (
        "NOT EXISTS (SELECT 1 FROM agentguard_action_value WHERE action_id = NEW.action_id AND name = NEW.name)"
    ),
    "agentguard_policy_text": (
        "NOT EXISTS (SELECT 1 FROM agentguard_policy_text WHERE digest = NEW.digest"
        " OR (name = NEW.name AND version = NEW.version))"
    ),
    "agentguard_bundle": "NOT EXISTS (SELECT 1 FROM agentguard_bundle WHERE digest = NEW.digest)",
    "agentguard_activation": "NEW.n = (SELECT coalesce(max(n), 0) + 1 FROM agentguard_activation)",
    "agentguard_vote": (
        "NOT EXISTS (SELECT 1 FROM agentguard_vote WHERE escalation = NEW.escalation AND voter = NEW.voter)"
    ),
    "agentguard_sealed": "NOT EXISTS (SELECT 1 FROM agentguard_sealed WHERE digest = NEW.digest)",
    "agentguard_result": "NOT EXISTS (SELECT 1 FROM agentguard_result WHERE action_id = NEW.action_id)",
    "agentguard_log": "NOT EXISTS (SELECT 1 FROM agentguard_log)",
}


class Sqlite:
    """SQLite as a dialect of the store."""

    name = "sqlite"
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
        connect_args = {"timeout": patience, "check_same_thread": False, "isolation_level": None}
        if in_memory(url):
            engine = create_engine(url, connect_args=connect_args, poolclass=StaticPool)
        else:
            engine = create_engine(url, connect_args=connect_args, pool_size=8, max_overflow=56, pool_timeout=patience)
        event.listen(engine, "connect", _prepare_connection)
        event.listen(engine, "begin", _begin)
        return engine

    def is_in_memory(self, url: URL) -> bool:
        """Return whether the database lives in this process's memory alone."""
        return in_memory(url)

    def begin(self, driver: Driver, *, writes: bool) -> None:
        """Begin a transaction; a writer is alone from here on."""
        # A deferred transaction that turns into a writer fails at once when somebody else wrote meanwhile; taking the
        # write lock first waits its turn instead.
        driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    def pipeline(self, driver: Driver) -> AbstractContextManager[Any]:
        """Return a block that changes nothing: there is no server to wait for."""
        return nullcontext(driver)

    def stream(self, driver: Driver, text: str, parameters: Any) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query; the driver fetches them one by one."""
        yield from driver.execute(text, parameters)

    def among(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        """Return the condition that a column is one of a JSON list's values."""
        return column.in_(select(func.json_each(bindparam(name)).table_valued("value").c.value))

    def packed(self, values: Sequence[Any]) -> Any:
        """Return values as a JSON list."""
        return json.dumps(list(values))

    def triggers(self) -> Iterator[str]:
        """Yield the statements that make the append-only tables refuse changes."""
        for table in _NEVER_CHANGED:
            yield _trigger(f"{table}_no_update", f"BEFORE UPDATE ON {table}", f"{table} is append-only")
            if table not in _MAY_BE_DELETED:
                yield _trigger(f"{table}_no_delete", f"BEFORE DELETE ON {table}", f"{table} is append-only")
        for table, condition in _NEW_ROW_MUST.items():
            yield _trigger(
                f"{table}_in_order",
                f"BEFORE INSERT ON {table} WHEN NOT coalesce({condition}, 0)",
                f"{table} takes only the next row, and no row twice",
            )
        yield _trigger("agentguard_log_stays", "BEFORE DELETE ON agentguard_log", "the head of the log stays")
        yield _trigger(
            "agentguard_log_grows",
            "BEFORE UPDATE ON agentguard_log WHEN NEW.size < OLD.size OR NEW.last_us < OLD.last_us OR NEW.log <> OLD.log"
            " OR NEW.vault <> OLD.vault",
            "the head of the log only grows",
        )

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

    def is_transient(self, error: Exception) -> bool:
        """Return False: whoever holds the write lock is alone."""
        return False


def _trigger(name: str, when: str, words: str) -> str:
    return f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{REFUSAL}: {words}'); END"


def _require_version() -> None:
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreUnavailableError(
            f"expected SQLite {'.'.join(map(str, OLDEST))} or newer, got {sqlite3.sqlite_version}; use a newer Python"
        )


def in_memory(url: URL) -> bool:
    """Return whether the database lives in this process's memory alone."""
    return url.database in {None, "", ":memory:"} or url.query.get("mode") == "memory"


def database_path(url: str) -> str | None:
    """Return the file of a database's address, or None if it is in memory."""
    address = make_url(url)
    return None if in_memory(address) else str(address.database).removeprefix("file:")


def _prepare_connection(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in ("synchronous = FULL", "recursive_triggers = ON", "foreign_keys = ON", "trusted_schema = OFF"):
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
