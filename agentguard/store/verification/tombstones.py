"""Entries without a body: each must lie under a signed tombstone, or it was taken away by somebody who may not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, select

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.note import read_note, verified
from agentguard.evidence.tombstone import Tombstone, leaves_digest
from agentguard.store.reading import Reading
from agentguard.store.statement import Statement
from agentguard.store.tables import EntryRow
from agentguard.store.tombstones import tombstones
from agentguard.store.verification.agreement import said_by
from agentguard.store.verification.finding import Findings
from agentguard.store.verification.trust import Trust

_entry = EntryRow.__table__
_LEAVES = Statement(
    select(_entry.c.leaf)
    .where(_entry.c.pos >= bindparam("first"), _entry.c.pos <= bindparam("last"))
    .order_by(_entry.c.pos),
    ["first", "last"],
)


def check_purged(reading: Reading, purged: Sequence[tuple[int, int]], trust: Trust, findings: Findings) -> int:
    """Return how many entries were rightly purged, and report the others."""
    if not purged:
        return 0
    signed = sorted(_signed(reading, trust))
    count = 0
    for first, last in purged:
        for start, end in _uncovered(first, last, signed):
            words = f"expected a signed tombstone over entries {start} to {end}, whose bodies are gone, got none"
            findings.holds_until(start - 1)
            findings.report(start, "tombstone", words)
            count -= end - start + 1
        count += last - first + 1
    return count


def _signed(reading: Reading, trust: Trust) -> Iterator[tuple[int, int]]:
    """Yield the stretches over which an entry has a tombstone that a key of the log signed, leaf for leaf."""
    for position in dict.fromkeys(entry for _, _, entry in tombstones(reading)):
        found = reading.entry(position)
        said = None if found is None else said_by(found.body)
        stone = None if said is None else _opened(said.get("tombstone"), trust.keys_at(position))
        if stone is None or stone.log != trust.log or stone.ranges[-1][1] >= position:
            continue
        leaves = (bytes.fromhex(leaf) for pair in stone.ranges for (leaf,) in reading.found(_LEAVES, *pair))
        if leaves_digest(leaves) == stone.leaves:
            yield from stone.ranges


def _opened(note: object, keys: Sequence[VerifierKey]) -> Tombstone | None:
    try:
        read = read_note(str(note))
        return Tombstone.read(read.text) if verified(read, keys) else None
    except (NoteError, UnverifiedError):
        return None


def _uncovered(first: int, last: int, signed: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what of a stretch no tombstone covers."""
    for start, end in signed:
        if end < first or start > last:
            continue
        if start > first:
            yield first, start - 1
        first = end + 1
    if first <= last:
        yield first, last
