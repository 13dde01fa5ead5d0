"""Everything that is PostgreSQL's alone: its connections, how a transaction begins, triggers, and what its errors mean.

Writers lock the one row of the log's head first and are serial from there on, so READ COMMITTED is enough and nothing
rests on advisory locks, sequences, savepoints or triggers.
"""

from __future__ import annotations

import itertools
import math
import select
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from types import ModuleType
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from agentguard.errors import AgentGuardError, StoreSchemaError, StoreUnavailableError, UsageError
from agentguard.store import postgresql_errors
from agentguard.store.append_only import (
    CHANGED_ROW_MUST,
    DELETED_ROW_MUST,
    HEAD_GROWS,
    HEAD_SHRINKS,
    HEAD_STAYS,
    MAY_BE_DELETED,
    NEVER_CHANGED,
    NEW_ROW_MUST,
    is_append_only,
    takes_next_row_only,
)
from agentguard.store.dialect import Cursor, Driver
from agentguard.store.turn import NoTurns, Turns

_DRIVER = "postgresql+psycopg"
_MOST_CONNECTIONS = 16
_PAGE = 500
_cursors = itertools.count()
# A statement may take longer than the wait for a lock: a check of the whole log sorts it first.
_STATEMENT_PATIENCES = 6

# Whoever stops in the middle of a transaction would keep everybody else from writing. And a commit is durable, here and
# on a synchronous standby, whatever the server's default is.
_SETTINGS = (
    "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false),"
    " set_config('idle_in_transaction_session_timeout', %s, false),"
    " set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),"
    " set_config('tcp_keepalives_count', '3', false),"
    " set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'"
    " ELSE current_setting('synchronous_commit') END, false)"
)

# A server that crashed shows again what it had on its disk, though nobody has waited until its synchronous standby has
# it too; if that one takes over, it is gone. A commit waits for everything before it. The time to wait ends such a
# wait with a warning, and is the longer one afterwards.
_CATCH_UP = """
DO $catch_up$ BEGIN
    IF NOT pg_is_in_recovery() AND coalesce(current_setting('synchronous_standby_names', true), '') <> '' THEN
        PERFORM pg_logical_emit_message(true, 'agentguard', '');
        COMMIT;
    END IF;
    PERFORM set_config('statement_timeout', '{patience}', false);
END $catch_up$
"""

_BEGIN = {
    True: "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE",
    False: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
}

_TRIGGERS = (
    "SELECT tgname, tgrelid::regclass::text FROM pg_trigger JOIN pg_class ON tgrelid = pg_class.oid"
    " WHERE NOT tgisinternal AND starts_with(tgname, 'agentguard') AND relnamespace = current_schema()::regnamespace"
)


class Postgresql:
    """PostgreSQL, or what speaks its protocol, as a dialect of the store."""

    name = "postgresql"
    has_server = True

    @cached_property
    def errors(self) -> tuple[type[Exception], ...]:
        """What psycopg raises."""
        return (_psycopg().Error,)

    def make_engine(self, url: URL, patience: float) -> Engine:
        """Return an engine whose connections are durable and wait a bounded time.

        Args:
            url: `postgresql://user:password@host/database`, with libpq's own settings after a `?`.
            patience: Seconds to wait for a connection, and for another process's transaction.

        Raises:
            UsageError: psycopg is not installed, or another driver is asked for.
        """
        if url.drivername not in {"postgres", "postgresql", _DRIVER}:
            raise UsageError(f"expected an address that begins with `postgresql://`, got `{url.drivername}://`")
        _psycopg()
        given = {
            "client_encoding": "utf8",
            "connect_timeout": max(2, math.ceil(patience)),
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": max(1000, round(patience * 1000)),
        }
        engine = create_engine(
            url.set(drivername=_DRIVER),
            connect_args={name: value for name, value in given.items() if name not in url.query},
            pool_size=_MOST_CONNECTIONS // 2,
            max_overflow=_MOST_CONNECTIONS // 2,
            pool_timeout=patience,
            hide_parameters=True,
        )
        event.listen(engine, "connect", _Preparation(patience, url.render_as_string(hide_password=True)))
        return engine

    def is_in_memory(self, url: URL) -> bool:  # noqa: ARG002 -- the other engine looks at it
        """Return False: a server keeps its data."""
        return False

    def begin(self, driver: Driver, text: str, *, writes: bool) -> Cursor:
        """Begin a transaction with its first query, in one message."""
        # Not as a pipeline: what psycopg sends after that stops the server's clock for those who stand still.
        if not driver.autocommit:
            driver.autocommit = True
        cursor = driver.execute(f"{_BEGIN[writes]}; {text}", prepare=False)
        cursor.nextset()
        return cursor

    def is_living(self, driver: Driver) -> bool:
        """Return whether the server has not said farewell."""
        # Nobody asked this connection anything, so if there is something to read, it is the server's farewell.
        return not driver.closed and not _has_something_to_read(driver.fileno())

    def turns(self, url: URL, patience: float) -> Turns:  # noqa: ARG002 -- the other engine looks at it
        """Return none: the server lets those who wait for the head of the log go on in order."""
        return NoTurns()

    def pipeline(self, driver: Driver) -> AbstractContextManager[Any]:
        """Return a block in which statements are sent without waiting for the one before."""
        return cast(AbstractContextManager[Any], driver.pipeline())

    def stream(self, driver: Driver, text: str, parameters: Any) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query, a page of them at a time."""
        with driver.cursor(name=f"agentguard_rows_{next(_cursors)}") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(text, parameters)
            yield from cursor

    def triggers(self) -> Iterator[str]:
        """Yield the statements that make the append-only tables refuse changes, whatever a session's role is."""
        yield _REFUSE
        for table in NEVER_CHANGED:
            yield from _no_update(table)
            yield from _refusal(f"{table}_no_truncate", f"BEFORE TRUNCATE ON {table}", is_append_only(table))
            if table not in MAY_BE_DELETED:
                yield from _no_delete(table)
        for table, condition in NEW_ROW_MUST.items():
            yield from _in_order(table, condition)
        yield from _refusal("agentguard_log_stays", "BEFORE DELETE ON agentguard_log FOR EACH ROW", HEAD_STAYS)
        yield from _refusal("agentguard_log_no_truncate", "BEFORE TRUNCATE ON agentguard_log", HEAD_STAYS)
        yield from _refusal(
            "agentguard_log_grows", f"BEFORE UPDATE ON agentguard_log FOR EACH ROW WHEN ({HEAD_SHRINKS})", HEAD_GROWS
        )

    def drop_triggers(self, connection: Connection) -> None:
        """Drop these triggers, in a transaction that makes them anew."""
        for name, table in connection.exec_driver_sql(_TRIGGERS).all():
            connection.exec_driver_sql(f'DROP TRIGGER "{name}" ON {table}')

    def new_log_name(self, connection: Connection) -> str:
        """Return a random name for a new log, drawn by the database."""
        return str(connection.exec_driver_sql("SELECT replace(gen_random_uuid()::text, '-', '')").scalar_one())

    def translate(self, error: Exception, database: str, patience: float) -> AgentGuardError:
        """Return what a database error means to somebody who can do something about it."""
        return postgresql_errors.meaning(error, database, patience)

    def is_made_elsewhere(self, error: Exception) -> bool:
        """Return whether another process made the tables at the same moment, and was first."""
        return _state(error) in {"23505", "42P07", "42710", "42723"}

    def scrub(self, engine: Engine) -> bool:  # noqa: ARG002 -- the other engine has a file
        """Return False: old versions of rows go when the server's `VACUUM` comes by, and from its log with its age."""
        return False

    def is_transient(self, error: Exception) -> bool:
        """Return whether the same transaction may be run again: a serialization failure, a deadlock."""
        return _state(error) in {"40001", "40P01"}


class _Preparation:
    """Makes a new connection durable and its waits bounded, and sees that what it shows is safe."""

    def __init__(self, patience: float, name: str) -> None:
        milliseconds = max(1, round(patience * 1000))
        self._settings = (f"{milliseconds}ms",) * 3
        self._catch_up = _CATCH_UP.format(patience=f"{milliseconds * _STATEMENT_PATIENCES}ms")
        self._name = name

    def __call__(self, driver: Driver, _record: Any) -> None:
        encoding = driver.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreSchemaError(
                f"expected a database that keeps Unicode (`UTF8`), got one of `{encoding}`; create it with "
                f"`createdb --encoding=UTF8 --template=template0`"
            )
        driver.autocommit = True
        driver.execute(_SETTINGS, self._settings)
        warnings: list[Any] = []
        driver.add_notice_handler(warnings.append)
        driver.execute(self._catch_up)
        driver.remove_notice_handler(warnings.append)
        driver.autocommit = False
        if warnings:
            raise StoreUnavailableError(
                f"the server of the database `{self._name}` has what its synchronous standby has not; nothing was "
                f"stored; start the standby, or take it out of `synchronous_standby_names`"
            )


def _has_something_to_read(descriptor: int) -> bool:
    if hasattr(select, "poll"):  # `select` itself takes no descriptor past 1023
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        return bool(waiting.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])


def _state(error: Exception) -> str | None:
    return getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)


def _psycopg() -> ModuleType:
    try:
        import psycopg  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise UsageError(
            f"expected psycopg for a database on PostgreSQL, got none that works ({str(error).splitlines()[0]}); "
            f"run `pip install 'agentguard[postgres]'`"
        ) from error
    return psycopg


# A database's owner may put another table of the same name before ours on the search path, a temporary one for example,
# so each function is bound to the schema that it was made in.
def _function(name: str, body: str) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN {body} END $body$;"
        f" DO $bind$ BEGIN EXECUTE 'ALTER FUNCTION {name}() SET search_path = '"
        f" || quote_ident(current_schema()) || ', pg_temp'; END $bind$"
    )


_REFUSE = _function("agentguard_refuse", "RAISE EXCEPTION USING MESSAGE = TG_ARGV[0];")


def _refusal(name: str, when: str, words: str) -> Iterator[str]:
    yield from _trigger(name, when, f"agentguard_refuse('{words}')")


def _no_update(table: str) -> Iterator[str]:
    name, when = f"{table}_no_update", f"BEFORE UPDATE ON {table} FOR EACH ROW"
    if table in CHANGED_ROW_MUST:
        yield from _only_if(name, when, CHANGED_ROW_MUST[table], is_append_only(table))
    else:
        yield from _refusal(name, when, is_append_only(table))


def _no_delete(table: str) -> Iterator[str]:
    name, when = f"{table}_no_delete", f"BEFORE DELETE ON {table} FOR EACH ROW"
    if table in DELETED_ROW_MUST:
        yield from _only_if(name, when, DELETED_ROW_MUST[table], is_append_only(table), then="OLD")
    else:
        yield from _refusal(name, when, is_append_only(table))


def _in_order(table: str, condition: str) -> Iterator[str]:
    yield from _only_if(
        f"{table}_in_order", f"BEFORE INSERT ON {table} FOR EACH ROW", condition, takes_next_row_only(table)
    )


def _only_if(name: str, when: str, condition: str, words: str, then: str = "NEW") -> Iterator[str]:
    refusal = f"RAISE EXCEPTION USING MESSAGE = '{words}'"
    yield _function(name, f"IF NOT coalesce({condition}, false) THEN {refusal}; END IF; RETURN {then};")
    yield from _trigger(name, when, f"{name}()")


def _trigger(name: str, when: str, call: str) -> Iterator[str]:
    yield f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {call}"
    table = when.split(" ON ")[1].split(" ", maxsplit=1)[0]
    yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
