"""The tree of hashes: against published vectors, pymerkle and the definitions of RFC 9162 written out plainly."""

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
from tests.evidence.given import Known, entries_of, flipped, frontier_of, leaves_of, root_of

# The inputs and roots that Certificate Transparency's own implementations are tested with.
PUBLISHED = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
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
# (leaf counted from 1, size, proof), and (old size, new size, proof), of the tree over these inputs.
PUBLISHED_INCLUSION = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        2,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
PUBLISHED_CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
PUBLISHED_LEAVES = [leaf_hash(bytes.fromhex(text)) for text in PUBLISHED]


def peer_of(size):
    peer = InmemoryTree(algorithm="sha256")
    peer.append_entries(entries_of(size))
    return peer


def plain_root(leaves):
    """Return the root as RFC 9162, 2.1.1 defines it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = half(leaves)
    return node_hash(plain_root(leaves[:middle]), plain_root(leaves[middle:]))


def plain_consistency(old, leaves, known=True):
    """Return the proof as RFC 9162, 2.1.4.1 defines it."""
    if old == len(leaves):
        return [] if known else [plain_root(leaves)]
    middle = half(leaves)
    if old <= middle:
        return [*plain_consistency(old, leaves[:middle], known), plain_root(leaves[middle:])]
    return [*plain_consistency(old - middle, leaves[middle:], False), plain_root(leaves[:middle])]


def half(leaves):
    return 1 << ((len(leaves) - 1).bit_length() - 1)


def hexadecimal(hashes):
    return [hash_.hex() for hash_ in hashes]


def test_the_published_roots_are_ours():
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == sha256(b"").digest()
    for leaf, root in zip(PUBLISHED_LEAVES, PUBLISHED_ROOTS, strict=True):
        frontier.append(leaf)
        assert frontier.root().hex() == root


@pytest.mark.parametrize("number, size, proof", PUBLISHED_INCLUSION)
def test_the_published_inclusion_proofs_are_ours(number, size, proof):
    made = inclusion_proof(Known(PUBLISHED_LEAVES[:size]), number - 1, size)
    assert hexadecimal(made) == proof
    check_inclusion(PUBLISHED_LEAVES[number - 1], number - 1, size, made, bytes.fromhex(PUBLISHED_ROOTS[size - 1]))


@pytest.mark.parametrize("old, new, proof", PUBLISHED_CONSISTENCY)
def test_the_published_consistency_proofs_are_ours(old, new, proof):
    made = consistency_proof(Known(PUBLISHED_LEAVES[:new]), old, new)
    assert hexadecimal(made) == proof
    roots = [bytes.fromhex(PUBLISHED_ROOTS[size - 1]) for size in (old, new)]
    check_consistency(old, roots[0], new, roots[1], made)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 513])
def test_a_root_is_the_same_leaf_by_leaf_in_blocks_from_subtrees_and_to_pymerkle(size):
    leaves = leaves_of(size)
    one_by_one = Frontier()
    for leaf in leaves:
        one_by_one.append(leaf)
    expected = peer_of(size).get_root() if size else EMPTY_ROOT
    assert frontier_of(leaves).root() == one_by_one.root() == tree_root(Known(leaves), size) == expected


def test_leaves_that_come_a_few_at_a_time_give_the_same_root_as_all_at_once():
    leaves, frontier = leaves_of(1200), Frontier()
    for first, end in pairwise([0, 100, 256, 600, 601, 1190, 1200]):
        frontier.extend(leaves[first:end])
        assert frontier.root() == plain_root(leaves[:end])


@settings(max_examples=40)
@given(st.integers(1, 600), st.data())
def test_parts_hashed_apart_join_to_the_whole(size, data):
    leaves = leaves_of(size)
    cuts = sorted(data.draw(st.sets(st.integers(0, size), max_size=4)) | {0, size})
    whole = Frontier()
    for first, end in pairwise(cuts):
        part = Stretch(first)
        part.extend(leaves[first:end])
        whole.join(part)
    assert (whole.size, whole.hashes, whole.root()) == (size, frontier_of(leaves).hashes, plain_root(leaves))


def test_stretches_with_a_gap_between_them_do_not_join():
    with pytest.raises(ProofError, match="leaf 0 follows, but the other stretch begins at leaf 3"):
        Frontier().join(Stretch(3))


def test_a_subtree_where_none_begins_is_refused():
    frontier = frontier_of(leaves_of(3))
    with pytest.raises(ProofError, match="no subtree of 2 leaves begins at leaf 3"):
        frontier.add(1, bytes(32))
    with pytest.raises(ProofError, match="a hash has 32 bytes, got 31"):
        frontier.append(bytes(31))


def test_a_copy_goes_its_own_way():
    frontier = frontier_of(leaves_of(5))
    copy = frontier.copy()
    copy.append(leaf_hash(b"more"))
    assert (frontier.size, copy.size) == (5, 6)
    assert frontier.root() == root_of(5) != copy.root()


@settings(max_examples=60)
@given(st.integers(1, 200), st.data())
def test_inclusion_proofs_are_pymerkles_and_hold_and_none_with_a_bit_flipped_does(size, data):
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    root = plain_root(leaves)
    proof = inclusion_proof(Known(leaves), index, size)
    assert list(proof) == peer_of(size).prove_inclusion(index + 1, size).path[1:]
    check_inclusion(leaves[index], index, size, proof, root)
    parts = [leaves[index], root, *proof]
    wrong = data.draw(st.integers(0, len(parts) - 1))
    parts[wrong] = flipped(parts[wrong], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofError):
        check_inclusion(parts[0], index, size, parts[2:], parts[1])


@settings(max_examples=60)
@given(st.integers(1, 200), st.data())
def test_consistency_proofs_are_as_defined_and_hold_and_none_with_a_bit_flipped_does(new, data):
    leaves = leaves_of(new)
    old = data.draw(st.integers(1, new))
    old_root, root = plain_root(leaves[:old]), plain_root(leaves)
    proof = consistency_proof(Known(leaves), old, new)
    assert list(proof) == plain_consistency(old, leaves)
    check_consistency(old, old_root, new, root, proof)
    parts = [old_root, root, *proof]
    wrong = data.draw(st.integers(0, len(parts) - 1))
    parts[wrong] = flipped(parts[wrong], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofError):
        check_consistency(old, parts[0], new, parts[1], parts[2:])


@settings(max_examples=60)
@given(st.integers(2, 40), st.data())
def test_no_inclusion_proof_holds_for_another_index_or_with_a_hash_more_or_less(size, data):
    leaves = leaves_of(size)
    index, other = data.draw(st.permutations(range(size)))[:2]
    root, proof = plain_root(leaves), inclusion_proof(Known(leaves), index, size)
    for wrong_index, wrong_proof in (
        (other, proof),
        (index, proof[:-1]),
        (index, proof[1:]),
        (index, (*proof, root)),
        (index, (root, *proof)),
    ):
        with pytest.raises(ProofError):
            check_inclusion(leaves[index], wrong_index, size, wrong_proof, root)


@settings(max_examples=60)
@given(st.integers(2, 40), st.data())
def test_no_consistency_proof_holds_for_other_sizes_or_with_a_hash_more_or_less(new, data):
    leaves = leaves_of(new)
    old = data.draw(st.integers(1, new - 1))
    old_root, root, proof = plain_root(leaves[:old]), plain_root(leaves), consistency_proof(Known(leaves), old, new)
    for wrong_old, wrong_proof in (
        (old + 1, proof),
        (old, proof[:-1]),
        (old, proof[1:]),
        (old, (*proof, root)),
        (old, (root, *proof)),
        (old, ()),
    ):
        with pytest.raises(ProofError):
            check_consistency(wrong_old, old_root, new, root, wrong_proof)


def test_a_proof_of_the_wrong_length_is_told_as_such():
    leaves, root = leaves_of(7), root_of(7)
    inclusion, consistency = inclusion_proof(Known(leaves), 4, 7), consistency_proof(Known(leaves), 3, 7)
    for proof, words in (((*inclusion, root), "too long: it has 4 hashes"), (inclusion[:-1], "too short")):
        with pytest.raises(ProofError, match=f"the proof for leaf 4 of 7 is {words}"):
            check_inclusion(leaves[4], 4, 7, proof, root)
    for proof, words in (((*consistency, root), "too long: it has 5 hashes"), ((), "too short")):
        with pytest.raises(ProofError, match=f"the proof from 3 to 7 entries is {words}"):
            check_consistency(3, root_of(3), 7, root, proof)


def test_two_entries_together_are_not_taken_for_an_inner_hash():
    leaves = leaves_of(2)
    forged = leaf_hash(leaves[0] + leaves[1])
    assert forged != root_of(2) == node_hash(*leaves)
    with pytest.raises(ProofError):
        check_inclusion(forged, 0, 1, (), root_of(2))


@pytest.mark.parametrize("index, size", [(0, 0), (-1, 5), (5, 5), (6, 5)])
def test_an_entry_that_a_log_does_not_have_has_no_proof(index, size):
    with pytest.raises(ProofError, match=f"a log of {size} entries has no leaf {index}"):
        inclusion_proof(Known(leaves_of(size)), index, size)
    with pytest.raises(ProofError, match=f"a log of {size} entries has no leaf {index}"):
        check_inclusion(bytes(32), index, size, (), bytes(32))


@pytest.mark.parametrize("old, new", [(6, 5), (1, 0), (-1, 5)])
def test_a_log_does_not_continue_one_that_is_longer(old, new):
    with pytest.raises(ProofError, match=f"a log of {new} entries does not continue one of {old}"):
        consistency_proof(Known(leaves_of(5)), old, new)
    with pytest.raises(ProofError, match=f"a log of {new} entries does not continue one of {old}"):
        check_consistency(old, root_of(5), new, root_of(5), ())


def test_one_size_has_one_root():
    check_consistency(5, root_of(5), 5, root_of(5), ())
    with pytest.raises(ProofError, match="two roots for one log of 5 entries"):
        check_consistency(5, root_of(5), 5, root_of(6), ())
    with pytest.raises(ProofError, match="nothing is to be proven, got 1 hashes"):
        check_consistency(5, root_of(5), 5, root_of(5), (bytes(32),))


def test_every_log_continues_an_empty_one_and_only_the_empty_root_is_empty():
    check_consistency(0, EMPTY_ROOT, 5, root_of(5), ())
    check_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, ())
    assert consistency_proof(Known(leaves_of(5)), 0, 5) == ()
    for old_root, new, new_root, proof in (
        (root_of(1), 5, root_of(5), ()),
        (EMPTY_ROOT, 0, root_of(5), ()),
        (EMPTY_ROOT, 5, root_of(5), (bytes(32),)),
    ):
        with pytest.raises(ProofError):
            check_consistency(0, old_root, new, new_root, proof)


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33)])
def test_what_is_no_hash_is_no_part_of_a_proof(wrong):
    with pytest.raises(ProofError, match=f"a hash has 32 bytes, got {len(wrong)}"):
        check_inclusion(leaves_of(2)[0], 0, 2, (wrong,), root_of(2))
    with pytest.raises(ProofError, match=f"a hash has 32 bytes, got {len(wrong)}"):
        check_consistency(1, wrong, 2, root_of(2), (bytes(32),))
