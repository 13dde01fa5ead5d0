"""What `agentguard witness serve` keeps: the newest checkpoint of each log, in a small SQLite file of its own.

A checkpoint is looked at and replaced in one transaction under the file's write lock, so that of two requests the
slower one never puts an older checkpoint back, in however many threads and processes.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from agentguard.errors import StoreSchemaError, StoreUnavailableError

_PATIENCE = 10.0
_VERSION = 1
_TABLE = (
    "CREATE TABLE checkpoint "
    "(origin TEXT PRIMARY KEY, log TEXT NOT NULL, restores INTEGER NOT NULL, note TEXT NOT NULL)"
)
_BY_LOG = "CREATE INDEX checkpoint_log ON checkpoint (log, restores)"


class WitnessBook:
    """The checkpoints of a witness.

    Args:
        path: The file; it is made if it is not there.

    Raises:
        StoreUnavailableError: It cannot be opened.
        StoreSchemaError: It is another kind of file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._meaning():
            self._connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA synchronous = FULL")
        with self._alone():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in (_TABLE, _BY_LOG, f"PRAGMA user_version = {_VERSION}"):
                    self._connection.execute(statement)
            elif version != _VERSION:
                raise StoreSchemaError(
                    f"expected the checkpoints of a witness in `{path}`, version {_VERSION}, got version {version}"
                )

    def newest(self, origin: str) -> str | None:
        """Return the newest checkpoint of a log."""
        with self._lock, self._meaning():
            row = self._connection.execute("SELECT note FROM checkpoint WHERE origin = ?", (origin,)).fetchone()
        return None if row is None else str(row[0])

    def goes_on_as(self, log: str, restores: int) -> str | None:
        """Return what a log is called since it was restored more often than that; None if it was not."""
        query = "SELECT origin FROM checkpoint WHERE log = ? AND restores > ? ORDER BY restores DESC LIMIT 1"
        with self._lock, self._meaning():
            row = self._connection.execute(query, (log, restores)).fetchone()
        return None if row is None else str(row[0])

    def replace(self, origin: str, log: str, restores: int, taken: Callable[[str | None], str | None]) -> None:
        """Put another checkpoint in the place of the newest one of a log; it is durable when this returns.

        Args:
            origin: What the log is called now.
            log: The same without what was added by restores.
            restores: How many there were.
            taken: From the checkpoint that is there to the one that takes its place, or None to leave it; what it
                raises is raised, and changes nothing.
        """
        with self._alone():
            row = self._connection.execute("SELECT note FROM checkpoint WHERE origin = ?", (origin,)).fetchone()
            note = taken(None if row is None else str(row[0]))
            if note is not None:
                values = (origin, log, restores, note)
                self._connection.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?)", values)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            with self._meaning():
                self._connection.execute("BEGIN IMMEDIATE")
            try:
                with self._meaning():
                    yield
                    self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise

    @contextlib.contextmanager
    def _meaning(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
                raise StoreSchemaError(
                    f"expected the checkpoints of a witness in `{self._path}`, got another kind of file"
                ) from error
            raise StoreUnavailableError(
                f"`{self._path}` could not do it: {error}; look at the file, its folder and who may write it"
            ) from error
