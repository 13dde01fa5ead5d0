"""The tree of hashes: against published vectors, pymerkle and a reference of a few lines."""

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from agentguard.errors import ProofError
from agentguard.evidence.tree import (
    EMPTY_ROOT,
    Frontier,
    Stretch,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_root,
)

# The inputs and roots that Certificate Transparency's own implementations are tested with.
PUBLISHED = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
PUBLISHED.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
PUBLISHED_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


class Known:
    """Inner hashes worked out from the leaves each time: a reference that is slow and plain."""

    def __init__(self, leaves):
        self.leaves = leaves

    def root(self, level, index):
        assert (index + 1) << level <= len(self.leaves), "asked for a subtree that is not whole"
        if not level:
            return self.leaves[index]
        return node_hash(self.root(level - 1, 2 * index), self.root(level - 1, 2 * index + 1))


def leaves_of(count):
    return [leaf_hash(b"entry %d" % number) for number in range(count)]


def frontier_of(leaves):
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_published_roots_are_ours():
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == sha256(b"").digest()
    for data, root in zip(PUBLISHED, PUBLISHED_ROOTS, strict=True):
        frontier.append(leaf_hash(data))
        assert frontier.root().hex() == root


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 513])
def test_a_root_is_the_same_leaf_by_leaf_in_blocks_from_subtrees_and_to_pymerkle(size):
    leaves = leaves_of(size)
    one_by_one = Frontier()
    for leaf in leaves:
        one_by_one.append(leaf)
    peer = InmemoryTree(algorithm="sha256")
    for number in range(size):
        peer.append_entry(b"entry %d" % number)
    expected = peer.get_root() if size else EMPTY_ROOT
    assert frontier_of(leaves).root() == one_by_one.root() == tree_root(Known(leaves), size) == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 600), st.data())
def test_parts_hashed_apart_join_to_the_whole(size, data):
    leaves = leaves_of(size)
    cuts = sorted(data.draw(st.sets(st.integers(0, size), max_size=4)) | {0, size})
    whole = Frontier()
    for first, end in pairwise(cuts):
        part = Stretch(first)
        part.extend(leaves[first:end])
        whole.join(part)
    assert (whole.size, whole.hashes, whole.root()) == (size, frontier_of(leaves).hashes, frontier_of(leaves).root())


def test_stretches_with_a_gap_between_them_do_not_join():
    part = Stretch(3)
    with pytest.raises(ProofError, match="leaf 0 follows, but the other stretch begins at leaf 3"):
        Frontier().join(part)


def test_a_copy_goes_its_own_way():
    frontier = frontier_of(leaves_of(5))
    copy = frontier.copy()
    copy.append(leaf_hash(b"more"))
    assert (frontier.size, copy.size) == (5, 6)
    assert frontier.root() == frontier_of(leaves_of(5)).root() != copy.root()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.data())
def test_every_inclusion_proof_holds_and_none_with_a_bit_flipped(size, data):
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    root = frontier_of(leaves).root()
    proof = inclusion_proof(Known(leaves), index, size)
    check_inclusion(leaves[index], index, size, proof, root)
    parts = [leaves[index], root, *proof]
    wrong = data.draw(st.integers(0, len(parts) - 1))
    parts[wrong] = flipped(parts[wrong], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofError):
        check_inclusion(parts[0], index, size, parts[2:], parts[1])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.data())
def test_every_consistency_proof_holds_and_none_with_a_bit_flipped(new, data):
    leaves = leaves_of(new)
    old = data.draw(st.integers(0, new))
    old_root, root = frontier_of(leaves[:old]).root(), frontier_of(leaves).root()
    proof = consistency_proof(Known(leaves), old, new)
    check_consistency(old, old_root, new, root, proof)
    parts = [old_root, *proof] + ([root] if old else [])
    wrong = data.draw(st.integers(0, len(parts) - 1))
    parts[wrong] = flipped(parts[wrong], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofError):
        check_consistency(old, parts[0], new, parts[-1] if old else root, parts[1 : len(proof) + 1])
