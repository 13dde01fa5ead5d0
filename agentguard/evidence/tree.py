"""The tree of hashes over a log, as RFC 9162 (and 6962 before it) defines it: roots, proofs, and what checks them.

A leaf is `leaf_hash(entry)`; the functions here take such hashes and never the entries. Whoever has the leaves appends
them to a `Frontier` (or hashes parts of a log apart, each a `Stretch`, and joins them); whoever has some of the inner
hashes gives them as `Subtrees` and gets proofs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from hashlib import sha256
from itertools import islice
from typing import Protocol, Self

from agentguard.errors import ProofError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a log without entries."""

LEAF = b"\x00"
NODE = b"\x01"
"""What goes before the bytes of a leaf and of two hashes, so that neither can be taken for the other."""

_BLOCK_LEVEL = 8
_BLOCK = 1 << _BLOCK_LEVEL


def leaf_hash(data: bytes) -> bytes:
    """Return the hash that stands for one entry."""
    return sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two neighbouring subtrees."""
    return sha256(NODE + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a whole power of two of hashes, of any one level."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha256(NODE + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


class Stretch:
    """What is known of the tree from the leaves `first` to `end` (not included): roots of perfect subtrees, in order.

    Stretches that follow each other join into one, so that the parts of a log can be hashed apart.
    """

    __slots__ = ("_subtrees", "end", "first")

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self.end = first
        self._subtrees: list[tuple[int, bytes]] = []

    @property
    def subtrees(self) -> tuple[tuple[int, bytes], ...]:
        """The level and root of each perfect subtree that it has, from the left; none of them joins with another."""
        return tuple(self._subtrees)

    def append(self, leaf: bytes) -> None:
        """Take the next leaf."""
        self.add(0, leaf)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Take the next leaves; whole blocks of them are hashed level by level, which is quicker than one by one."""
        following = iter(leaves)
        for leaf in islice(following, -self.end % _BLOCK):
            self.add(0, leaf)
        while len(block := list(islice(following, _BLOCK))) == _BLOCK:
            self.add(_BLOCK_LEVEL, perfect_root(block))
        for leaf in block:
            self.add(0, leaf)

    def add(self, level: int, root: bytes) -> None:
        """Take the next 2**`level` leaves by the root over them.

        Raises:
            ProofError: No such subtree begins at the end of this stretch.
        """
        if len(root) != HASH_BYTES:
            raise ProofError(f"a hash has {HASH_BYTES} bytes, got {len(root)}")
        if self.end & ((1 << level) - 1):
            raise ProofError(f"no subtree of {1 << level} leaves begins at leaf {self.end}")
        begins = self.end
        self.end += 1 << level
        while (begins >> level) & 1 and self._subtrees and self._subtrees[-1][0] == level:
            root = node_hash(self._subtrees.pop()[1], root)
            begins -= 1 << level
            level += 1
        self._subtrees.append((level, root))

    def join(self, following: Stretch) -> None:
        """Take what follows, hashed apart.

        Raises:
            ProofError: It does not begin where this one ends.
        """
        if following.first != self.end:
            raise ProofError(f"leaf {self.end} follows, but the other stretch begins at leaf {following.first}")
        for level, root in following.subtrees:
            self.add(level, root)

    def copy(self) -> Self:
        """Return another that goes its own way."""
        return deepcopy(self)


class Frontier(Stretch):
    """The right edge of a log's tree, from its first leaf on: enough to append leaves and to know the root."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(0)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self.end

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, largest first."""
        return tuple(root for _, root in self._subtrees)

    def root(self) -> bytes:
        """Return the root over all leaves."""
        return _folded(self.hashes) if self._subtrees else EMPTY_ROOT


class Subtrees(Protocol):
    """Who knows the inner hashes of a log's tree."""

    def root(self, level: int, index: int) -> bytes:
        """Return the root over the 2**`level` leaves that begin at leaf `index` * 2**`level`; all of them exist."""
        ...


def tree_root(subtrees: Subtrees, size: int) -> bytes:
    """Return the root over the first `size` leaves."""
    return _range_root(subtrees, 0, size) if size else EMPTY_ROOT


def inclusion_proof(subtrees: Subtrees, index: int, size: int) -> tuple[bytes, ...]:
    """Return what proves that a leaf is in the tree of the first `size`, from its neighbour up to the root's child.

    Raises:
        ProofError: There is no such leaf in a tree of that size.
    """
    if not 0 <= index < size:
        raise ProofError(f"a log of {size} entries has no leaf {index}")
    begin, end, proof = 0, size, []
    while end - begin > 1:
        middle = begin + _largest_power_below(end - begin)
        if index < middle:
            proof.append(_range_root(subtrees, middle, end))
            end = middle
        else:
            proof.append(_range_root(subtrees, begin, middle))
            begin = middle
    return tuple(reversed(proof))


def consistency_proof(subtrees: Subtrees, old: int, new: int) -> tuple[bytes, ...]:
    """Return what proves that the tree of the first `new` leaves continues that of the first `old`.

    Raises:
        ProofError: The old tree is the larger one.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a log of {new} entries does not continue one of {old}")
    if old in {0, new}:
        return ()
    begin, end, proof = 0, new, []
    while old != end:
        middle = begin + _largest_power_below(end - begin)
        if old <= middle:
            proof.append(_range_root(subtrees, middle, end))
            end = middle
        else:
            proof.append(_range_root(subtrees, begin, middle))
            begin = middle
    if begin:  # what the two trees share is not the whole old one, which the checker knows
        proof.append(_range_root(subtrees, begin, end))
    return tuple(reversed(proof))


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf is at `index` in the tree of `size` leaves with that root (RFC 9162, 2.1.3.2).

    Raises:
        ProofError: The proof does not show it.
    """
    _check_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofError(f"a log of {size} entries has no leaf {index}")
    node, last, found = index, size - 1, leaf
    for hash_ in proof:
        if not last:
            raise ProofError(f"the proof for leaf {index} of {size} is too long: it has {len(proof)} hashes")
        if node & 1 or node == last:
            found = node_hash(hash_, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, hash_)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError(f"the proof for leaf {index} of {size} is too short: it has {len(proof)} hashes")
    if found != root:
        raise ProofError(f"leaf {index} is not in the log of {size} entries with the root {root.hex()}")


def check_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that a tree continues an older one (RFC 9162, 2.1.4.2).

    Raises:
        ProofError: The proof does not show it.
    """
    _check_hashes(old_root, new_root, *proof)
    if not 0 <= old_size <= new_size:
        raise ProofError(f"a log of {new_size} entries does not continue one of {old_size}")
    if old_size in {0, new_size}:
        if proof:
            raise ProofError(f"from {old_size} to {new_size} entries nothing is to be proven, got {len(proof)} hashes")
        if old_root != (new_root if old_size else EMPTY_ROOT):
            raise ProofError(f"two roots for one log of {old_size} entries: {old_root.hex()} and {new_root.hex()}")
        if not new_size and new_root != EMPTY_ROOT:
            raise ProofError(f"a log without entries has the root {EMPTY_ROOT.hex()}, got {new_root.hex()}")
        return
    found_old, found_new = _roots_of(old_size, old_root, new_size, proof)
    if found_old != old_root:
        raise ProofError(f"the proof does not begin with the log of {old_size} entries and the root {old_root.hex()}")
    if found_new != new_root:
        raise ProofError(f"the log of {new_size} entries does not continue that of {old_size}: it is another log")


def _roots_of(old_size: int, old_root: bytes, new_size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots that a consistency proof comes to."""
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    hashes = iter(proof if node else (old_root, *proof))
    found_old = found_new = next(hashes, b"")
    for hash_ in hashes:
        if not last:
            raise ProofError(f"the proof from {old_size} to {new_size} entries is too long: it has {len(proof)} hashes")
        if node & 1 or node == last:
            found_old, found_new = node_hash(hash_, found_old), node_hash(hash_, found_new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found_new = node_hash(found_new, hash_)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError(f"the proof from {old_size} to {new_size} entries is too short: it has {len(proof)} hashes")
    return found_old, found_new


def _range_root(subtrees: Subtrees, begin: int, end: int) -> bytes:
    """Return the root over some leaves that are a node of the tree: perfect, or on its right edge."""
    hashes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        hashes.append(subtrees.root(level, begin >> level))
        begin += 1 << level
    return _folded(hashes)


def _folded(hashes: Sequence[bytes]) -> bytes:
    """Return the root over perfect subtrees, largest first."""
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def _largest_power_below(number: int) -> int:
    return 1 << ((number - 1).bit_length() - 1)


def _check_hashes(*hashes: bytes) -> None:
    for hash_ in hashes:
        if len(hash_) != HASH_BYTES:
            raise ProofError(f"a hash has {HASH_BYTES} bytes, got {len(hash_)}")
