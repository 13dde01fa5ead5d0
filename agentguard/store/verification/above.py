"""The upper tiles of the tree: each hash is the root of a tile below, and no level has a hole."""

from __future__ import annotations

from sqlalchemy import bindparam, func, select

from agentguard.evidence.tree import HASH_BYTES, perfect_root
from agentguard.store.evidence_tables import TileRow
from agentguard.store.reading import Reading
from agentguard.store.statement import Statement
from agentguard.store.tiles import HEIGHT, WIDTH
from agentguard.store.verification.finding import Findings

HIGHEST = 7
"""Above it a tile would be made of more entries than there can be."""

_tile = TileRow.__table__
_ROOTS = Statement(
    select(_tile.c.root)
    .where(_tile.c.level == bindparam("at_level"), _tile.c.n >= bindparam("first"), _tile.c.n < bindparam("end"))
    .order_by(_tile.c.n),
    ["at_level", "first", "end"],
)


def check_tiles_above(reading: Reading, findings: Findings) -> None:
    """Compare the tiles of every level but the lowest, which was compared with the leaves, with those below them."""
    counts = select(_tile.c.level, func.count().label("count"), func.max(_tile.c.n).label("last"))
    for row in reading.rows(counts.group_by(_tile.c.level).order_by(_tile.c.level)):
        if row["level"] not in range(HIGHEST + 1):
            findings.report(None, "tree", f"expected tiles of levels 0 to {HIGHEST}, got one of {row['level']}")
            continue
        size = (row["last"] + 1) << HEIGHT * (row["level"] + 1)
        if row["count"] != row["last"] + 1 or size > reading.position():
            words = (
                f"expected tiles 0 to {row['last']} of level {row['level']}, as many as the log has entries for, got "
            )
            findings.report(None, "tree", f"{words}{row['count']}")
    upper = select(_tile.c.level, _tile.c.n, _tile.c.hashes, _tile.c.root).where(_tile.c.level.between(1, HIGHEST))
    for row in reading.rows(upper.order_by(_tile.c.level, _tile.c.n)):
        level, first = row["level"], row["n"] * WIDTH
        below = [bytes(root) for (root,) in reading.found(_ROOTS, level - 1, first, first + WIDTH)]
        whole = len(below) == WIDTH and all(len(root) == HASH_BYTES for root in below)
        if not whole or b"".join(below) != bytes(row["hashes"]) or perfect_root(below) != bytes(row["root"]):
            words = f"expected tile {row['n']} of level {level} as the tiles below it say, got another"
            findings.report(None, "tree", words)
