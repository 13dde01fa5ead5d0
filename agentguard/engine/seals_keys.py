"""Which key signs the log from which entry on: the log itself says so, and the first key introduces itself.

A checkpoint that covers the entry of a new key is signed by the new key, never by the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from agentguard.core.people import UNVERIFIED
from agentguard.errors import NoteError, TamperedError
from agentguard.evidence.keys import VerifierKey
from agentguard.store import Reading, Transaction
from agentguard.store.records import Entry, EntryFilter, EntryRef
from agentguard.store.seals import newest_of

KEY_INTRODUCED = "key_introduced"
FIRST: Final[Mapping[str, Any]] = {
    "by": "agentguard",
    "why": "the first key of this log",
    "authenticated": UNVERIFIED,
    "power": "first_key",
    "people": None,
    "with": [],
}
"""What the entry of a first key says about who introduced it: the key itself."""

_INTRODUCED = EntryFilter(kind=KEY_INTRODUCED)
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Introduced:
    """A key of the log.

    Attributes:
        entry: Position of its entry: it signs every checkpoint that covers that one, until the next key.
        replaces: The text of the key before; empty for the first.
        stolen: Whether the key before was, so that nothing of it may be believed that nobody else confirms.
    """

    key: VerifierKey
    entry: int
    at: datetime
    by: str
    why: str
    replaces: str = ""
    stolen: bool = False


def introduced(reading: Reading) -> tuple[Introduced, ...]:
    """Return every key of the log, the first one first.

    Raises:
        TamperedError: An entry names no key.
    """
    found: list[Introduced] = []
    after = 0
    while page := reading.entries(after, _PAGE, _INTRODUCED):
        found.extend(map(_introduced, page))
        after = page[-1].pos
    return tuple(found)


def key_of_log(reading: Reading) -> Introduced | None:
    """Return the key that signs the log as it stands, or None before the first.

    Raises:
        TamperedError: The entry names no key.
    """
    found = newest_of(reading, KEY_INTRODUCED)
    return None if found is None else _introduced(found)


def key_at(keys: tuple[Introduced, ...], size: int) -> Introduced | None:
    """Return which of the keys signs a checkpoint of this size."""
    return next((key for key in reversed(keys) if key.entry <= size), None)


def introduce(
    transaction: Transaction, key: VerifierKey, tenant: str, who: Mapping[str, Any], *, stolen: bool = False
) -> EntryRef | None:
    """Write down that a key signs the log from here on; None if a first key comes second, or the key is there already.

    Args:
        transaction: In which it is written.
        key: The key.
        tenant: In whose records.
        who: `FIRST`, or who introduces it, as a permit records it.
        stolen: Whether the key before was.
    """
    before = key_of_log(transaction)
    if before is not None and (who is FIRST or before.key == key):
        return None
    body = {"tenant": tenant, "kind": KEY_INTRODUCED, "key": key.text, "stolen": stolen, **who}
    return transaction.append({**body, "replaces": None if before is None else before.key.text})


def _introduced(entry: Entry) -> Introduced:
    body = entry.document
    try:
        key = VerifierKey.read(body["key"])
    except (NoteError, KeyError) as error:
        raise TamperedError(f"expected entry {entry.pos} to introduce a key, got none that can be read") from error
    return Introduced(key, entry.pos, entry.at, body["by"], body["why"], body["replaces"] or "", body["stolen"])
