"""The vault's file: a small SQLite database of wrapped keys, readable by its owner alone.

No cryptography here: what comes in is wrapped already, apart from a master key that nobody else holds.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentguard.errors import StoreError, StoreSchemaError, StoreUnavailableError

_PATIENCE = 10.0
_VERSION = 1
_TABLES = (
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE subject_key (kid TEXT PRIMARY KEY, subject TEXT NOT NULL, wrapped BLOB NOT NULL)",
    "CREATE INDEX subject_key_subject ON subject_key (subject)",
    "CREATE TABLE customer (pseudonym TEXT PRIMARY KEY, sealed BLOB NOT NULL)",
    "CREATE TABLE destroyed (kid TEXT PRIMARY KEY)",
)

# A connection that is collected is closed, and closing one of the parent's in a child would drop the parent's locks.
_of_parent: list[sqlite3.Connection | None] = []


class KeyFile:
    """The tables of the vault, one connection behind a lock."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        # A forked child opens it anew, and may be in another folder by then.
        self._target = ":memory:" if path is None else str(path.absolute())
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._version_seen = -1
        if path is not None:
            _make_private(path)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        with self.writing():
            version = self._one("PRAGMA user_version")
            if version == 0:
                for statement in (*_TABLES, f"PRAGMA user_version = {_VERSION}"):
                    self._execute(statement)
            elif version != _VERSION:
                raise StoreSchemaError(
                    f"expected {self} of version {_VERSION}, got version {version}; use the agentguard that made it"
                )

    def __str__(self) -> str:
        return "the keys in memory" if self._path is None else f"the keys file `{self._path}`"

    def close(self) -> None:
        """Close the file; a vault in memory is gone with it."""
        with self.alone():
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the other threads of this process away."""
        self._renew_after_fork()
        with self._lock:
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the write lock of the file; everything inside is kept together or not at all."""
        with self.alone():
            if self._opened().in_transaction:
                yield
                return
            self._execute("BEGIN IMMEDIATE")
            try:
                yield
                self._execute("COMMIT")
            except BaseException:
                if self._opened().in_transaction:
                    self._opened().rollback()
                raise

    def changed_elsewhere(self) -> bool:
        """Return whether another connection changed the file since the last time this was asked."""
        with self.alone():
            version = int(self._one("PRAGMA data_version"))
            changed, self._version_seen = version != self._version_seen, version
            return changed

    def setting(self, name: str) -> bytes | None:
        """Return a setting."""
        return self._bytes("SELECT value FROM setting WHERE name = ?", name)

    def store_setting(self, name: str, value: bytes) -> None:
        """Store a setting, once."""
        self._write("INSERT INTO setting VALUES (?, ?)", name, value)

    def customer(self, pseudonym: str) -> bytes | None:
        """Return the sealed customer behind a pseudonym."""
        return self._bytes("SELECT sealed FROM customer WHERE pseudonym = ?", pseudonym)

    def store_customer(self, pseudonym: str, sealed: bytes) -> None:
        """Store the sealed customer behind a pseudonym."""
        self._write("INSERT OR IGNORE INTO customer VALUES (?, ?)", pseudonym, sealed)

    def current_key(self, subject: str) -> str | None:
        """Return the id of a subject's key."""
        found = self._one("SELECT kid FROM subject_key WHERE subject = ? ORDER BY rowid DESC LIMIT 1", subject)
        return None if found is None else str(found)

    def key(self, key_id: str) -> tuple[str, bytes] | None:
        """Return a key's subject and its wrapped bytes."""
        with self.alone():
            row = self._execute("SELECT subject, wrapped FROM subject_key WHERE kid = ?", key_id).fetchone()
        return None if row is None else (str(row[0]), bytes(row[1]))

    def store_key(self, key_id: str, subject: str, wrapped: bytes) -> None:
        """Store a subject's wrapped key."""
        self._write("INSERT INTO subject_key VALUES (?, ?, ?)", key_id, subject, wrapped)

    def was_destroyed(self, key_id: str) -> bool:
        """Return whether this key was here and was destroyed on purpose."""
        return self._one("SELECT 1 FROM destroyed WHERE kid = ?", key_id) is not None

    def destroy(self, subject: str) -> bool:
        """Destroy a subject's keys and the customer behind the pseudonym; False if there was nothing."""
        with self.writing():
            if self.current_key(subject) is None and self.customer(subject) is None:
                return False
            self._execute("INSERT INTO destroyed SELECT kid FROM subject_key WHERE subject = ?", subject)
            self._execute("DELETE FROM subject_key WHERE subject = ?", subject)
            self._execute("DELETE FROM customer WHERE pseudonym = ?", subject)
            return True

    def _write(self, statement: str, *values: Any) -> None:
        with self.writing():
            self._execute(statement, *values)

    def _one(self, statement: str, *values: Any) -> Any:
        with self.alone():
            row = self._execute(statement, *values).fetchone()
        return None if row is None else row[0]

    def _bytes(self, statement: str, *values: Any) -> bytes | None:
        found = self._one(statement, *values)
        return None if found is None else bytes(found)

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        try:
            return self._opened().execute(statement, values)
        except sqlite3.Error as error:
            raise self._meaning(error) from error

    def _renew_after_fork(self) -> None:
        if self._process != os.getpid():
            self._process, self._lock = os.getpid(), threading.RLock()
            if self._path is not None:
                # SQLite's locks do not survive a fork, so the child opens the file anew and never closes the parent's.
                _of_parent.append(self._connection)
                self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = sqlite3.connect(
                    self._target, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
                )
                # Destroyed keys are overwritten, and no write-ahead log keeps a copy of them.
                for pragma in ("secure_delete = ON", "synchronous = FULL"):
                    self._connection.execute(f"PRAGMA {pragma}")
            except sqlite3.Error as error:
                raise self._meaning(error) from error
        return self._connection

    def _meaning(self, error: sqlite3.Error) -> StoreError:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            return StoreSchemaError(f"expected keys in {self}, got another kind of file; name another file")
        return StoreUnavailableError(
            f"{self} could not do it: {error}; look at the file, its folder and who may write it"
        )


def _make_private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise StoreUnavailableError(
            f"the keys file `{path}` cannot be opened: {error.strerror}; make its folder, and let this user write there"
        ) from error
    if os.name == "posix" and mode & 0o077:
        raise StoreUnavailableError(
            f"expected the keys file `{path}` to be its owner's alone, got mode {mode:o}; run `chmod 600` on it"
        )
