"""The tables of a database: made where there are none, and refused where another version made them."""

from __future__ import annotations

import functools
import time

from sqlalchemy import Connection, Engine, create_mock_engine, inspect, select
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.exc import SQLAlchemyError

from agentguard.errors import StoreSchemaError
from agentguard.store import sqlite, tables
from agentguard.store.dialect import Dialect
from agentguard.store.evidence_tables import metadata
from agentguard.store.ledger_clock import LedgerClock
from agentguard.store.server_time import server_us
from agentguard.store.tables import LogRow

_OPENING_ATTEMPTS = 20

_log = LogRow.__table__


def prepare(engine: Engine, dialect: Dialect, clock: LedgerClock, *, log: str | None, patience: float) -> None:
    """Make the tables if the database has none, or find that this version made them.

    Args:
        engine: The database.
        dialect: What kind of database it is.
        clock: What time it is, for a new log.
        log: The name of a new log; drawn at random when left out.
        patience: Seconds to wait for another process's transaction.

    Raises:
        StoreSchemaError: Another version made the database.
        StoreUnavailableError: It cannot be opened.
    """
    name = engine.url.render_as_string(hide_password=True)
    try:
        version = _made_or_found(engine, dialect, clock, log, patience)
    except SQLAlchemyError as error:
        raise dialect.translate(error, name, patience) from error
    if version != tables.SCHEMA_VERSION:
        advice = (
            "run `agentguard store upgrade`" if version < tables.SCHEMA_VERSION else "use an agentguard as new as it is"
        )
        raise StoreSchemaError(
            f"expected a database of schema {tables.SCHEMA_VERSION} in `{name}`, got schema {version}; {advice}"
        )


def version_in(connection: Connection, *, lock: bool = False) -> int | None:
    """Return the version of the tables in a database, or None where there are none.

    Args:
        connection: To the database.
        lock: Whether no other writer goes on before this transaction has ended.
    """
    if not inspect(connection).has_table(_log.name):
        return None
    asked = select(_log.c.schema_version)
    found = connection.execute(asked.with_for_update() if lock else asked).scalar()
    return None if found is None else int(found)


def _made_or_found(engine: Engine, dialect: Dialect, clock: LedgerClock, log: str | None, patience: float) -> int:
    attempt = 0
    while True:
        try:
            return _attempt(engine, dialect, clock, log)
        except SQLAlchemyError as error:
            attempt += 1
            if not dialect.is_made_elsewhere(error) or attempt == _OPENING_ATTEMPTS:
                raise
            time.sleep(patience / 10 / _OPENING_ATTEMPTS)


def _attempt(engine: Engine, dialect: Dialect, clock: LedgerClock, log: str | None) -> int:
    with engine.connect() as connection:
        version = version_in(connection)
    if version is not None:
        return version
    with engine.connect().execution_options(**{sqlite.WRITES: True}) as connection:
        return version_in(connection) or _create(connection, dialect, clock, log)


def _create(connection: Connection, dialect: Dialect, clock: LedgerClock, log: str | None) -> int:
    for statement in _made_by(type(dialect)):
        connection.exec_driver_sql(statement)
    name = log or dialect.new_log_name(connection)
    tick = clock.tick(connection.execute(select(server_us())).scalar())
    values = {"id": 1, "log": name, "schema_version": tables.SCHEMA_VERSION, "size": 0, "leaf": "", **tick._asdict()}
    connection.execute(_log.insert(), values | {"last_us": tick.wall_us, "created_us": tick.wall_us})
    connection.commit()
    return tables.SCHEMA_VERSION


@functools.cache
def _made_by(kind: type[Dialect]) -> tuple[str, ...]:
    """Return the statements that make the tables and their triggers; a process may open many databases."""
    dialect, statements = kind(), list[str]()
    mock: MockConnection = create_mock_engine(
        f"{dialect.name}://", lambda made, *_, **__: statements.append(str(made.compile(dialect=mock.dialect)))
    )
    metadata.create_all(mock, checkfirst=False)
    return (*statements, *dialect.triggers())
