"""The database that the workers share: a SQLite file, or a PostgreSQL server that dies, comes back and is succeeded."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from agentguard.testing.postgres_server import PostgresServer


class Database(Protocol):
    """What chaos does to a database.

    Attributes:
        address: Where workers find it.
        kills: How often its server was killed and started again.
        promotions: How often a standby took over from a primary that was killed.
    """

    address: str
    kills: int
    promotions: int

    @property
    def has_standby(self) -> bool:
        """Whether it can be succeeded."""

    def kill(self) -> None:
        """Kill it and start it again."""

    def succeed(self) -> None:
        """Kill it and let its synchronous standby take over; then give that one a standby."""

    def stop(self) -> None:
        """End it."""


class SqliteFile:
    """A file, which dies with nobody."""

    kills = promotions = 0
    has_standby = False

    def __init__(self, folder: Path) -> None:
        self.address = f"sqlite:///{folder / 'torture.db'}"

    def kill(self) -> None:
        """Do nothing: there is no server."""

    succeed = stop = kill


class PostgresPair:
    """A server and, where it is to be succeeded, its synchronous standby."""

    def __init__(self, *, pair: bool) -> None:
        self._primary = PostgresServer.start()
        self._standby = self._primary.standby() if pair else None
        self.kills = self.promotions = 0

    @property
    def address(self) -> str:
        """Where the primary is."""
        return self._primary.url

    @property
    def has_standby(self) -> bool:
        """Whether it can be succeeded."""
        return self._standby is not None

    def kill(self) -> None:
        """Kill the primary and start it again."""
        self._primary.kill()
        self._primary.restart()
        self.kills += 1

    def succeed(self) -> None:
        """Kill the primary for good and promote its standby, which gets one of its own."""
        if self._standby is None:
            return
        self._primary.kill()
        self._primary.stop()
        self._standby.promote()
        self._primary, self._standby = self._standby, self._standby.standby()
        self.promotions += 1

    def stop(self) -> None:
        """End both."""
        for server in (self._standby, self._primary):
            if server is not None:
                server.stop()
