"""Whose turn it is among those who want to write to one database.

SQLite lets those who wait for its lock try again after longer and longer pauses, so that one that is unlucky waits for
seconds. The operating system's lock on a file beside the database hands the turn on as soon as it is free.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from agentguard.errors import StoreUnavailableError

try:
    import fcntl
except ImportError:  # no such locks on this system: SQLite's own has to do
    fcntl = None  # type: ignore[assignment]

_SHORTEST_PAUSE = 0.00005
_LONGEST_PAUSE = 0.0005


class Turns(Protocol):
    """Hands out turns."""

    def taken(self) -> AbstractContextManager[None]:
        """Hold a turn in a block."""

    def close(self) -> None:
        """Free what it needs for that."""


class NoTurns:
    """The database itself makes everybody wait in order."""

    def taken(self) -> AbstractContextManager[None]:
        """Hold nothing."""
        return nullcontext()

    def close(self) -> None:
        """Free nothing."""


class OneConnection:
    """A database in memory, where readers and writers share one connection."""

    def __init__(self, name: str, patience: float) -> None:
        self._lock = threading.Lock()
        self._name = name
        self._patience = patience

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the connection in a block.

        Raises:
            StoreUnavailableError: Another thread holds it for too long.
        """
        if not self._lock.acquire(timeout=self._patience):
            raise StoreUnavailableError(
                f"another thread has been in a transaction of `{self._name}` for more than {self._patience:g} s; "
                f"nothing was stored; look for work that waits inside a transaction"
            )
        try:
            yield
        finally:
            self._lock.release()

    def close(self) -> None:
        """Free nothing."""


class LockFile:
    """The lock file of one SQLite database; a process that dies gives its turn away."""

    def __init__(self, path: str, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._file: int | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the turn in this block.

        Whoever waits longer than the patience goes on without it: the database's own lock is what keeps writers apart,
        and says so when it is held too long.
        """
        file = self._opened()
        if file is None:
            yield
            return
        try:
            self._wait(file)
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # which changes nothing where it was not taken

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int | None:
        if self._file is None and fcntl is not None:
            try:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError:
                return None  # a folder that cannot be written to: the database will say so itself
        return self._file

    def _wait(self, file: int) -> None:
        pause, waited = _SHORTEST_PAUSE, 0.0
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if waited >= self._patience:
                    return
                time.sleep(pause)
                pause, waited = min(2 * pause, _LONGEST_PAUSE), waited + pause
            else:
                return
