"""The tree of the log at rest: whole tiles of 256 hashes in their table, everything newer from the entries' leaves.

Tiles can be made again from the entries at any time. They are there so that a proof reads a few rows, however long the
log is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import bindparam, insert, select

from agentguard.errors import TamperedError
from agentguard.evidence.tree import HASH_BYTES, node_hash
from agentguard.store.evidence_tables import TileRow
from agentguard.store.reading import Reading
from agentguard.store.statement import Statement
from agentguard.store.tables import EntryRow
from agentguard.store.transaction import Transaction

HEIGHT = 8
WIDTH = 1 << HEIGHT
MOST_TILES = 64
"""How many tiles are made, or kept in memory, at a time: 64 are the hashes of 16,384 entries."""

_tile = TileRow.__table__
_entry = EntryRow.__table__

_HASHES = Statement(
    select(_tile.c.hashes).where(_tile.c.level == bindparam("at_level"), _tile.c.n == bindparam("number")),
    ["at_level", "number"],
)
_ROOTS = Statement(
    select(_tile.c.n, _tile.c.root)
    .where(_tile.c.level == bindparam("at_level"), _tile.c.n >= bindparam("first"), _tile.c.n < bindparam("end"))
    .order_by(_tile.c.n),
    ["at_level", "first", "end"],
)
_NEWEST = Statement(
    select(_tile.c.n).where(_tile.c.level == bindparam("at_level")).order_by(_tile.c.n.desc()).limit(1), ["at_level"]
)
_LEAVES = Statement(
    select(_entry.c.pos, _entry.c.leaf)
    .where(_entry.c.pos > bindparam("after"), _entry.c.pos <= bindparam("last"))
    .order_by(_entry.c.pos),
    ["after", "last"],
)


@dataclass(frozen=True, slots=True)
class Tile:
    """256 neighbouring hashes of one level and the root over them; `number` counts the tiles of the level from 0."""

    level: int
    number: int
    hashes: bytes
    root: bytes


class StoredTree:
    """The inner hashes of the log as it stands (`Subtrees`); it is over with the reading that it was made of."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._nodes = lru_cache(MOST_TILES)(self._worked_out)

    def root(self, level: int, index: int) -> bytes:
        """Return the root over the 2**`level` leaves that begin at leaf `index` * 2**`level`.

        Raises:
            TamperedError: The log does not have all of these leaves, or a tile is not whole.
        """
        height, upward = divmod(level, HEIGHT)
        tile, offset = divmod(index << upward, WIDTH)
        nodes = self._nodes(height, tile)
        if (offset >> upward) >= len(nodes[upward]):
            raise TamperedError(f"expected the leaves of hash {index} of level {level} in the log, got fewer entries")
        return nodes[upward][offset >> upward]

    def made(self, level: int, number: int) -> Tile:
        """Return a full tile, as what lies below it says where it is not stored."""
        nodes = self._nodes(level, number)
        return Tile(level, number, b"".join(nodes[0]), nodes[HEIGHT][0])

    def _worked_out(self, level: int, number: int) -> list[list[bytes]]:
        """Return the hashes of one tile, as many as there are, and above them all whole pairs, up to its root."""
        stored = tile_hashes(self._reading, level, number)
        return _levels(self._below(level, number) if stored is None else stored)

    def _below(self, level: int, number: int) -> list[bytes]:
        """Return the hashes that belong in a tile, as many as the log has."""
        first = number * WIDTH
        if not level:
            return leaves(self._reading, first, WIDTH)
        end = min(first + WIDTH, self._reading.position() >> (level * HEIGHT))
        found = {number: bytes(root) for number, root in self._reading.found(_ROOTS, level - 1, first, end)}
        return [found[n] if n in found else self._nodes(level - 1, n)[HEIGHT][0] for n in range(first, end)]


def leaves(reading: Reading, after: int, most: int) -> list[bytes]:
    """Return the leaf hashes of the entries after a position, in order.

    Raises:
        TamperedError: An entry is missing between them, or a leaf is not one.
    """
    last = min(after + most, reading.position())
    found = reading.found(_LEAVES, after, last)
    if len(found) != max(0, last - after):
        raise TamperedError(f"expected entries {after + 1} to {last} in the log, got {len(found)} of them")
    try:
        hashes = [bytes.fromhex(leaf) for _, leaf in found]
    except ValueError:
        hashes = [b""]
    if any(len(hash_) != HASH_BYTES for hash_ in hashes):
        raise TamperedError(f"expected the leaves of entries {after + 1} to {last} as hex, got something else")
    return hashes


def tile_hashes(reading: Reading, level: int, number: int) -> list[bytes] | None:
    """Return the 256 hashes of a tile that is stored, or None if it is not.

    Raises:
        TamperedError: It is not whole.
    """
    found = reading.found(_HASHES, level, number)
    if not found:
        return None
    data = bytes(found[0][0])
    if len(data) != WIDTH * HASH_BYTES:
        raise TamperedError(f"expected 256 hashes in tile {number} of level {level}, got {len(data)} bytes")
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def missing_tiles(
    reading: Reading, size: int | None = None, most: int = MOST_TILES, tree: StoredTree | None = None
) -> list[Tile]:
    """Return the next tiles that can be stored, those of lower levels first; none when all are.

    Args:
        reading: One consistent view.
        size: How many entries tiles may be made of; all of them unless said.
        most: How many at once: each is the work of 256 hashes.
        tree: The same log, where the caller has looked at it already.
    """
    tree = tree or StoredTree(reading)
    below = reading.position() if size is None else min(size, reading.position())
    made: list[Tile] = []
    level = 0
    while full := below >> HEIGHT:
        newest = reading.found(_NEWEST, level)
        first = newest[0][0] + 1 if newest else 0
        end = min(full, first + most - len(made))
        made.extend(tree.made(level, number) for number in range(first, end))
        if end < full:
            break  # the level above is made of the whole of this one
        level, below = level + 1, full
    return made


def add_tile(transaction: Transaction, tile: Tile) -> bool:
    """Store a tile; False if somebody else did so before.

    Raises:
        TamperedError: The stored one has other hashes.
    """
    stored = tile_hashes(transaction, tile.level, tile.number)
    if stored is not None:
        if b"".join(stored) != tile.hashes:
            raise TamperedError(f"expected tile {tile.number} of level {tile.level} as the log says, got other hashes")
        return False
    values = {"level": tile.level, "n": tile.number, "root": tile.root, "hashes": tile.hashes}
    transaction.write(insert(_tile).values(values))
    return True


def _levels(hashes: list[bytes]) -> list[list[bytes]]:
    """Return hashes and, above them, those of all whole pairs, up to the root of a tile."""
    levels = [hashes]
    for _ in range(HEIGHT):
        pairs = iter(levels[-1])
        levels.append([node_hash(left, right) for left, right in zip(pairs, pairs, strict=False)])
    return levels
