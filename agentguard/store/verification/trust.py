"""Whose signatures count: keys that the caller pinned, or those that the log itself introduced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from agentguard.errors import NoteError
from agentguard.evidence.keys import LOG, WITNESS, VerifierKey
from agentguard.store.reading import Reading
from agentguard.store.tables import SELDOM, EntryRow
from agentguard.store.verification.agreement import said_by

KEY_INTRODUCED = "key_introduced"
RESTORED = "restored"

_entry = EntryRow.__table__


@dataclass(frozen=True, slots=True)
class Introduced:
    """A key that signs every checkpoint which covers its entry, until the next key; `stolen`: the one before was."""

    entry: int
    key: VerifierKey
    stolen: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """That an older copy was put back on purpose: what was signed under an origin past a size is lost with it."""

    entry: int
    origin: str
    size: int


@dataclass(frozen=True, slots=True)
class Trust:
    """Who may have signed what.

    Attributes:
        log: The log's name.
        introduced: Its keys as its entries say, the first one first.
        restored: When an older copy was put back, as its entries say.
        pinned: Keys of logs and witnesses that the caller knows from elsewhere; with one of a log among them only
            these count.
    """

    log: str
    introduced: tuple[Introduced, ...] = ()
    restored: tuple[Restored, ...] = ()
    pinned: tuple[VerifierKey, ...] = ()

    @property
    def witnesses(self) -> tuple[VerifierKey, ...]:
        """The witnesses whose cosignatures count."""
        return tuple(key for key in self.pinned if key.signs == WITNESS)

    @property
    def is_pinned(self) -> bool:
        """Whether somebody outside says which key signs the log."""
        return any(key.signs == LOG for key in self.pinned)

    def key_at(self, size: int) -> VerifierKey | None:
        """Return the key that signs a checkpoint of this size as the log's entries say."""
        return next((found.key for found in reversed(self.introduced) if found.entry <= size), None)

    def keys_at(self, size: int) -> tuple[VerifierKey, ...]:
        """Return the keys of which one must have signed a checkpoint of this size; none where nobody may."""
        introduced = self.key_at(size)
        if not self.is_pinned:
            return () if introduced is None else (introduced,)
        pinned = tuple(key for key in self.pinned if key.signs == LOG)
        return tuple(key for key in pinned if introduced is None or key == introduced) or pinned

    @property
    def every(self) -> tuple[VerifierKey, ...]:
        """Every key that may sign for the log at some size."""
        if self.is_pinned:
            return tuple(key for key in self.pinned if key.signs == LOG)
        return tuple(dict.fromkeys(found.key for found in self.introduced))

    def lost(self, origin: str, size: int) -> Restored | None:
        """Return the restore with which a checkpoint was lost, if one was recorded."""
        return next((found for found in self.restored if found.origin == origin and size > found.size), None)

    def is_of_this_log(self, origin: str) -> bool:
        """Whether an origin is the log's, before or after a restore."""
        own = f"agentguard/{self.log}"
        return origin == own or origin.startswith(f"{own}/")


def read_trust(reading: Reading, pinned: Sequence[VerifierKey]) -> Trust:
    """Return whose signatures count for a log; an entry that says nothing readable is reported as its body is."""
    introduced, restored = [], []
    for pos, body in _said(reading, KEY_INTRODUCED):
        try:
            introduced.append(Introduced(pos, VerifierKey.read(str(body.get("key"))), bool(body.get("stolen"))))
        except NoteError:
            continue
    for pos, body in _said(reading, RESTORED):
        origin = body.get("continues")
        if isinstance(origin, str):  # what stands before it was not lost, whatever it says of how much that is
            restored.append(Restored(pos, origin, pos - 1))
    return Trust(reading.log_name(), tuple(introduced), tuple(restored), tuple(pinned))


def _said(reading: Reading, kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    query = select(_entry.c.pos, _entry.c.body).where(_entry.c.kind == kind, SELDOM).order_by(_entry.c.pos)
    for row in reading.rows(query):
        body = said_by(bytes(row["body"]))
        if body is not None:
            yield row["pos"], dict(body)
