"""The yardstick: one caller that commits one small row at a time, durably, on the bare driver, and nothing else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from loads import Run, one

PAYLOAD = "x" * 100


class BareSQLite:
    """One row a commit through the standard library's `sqlite3`: WAL, like the store's own files."""

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA synchronous = {synchronous}")
        self._connection.execute("CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, payload TEXT)")

    def commit_one(self) -> None:
        """Commit one row."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("INSERT INTO bare (payload) VALUES (?)", (PAYLOAD,))
        self._connection.execute("COMMIT")

    def run(self, seconds: float) -> Run:
        """Commit rows for so long."""
        return one(self.commit_one, seconds)


class BarePostgreSQL:
    """One row a commit through psycopg on one connection, with the server's own `synchronous_commit`."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, payload text)")

    def commit_one(self) -> None:
        """Commit one row."""
        self._connection.execute("INSERT INTO bare (payload) VALUES (%s)", (PAYLOAD,))

    def run(self, seconds: float) -> Run:
        """Commit rows for so long."""
        return one(self.commit_one, seconds)
