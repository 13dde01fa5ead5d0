"""Entries without a body: each must lie under a signed tombstone, or it was taken away by somebody who may not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from sqlalchemy import bindparam, select

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.note import read_note, verified
from agentguard.evidence.tombstone import Tombstone, leaves_digest
from agentguard.store.reading import Reading
from agentguard.store.statement import Statement
from agentguard.store.tables import SELDOM, EntryRow
from agentguard.store.verification.agreement import said_by
from agentguard.store.verification.finding import Findings
from agentguard.store.verification.trust import Trust

PURGED = "purged"
Range = tuple[int, int]

_entry = EntryRow.__table__
_LEAVES = Statement(
    select(_entry.c.leaf)
    .where(_entry.c.pos >= bindparam("first"), _entry.c.pos <= bindparam("last"))
    .order_by(_entry.c.pos),
    ["first", "last"],
)


def check_purged(reading: Reading, purged: Sequence[Range], trust: Trust, findings: Findings) -> int:
    """Return how many entries were rightly purged, and report the others.

    Args:
        reading: One consistent view.
        purged: First and last positions of the entries without a body, in order.
        trust: Whose signatures count.
        findings: Told what is wrong.
    """
    buried = sorted(_buried(reading, trust, findings)) if purged else []
    count = 0
    for first, last in purged:
        pos = first
        while pos <= last:
            number = bisect_right(buried, (pos, last + 1)) - 1
            end = buried[number][1] if number >= 0 else 0
            if end < pos:
                following = buried[number + 1][0] if number + 1 < len(buried) else last + 1
                _report(findings, pos, min(last, following - 1))
                pos = following
            else:
                count += min(end, last) - pos + 1
                pos = end + 1
    return count


def _report(findings: Findings, first: int, last: int) -> None:
    gone = f"entry {first}, whose body is" if first == last else f"entries {first} to {last}, whose bodies are"
    words = f"expected a tombstone that the log's key signed over {gone} gone, got none: it was taken away"
    findings.report_entry(first, first - 1, "tombstone", words)


def _buried(reading: Reading, trust: Trust, findings: Findings) -> list[Range]:
    """Return the positions under tombstones that are in order, and report those that are not."""
    found: list[Range] = []
    query = select(_entry.c.pos, _entry.c.body).where(_entry.c.kind == PURGED, SELDOM).order_by(_entry.c.pos)
    for row in reading.rows(query):
        body = said_by(bytes(row["body"])) or {}
        try:
            note = read_note(str(body.get("tombstone", "")))
            verified(note, trust.keys_at(row["pos"]))
            stone = Tombstone.read(note.text)
        except (NoteError, UnverifiedError) as error:
            findings.report(row["pos"], "tombstone", f"expected a tombstone that the log's key signed: {error}")
            continue
        if stone.log != trust.log or stone.ranges[-1][1] >= row["pos"] or _leaves(reading, stone) != stone.leaves:
            words = "expected a tombstone over the leaves that are still there, got one over others"
            findings.report(row["pos"], "tombstone", words)
            continue
        found += stone.ranges
    return found


def _leaves(reading: Reading, stone: Tombstone) -> bytes:
    leaves = (leaf for first, last in stone.ranges for (leaf,) in reading.found(_LEAVES, first, last))
    try:
        return leaves_digest(bytes.fromhex(leaf) for leaf in leaves)
    except ValueError:
        return b""  # what is no leaf is reported where it stands
