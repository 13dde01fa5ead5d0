"""The tree over one stretch of the log, hashed apart: in pieces that end wherever a root is stated, joined later on.

Tiles that are stored are compared with the leaves that the bodies came to.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from sqlalchemy import bindparam, select

from agentguard.evidence.tree import Stretch, perfect_root
from agentguard.store.evidence_tables import CheckpointRow, PromiseRow, TileRow
from agentguard.store.reading import Reading
from agentguard.store.statement import Statement
from agentguard.store.tiles import HEIGHT, WIDTH
from agentguard.store.verification.finding import Findings

Piece = Stretch

_checkpoint = CheckpointRow.__table__
_promise = PromiseRow.__table__
_tile = TileRow.__table__
_TILE = Statement(
    select(_tile.c.hashes, _tile.c.root).where(
        _tile.c.level == bindparam("at_level"), _tile.c.n == bindparam("number")
    ),
    ["at_level", "number"],
)
_SIZES = [
    Statement(
        select(table.c.size).where(table.c.size > bindparam("after"), table.c.size <= bindparam("until")),
        ["after", "until"],
    )
    for table in (_checkpoint, _promise)
]


class Pieces:
    """Makes the pieces as leaves come; a hole in the log ends them, since what follows has no place in the tree."""

    def __init__(self, reading: Reading, first: int, sizes: Sequence[int]) -> None:
        self._reading = reading
        self._given = sizes
        self._sizes: list[int] = []
        self._next = 0
        self._piece = Stretch(first)
        self._pieces: list[Stretch] = []
        self._waiting: list[bytes] = []
        self._whole = True
        self._changed: list[int] = []

    def take(self, leaves: Sequence[bytes], first: int, *, whole: bool) -> None:
        """Take the leaves of a page that begins with an entry; not `whole` if entries are missing in it."""
        end = self._piece.end + len(self._waiting)
        if not self._whole or not whole or first != end + 1:
            self._whole = False
            return
        self._foresee(end, end + len(leaves))
        self._waiting += leaves
        while len(self._waiting) >= (wanted := WIDTH - self._piece.end % WIDTH):
            self._tile(self._waiting[:wanted])
            del self._waiting[:wanted]

    def end(self, findings: Findings) -> list[Stretch]:
        """Return the pieces, and report the tiles that say something else."""
        if self._waiting:
            self._add(self._waiting)
        if self._piece.end > self._piece.first:
            self._pieces.append(self._piece)
        for number in self._changed:
            words = f"expected tile {number} as entries {number * WIDTH + 1} to {(number + 1) * WIDTH} say, got others"
            findings.report(None, "tree", words)
        return self._pieces

    def _foresee(self, after: int, until: int) -> None:
        """Look up where roots are stated, and the tiles that are stored, for the leaves that come next."""
        stated = [row[0] for statement in _SIZES for row in self._reading.found(statement, after, until)]
        given = self._given[bisect_right(self._given, after) : bisect_right(self._given, until)]
        self._sizes = sorted({*self._sizes[self._next :], *stated, *given})
        self._next = 0

    def _tile(self, leaves: list[bytes]) -> None:
        """Take the leaves that end a tile."""
        end = self._piece.end + len(leaves)
        number = end // WIDTH - 1
        begins_it, cut = len(leaves) == WIDTH, self._next < len(self._sizes) and self._sizes[self._next] < end
        root = perfect_root(leaves) if begins_it else None
        if root is not None:
            self._compare(number, b"".join(leaves), root)
        if root is not None and not cut:
            self._piece.add(HEIGHT, root)
            self._cut(end)
        else:
            self._add(leaves)

    def _add(self, leaves: list[bytes]) -> None:
        """Take leaves one by one, in pieces that end where roots are stated."""
        begin, end = self._piece.end, self._piece.end + len(leaves)
        while self._next < len(self._sizes) and (size := self._sizes[self._next]) <= end:
            self._piece.extend(leaves[self._piece.end - begin : size - begin])
            self._cut(size)
        self._piece.extend(leaves[self._piece.end - begin :])

    def _cut(self, size: int) -> None:
        if self._next < len(self._sizes) and self._sizes[self._next] == size:
            self._pieces.append(self._piece)
            self._piece = Stretch(size)
            self._next += 1

    def _compare(self, number: int, hashes: bytes, root: bytes) -> None:
        for stored, above in self._reading.found(_TILE, 0, number):
            if bytes(stored) != hashes or bytes(above) != root:
                self._changed.append(number)
