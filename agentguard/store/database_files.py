"""The files of one SQLite database, and whether they still are the ones that this process has open.

SQLite goes on in a file that was removed or replaced: what it commits is gone with the last process that has it open,
and whoever opens the new file counts every limit anew.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from weakref import WeakSet, WeakValueDictionary

from agentguard.errors import StoreUnavailableError

Identity = tuple[int, int] | None

_KNOWN: WeakValueDictionary[tuple[int, str], DatabaseFiles] = WeakValueDictionary()
"""By process and path."""


class DatabaseFiles:
    """A database with its write-ahead log and the index to it, as all connections of this process have them."""

    def __init__(self, path: str) -> None:
        # Text, not `Path`: these are asked for around every commit, and a `Path` takes twice as long.
        self._paths = tuple(f"{path}{ending}" for ending in ("", "-wal", "-shm"))
        self._folder = str(Path(path).parent)
        self._seen: tuple[Identity, ...] | None = None
        self._folder_seen: tuple[int, int, int] | None = None
        self._connections: WeakSet[FileConnection] = WeakSet()

    def opened(self, connection: FileConnection) -> None:
        """Hear that a new connection has them open."""
        if not self._connections:  # with the last one SQLite itself may have removed some
            self._seen = self._folder_seen = None
        self._connections.add(connection)

    def closed(self, connection: FileConnection) -> None:
        """Hear that a connection has them open no more."""
        self._connections.discard(connection)

    def require_same(self) -> None:
        """Refuse to go on in files that nobody else finds; called while a transaction keeps SQLite's own in place.

        Raises:
            StoreUnavailableError: One of them was removed or replaced.
        """
        folder = _state(self._folder)
        known = folder and (folder.st_dev, folder.st_ino, folder.st_mtime_ns)
        if known is not None and known == self._folder_seen:
            return  # nothing in it was made, removed or renamed
        states = [_state(path) for path in self._paths]
        found = tuple(state and (state.st_dev, state.st_ino) for state in states)
        if self._seen is None:
            self._seen = found
        elif found != self._seen:
            changed = next(path for path, was, now in zip(self._paths, self._seen, found, strict=True) if was != now)
            raise StoreUnavailableError(
                f"expected the database `{self._paths[0]}` as this process opened it, got `{Path(changed).name}` "
                f"removed or replaced; nothing was stored that others would find; stop every process that uses it, put "
                f"the files that belong together in place, and start them again"
            )
        # Times of files go in ticks. Only when one of these was written after the folder's last tick would a further
        # change of the folder show another time.
        written = max((state.st_mtime_ns for state in states if state is not None), default=0)
        self._folder_seen = known if folder is not None and written > folder.st_mtime_ns else None


class FileConnection(sqlite3.Connection):
    """A connection that commits only into files that are still in their place."""

    files: DatabaseFiles | None = None

    def know_files(self) -> None:
        """Find out which files these are; a database in memory has none."""
        path = next(row[2] for row in self.execute("PRAGMA database_list") if row[1] == "main")
        if path:
            self.files = _KNOWN.setdefault((os.getpid(), path), DatabaseFiles(path))
            self.files.opened(self)

    def require_same_files(self) -> None:
        """Refuse to write where the files are others now; for a transaction that writes, before it does."""
        if self.files is not None:
            self.files.require_same()

    def commit(self) -> None:
        """Commit, into files that were in their place until the end."""
        super().commit()
        self.require_same_files()

    def close(self) -> None:
        """Close it, and let go of its files."""
        if self.files is not None:
            self.files.closed(self)
        super().close()


def _state(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - see above
    except OSError:
        return None
