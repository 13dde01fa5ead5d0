"""Tombstones: what a log's key signs about entries whose bodies are taken away, and whose leaves stay in the tree.

    agentguard/tombstone/v1
    LOG
    SHA-256 over the leaves of all these entries, in order of position, as base64
    FIRST LAST
    …

a range of positions a line, in order and apart from each other. The whole stands as a signed note.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from agentguard.errors import NoteError
from agentguard.evidence.base64text import decoded, encoded

HEADER = "agentguard/tombstone/v1"
MOST_RANGES = 10_000
_RANGE = re.compile(r"([1-9][0-9]{0,17}) ([1-9][0-9]{0,17})")
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Which entries of a log have no body any more.

    Attributes:
        log: The log's random name, which stood in each of them.
        ranges: First and last positions, in order and apart from each other.
        leaves: `leaves_digest` of the leaves of all of them.
    """

    log: str
    ranges: tuple[tuple[int, int], ...]
    leaves: bytes

    @property
    def entries(self) -> int:
        """How many entries it covers."""
        return sum(last - first + 1 for first, last in self.ranges)

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = [HEADER, self.log, encoded(self.leaves), *(f"{first} {last}" for first, last in self.ranges)]
        return "".join(f"{line}\n" for line in lines)

    def covers(self, first: int, last: int) -> bool:
        """Return whether every entry from one position to another is among them."""
        return any(start <= first and last <= end for start, end in self.ranges)

    @classmethod
    def read(cls, text: str) -> Tombstone:
        """Return what a text says; the note that it stands in has to be verified first.

        Raises:
            NoteError: It is no tombstone, or its ranges are out of order.
        """
        header, *lines = text.split("\n")
        found = [_RANGE.fullmatch(line) for line in lines[2:-1]]
        if header != HEADER or not 1 <= len(found) <= MOST_RANGES or None in found or not lines[0] or lines[-1]:
            raise NoteError(f"a tombstone is `{HEADER}`, a log, a digest, and a range a line, got `{text[:100]}`")
        log, leaves = lines[:2]
        ranges = tuple((int(match[1]), int(match[2])) for match in found if match is not None)
        ends = [end for pair in ranges for end in pair]
        if any(first > last for first, last in ranges) or ends != sorted(ends) or not _apart(ranges):
            raise NoteError("the ranges of a tombstone must be in order and apart from each other")
        digest = decoded(leaves, "the digest of the leaves")
        if len(digest) != _HASH_BYTES:
            raise NoteError(f"the digest of the leaves must have {_HASH_BYTES} bytes, got {len(digest)}")
        return cls(log, ranges, digest)


def leaves_digest(leaves: Iterable[bytes]) -> bytes:
    """Return the digest of leaves, in order of position."""
    return hashlib.sha256(b"".join(leaves)).digest()


def ranges_of(positions: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return positions as ranges, in order and as few as there can be."""
    ranges: list[tuple[int, int]] = []
    for position in sorted(set(positions)):
        if ranges and ranges[-1][1] == position - 1:
            ranges[-1] = ranges[-1][0], position
        else:
            ranges.append((position, position))
    return tuple(ranges)


def _apart(ranges: tuple[tuple[int, int], ...]) -> bool:
    return all(before[1] + 1 < after[0] for before, after in itertools.pairwise(ranges))
