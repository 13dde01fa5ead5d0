"""A shop with a customer whose data is personal in every place that there is, on both engines."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from agentguard.core.people import People, Power, User
from tests.engine.given import shop

USERS = {name: User(name, name.title(), frozenset({name})) for name in ("ada", "kim", "eve")}
WHO = {"by": "ada", "why": "request 4711", "authenticated": "os_login"}


def people(**powers):
    return People(
        USERS,
        {"leads": frozenset({"ada", "kim"}), "finance": frozenset({"ada", "kim"})},
        operators=frozenset({"ada", "kim"}),
        powers={name: Power(frozenset(who), needed) for name, (who, needed) in powers.items()} or None,
    )


@pytest.fixture
def opened(address):
    """Opens shops on both engines."""
    yield from opening(address)


@pytest.fixture
def opened_here():
    """Opens shops in memory, for what no engine has to do with."""
    yield from opening("sqlite://")


def opening(address):
    shops = []

    def open_one(known=None, **more):
        shops.append(shop(address, people=known or people(), **more))
        return shops[-1]

    yield open_one
    for one in shops:
        one.guard.close()


@dataclass(frozen=True)
class Disk:
    """What lies in the database and beside it, as somebody without this program reads it."""

    address: str
    folder: Path

    def has(self, *texts):
        """Return which of some texts stand anywhere."""
        found = self._bytes()
        return {text for text in texts if text.encode() in found or text.encode().hex().encode() in found}

    def _bytes(self):
        files = b"".join(path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file())
        return files + (b"" if self.address.startswith("sqlite") else self._tables())

    def _tables(self):
        url = make_url(self.address).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as connection:
            names = connection.execute(
                "SELECT relname FROM pg_class WHERE relname LIKE 'agentguard%' AND relkind = 'r'"
            )
            rows = [connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names.fetchall()]
        return repr(rows).encode() + b"".join(
            bytes(value) for table in rows for row in table for value in row if isinstance(value, bytes | memoryview)
        )

    def rows(self, table):
        """Return how many rows a table has."""
        if self.address.startswith("sqlite"):
            with sqlite3.connect(make_url(self.address).database) as connection:
                return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        url = make_url(self.address).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as connection:
            return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.fixture
def disk(address, tmp_path):
    return Disk(address, tmp_path)


@pytest.fixture
def disk_of(tmp_path):
    return lambda address: Disk(address, tmp_path)
