"""Entries without a body: each must lie under a signed tombstone, or it was taken away by somebody who may not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from sqlalchemy import bindparam, select

from agentguard.core.retention import LEAST_DAYS
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
LEAST_US = LEAST_DAYS * 24 * 60 * 60 * 1_000_000
"""Whatever was purged was at least so old, whoever signed for it."""

Range = tuple[int, int]

_entry = EntryRow.__table__
_LEAVES = Statement(
    select(_entry.c.leaf)
    .where(_entry.c.pos >= bindparam("first"), _entry.c.pos <= bindparam("last"))
    .order_by(_entry.c.pos),
    ["first", "last"],
)
_TIME = Statement(select(_entry.c.ts_us).where(_entry.c.pos == bindparam("pos")), ["pos"])


def check_purged(reading: Reading, purged: Sequence[Range], trust: Trust, findings: Findings) -> int:
    """Return how many entries were rightly purged, and report the others.

    Args:
        reading: One consistent view.
        purged: First and last positions of the entries without a body, in order.
        trust: Whose signatures count.
        findings: Told what is wrong.
    """
    buried = sorted(_buried(reading, purged, trust, findings)) if purged else []
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


def _buried(reading: Reading, purged: Sequence[Range], trust: Trust, findings: Findings) -> list[Range]:
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
        if (young := _young(reading, purged, stone, body.get("ts_us"))) is not None:
            words = f"expected a purge of what is {LEAST_DAYS} days old, got one of what comes after entry {young}, "
            findings.report(row["pos"], "tombstone", f"{words}which is younger")
            continue
        found += stone.ranges
    return found


def _young(reading: Reading, purged: Sequence[Range], stone: Tombstone, at_us: object) -> int | None:
    """Return the entry that shows that some of what was purged was not old enough for it; None where none does.

    Nothing says any more when an entry without a body was written; but not before the last one ahead of it that has its
    body. The latest of them is ahead of the last range, since no time of the log goes back.
    """
    number = bisect_right(purged, (stone.ranges[-1][0], stone.ranges[-1][1])) - 1
    ahead = purged[number][0] - 1 if number >= 0 and purged[number][1] >= stone.ranges[-1][0] else 0
    times = [ts_us for (ts_us,) in reading.found(_TIME, ahead)]
    if not isinstance(at_us, int) or not times or at_us - times[0] >= LEAST_US:
        return None
    return ahead


def _leaves(reading: Reading, stone: Tombstone) -> bytes:
    leaves = (leaf for first, last in stone.ranges for (leaf,) in reading.found(_LEAVES, first, last))
    try:
        return leaves_digest(bytes.fromhex(leaf) for leaf in leaves)
    except ValueError:
        return b""  # what is no leaf is reported where it stands
