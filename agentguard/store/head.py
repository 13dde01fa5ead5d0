"""The log's head: one row that every writer locks first, and that says which version of the store this is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from agentguard.errors import StoreSchemaError, TamperedError
from agentguard.store import tables
from agentguard.store.channel import Channel, Row
from agentguard.store.ledger_clock import LedgerClock, Moment, Tick
from agentguard.store.memory import Version
from agentguard.store.server_time import server_us
from agentguard.store.statement import Statement
from agentguard.store.tables import LogRow

_log = LogRow.__table__
_tick = (_log.c.wall_us, _log.c.uptime_us, _log.c.boot)
_columns = select(_log.c.schema_version, _log.c.log, _log.c.size, _log.c.leaf, _log.c.last_us, server_us(), *_tick)
_HEAD = Statement(_columns)
_LOCKED_HEAD = Statement(_columns.with_for_update())


@dataclass(slots=True)
class Head:
    """The log's head as a transaction sees it, its own entries included.

    Attributes:
        tick: What the clock said at the last commit.
        server_us: What the database server's clock says now, where it has one.
    """

    log: str
    size: int
    leaf: str
    last_us: int
    tick: Tick
    server_us: int | None = None

    @property
    def version(self) -> Version:
        """Which version of the store this is."""
        return self.size, self.leaf

    def copy(self) -> Head:
        """Return a head that can go on by itself."""
        return Head(self.log, self.size, self.leaf, self.last_us, self.tick, self.server_us)


def begin_with_head(channel: Channel, *, writes: bool) -> Head:
    """Begin a transaction and return the head as it is there; of those that write, one gets past it at a time.

    Raises:
        StoreSchemaError: The database was upgraded since this process opened it.
        TamperedError: There is no head.
    """
    return _head(channel.begin(_LOCKED_HEAD if writes else _HEAD, writes=writes))


def read_head(channel: Channel) -> Head:
    """Return the head in a transaction that somebody else began; raises what `begin_with_head` raises."""
    return _head(channel.row(_HEAD))


def _head(row: Row | None) -> Head:
    if row is None:
        raise TamperedError("expected the head of the log, got none: it was removed; restore a backup")
    schema, log, size, leaf, last_us, server, *tick = row
    if schema != tables.SCHEMA_VERSION:
        raise StoreSchemaError(
            f"expected a database of schema {tables.SCHEMA_VERSION}, got schema {schema}: it was upgraded; nothing was "
            f"stored; start this process anew with the agentguard that upgraded it"
        )
    return Head(log, size, leaf, last_us, Tick(*tick), server)


def moment_of(clock: LedgerClock, head: Head) -> Moment:
    """Return what the ledger's clock says in a transaction with this head."""
    return clock.reckon(head.last_us, head.tick, head.server_us)
