"""Making the tables of this version out of those of an older one, in one transaction, with an entry that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, update
from sqlalchemy.exc import SQLAlchemyError

from agentguard.errors import StoreSchemaError
from agentguard.store import sqlite, tables
from agentguard.store.address import dialect_of, read_address
from agentguard.store.batch import Batch
from agentguard.store.channel import Channel
from agentguard.store.dialect import Dialect
from agentguard.store.head import read_head
from agentguard.store.ledger_clock import LedgerClock, checked
from agentguard.store.memory import Memory
from agentguard.store.migrations import Step, steps
from agentguard.store.moment import Clock
from agentguard.store.schema import version_in
from agentguard.store.statement import compiling

_log = tables.LogRow.__table__


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Which schema a database had and has; the same if there was nothing to do."""

    before: int
    after: int


def upgrade(
    url: str,
    *,
    by: str,
    clock: Clock | LedgerClock | None = None,
    patience: float = 10.0,
    known: Mapping[int, Step] | None = None,
) -> Upgrade:
    """Bring a database to this version; nobody else should use it meanwhile, and there should be a backup.

    Args:
        url: Its address.
        by: Who does it, for the record.
        clock: What time it is; the database's own clock if None.
        patience: Seconds to wait for others.
        known: What makes each version out of the one before; this version's own steps when left out.

    Raises:
        StoreSchemaError: There are no tables of ours, or a newer version made them.
        StoreUnavailableError: It cannot be reached or changed; nothing was.
    """
    address = read_address(url)
    dialect = dialect_of(address)
    engine = dialect.make_engine(address, patience)
    raised: tuple[type[Exception], ...] = (SQLAlchemyError, *dialect.errors)
    try:
        with engine.connect().execution_options(**{sqlite.WRITES: True}) as connection:
            before = version_in(connection, lock=True)
            if before is None or before > tables.SCHEMA_VERSION:
                made = "none of ours" if before is None else f"those of schema {before}, which is newer"
                raise StoreSchemaError(f"expected tables of schema {tables.SCHEMA_VERSION} or older, got {made}")
            if before < tables.SCHEMA_VERSION:
                _take_steps(connection, dialect, before, steps(tables.SCHEMA_VERSION) if known is None else known)
                _record(connection, dialect, checked(clock), Upgrade(before, tables.SCHEMA_VERSION), by)
                connection.commit()
    except raised as error:
        raise dialect.translate(error, address.render_as_string(hide_password=True), patience) from error
    finally:
        engine.dispose()
    return Upgrade(before, tables.SCHEMA_VERSION)


def _take_steps(connection: Connection, dialect: Dialect, before: int, known: Mapping[int, Step]) -> None:
    from alembic.migration import MigrationContext  # noqa: PLC0415 -- slow to load, and seldom needed
    from alembic.operations import Operations  # noqa: PLC0415

    dialect.drop_triggers(connection)
    operations = Operations(MigrationContext.configure(connection))
    for number in range(before + 1, tables.SCHEMA_VERSION + 1):
        known[number](operations)
    connection.execute(update(_log).values(schema_version=tables.SCHEMA_VERSION))
    for statement in dialect.triggers():
        connection.exec_driver_sql(statement)


def _record(connection: Connection, dialect: Dialect, clock: LedgerClock, done: Upgrade, by: str) -> None:
    channel = Channel(connection.connection, dialect, compiling(connection.dialect))
    batch = Batch(channel, read_head(channel), Memory(), clock)
    body = {"tenant": "default", "kind": "schema_upgraded", "by": by, "from": done.before, "to": done.after}
    batch.run(lambda transaction: transaction.append(body))
    batch.write()


def version_at(url: str, patience: float = 10.0) -> int | None:
    """Return which schema a database has, whoever made it, or None where there are no tables of ours; makes nothing.

    Raises:
        StoreUnavailableError: It cannot be reached.
    """
    address = read_address(url)
    dialect = dialect_of(address)
    engine = dialect.make_engine(address, patience)
    try:
        with engine.connect() as connection:
            return version_in(connection)
    except SQLAlchemyError as error:
        raise dialect.translate(error, address.render_as_string(hide_password=True), patience) from error
    finally:
        engine.dispose()
