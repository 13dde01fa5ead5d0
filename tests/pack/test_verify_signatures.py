"""The arithmetic of verify.py against published vectors and independent implementations."""

import hashlib
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from agentguard.evidence import cosignature, tree, verify
from agentguard.evidence.checkpoint import Checkpoint, signed
from agentguard.evidence.keys import WITNESS, SigningKey
from agentguard.evidence.note import note_text, read_note

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = {
    "empty": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "one byte": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "two bytes": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "sha(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}
ORDER = verify.L

# Every point of small order there is, in every spelling of it.
SMALL = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0100000000000000000000000000000000000000000000000000000000000080",
)


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_rfc_8032_hold_and_any_flipped_bit_does_not(name):
    public, message, signature = map(bytes.fromhex, VECTORS[name])
    assert verify.signature_holds(public, message, signature)
    for place in (0, 31, 32, 63):
        for bit in (0, 7):
            changed = bytearray(signature)
            changed[place] ^= 1 << bit
            assert not verify.signature_holds(public, message, bytes(changed))
    assert not verify.signature_holds(public, message + b"x", signature)


def test_it_agrees_with_cryptography_on_random_keys_and_messages():
    drawn = random.Random(8032)
    for _ in range(20):
        key, message = Ed25519PrivateKey.from_private_bytes(drawn.randbytes(32)), drawn.randbytes(drawn.randrange(200))
        public, signature = key.public_key().public_bytes_raw(), key.sign(message)
        assert verify.signature_holds(public, message, signature)
        assert not verify.signature_holds(drawn.randbytes(32), message, signature)


def test_a_second_spelling_of_a_signature_is_refused():
    public, message, signature = map(bytes.fromhex, VECTORS["one byte"])
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify.signature_holds(public, message, signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(length):
    public, message, signature = map(bytes.fromhex, VECTORS["empty"])
    assert not verify.signature_holds(public, message, (signature + signature)[:length])


@pytest.mark.parametrize("small", SMALL)
def test_points_of_small_order_and_second_spellings_of_points_are_no_keys_and_no_commitments(small):
    point = bytes.fromhex(small)
    assert verify.point_of(point) is None
    assert not verify.signature_holds(point, b"anything", point + bytes(32))


def test_a_point_is_spelled_in_one_way():
    numbers = [number for number in range(19) if verify.point_of(number.to_bytes(32, "little")) is not None]
    assert numbers, "some of the numbers below 19 are points that can be spelled again, with the prime added"
    for number in numbers:
        assert verify.point_of((verify.P + number).to_bytes(32, "little")) is None


@given(st.integers(1, 80), st.data())
@settings(max_examples=60)
def test_inclusion_and_continuation_agree_with_the_tree_that_made_the_proofs(size, data):
    leaves = [tree.leaf_hash(bytes([number])) for number in range(size)]
    subtrees = Known(leaves)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = tree.tree_root(subtrees, size)
    proof = list(tree.inclusion_proof(subtrees, index, size))
    assert verify.is_included(leaves[index], index, size, proof, root)
    assert not verify.is_included(leaves[index], (index + 1) % size, size, proof, root) or size == 1
    assert not verify.is_included(leaves[index], index, size, [*proof, root], root)
    assert not proof or not verify.is_included(leaves[index], index, size, proof[:-1], root)
    continued = list(tree.consistency_proof(subtrees, old, size))
    old_root = tree.tree_root(subtrees, old)
    assert verify.is_continued(old, old_root, size, root, continued)
    assert not verify.is_continued(old, tree.leaf_hash(b"other"), size, root, continued)
    assert not verify.is_continued(old, old_root, size, tree.leaf_hash(b"other"), continued)
    assert not verify.is_continued(old, old_root, size, root, [*continued, root])
    assert not verify.is_continued(size + 1, old_root, size, root, continued)


def test_a_proof_for_another_size_or_of_another_length_shows_nothing():
    leaf, other = tree.leaf_hash(b"a"), tree.leaf_hash(b"b")
    pair = tree.node_hash(leaf, other)
    assert verify.is_included(leaf, 0, 2, [other], pair)
    assert not verify.is_included(leaf, 0, 4, [other], pair), "too short for a log of four"
    assert not verify.is_included(leaf, 0, 1, [other], tree.node_hash(other, leaf)), "too long for a log of one"
    assert verify.is_included(leaf, 0, 1, [], leaf)
    for index in (-1, 1):
        assert not verify.is_included(leaf, index, 1, [], leaf), "no such place"
    assert not verify.is_continued(1, leaf, 4, pair, [other])
    assert not verify.is_continued(2, pair, 4, pair, [])


class Known:
    """The inner hashes of a small tree, worked out from its leaves each time."""

    def __init__(self, leaves):
        self.leaves = leaves

    def root(self, level, index):
        return tree.perfect_root(self.leaves[index << level : (index + 1) << level])


def test_a_cosignature_counts_for_the_text_and_the_time_that_it_is_of():
    log, witness = SigningKey("acme/log", b"l" * 32), SigningKey("w.example", b"w" * 32, WITNESS)
    checkpoint = Checkpoint("agentguard/x", 3, bytes(32))
    note = read_note(signed(checkpoint, log))
    line = cosignature.cosigned(note.text, witness, 1_700_000_000)
    read = verify.Checkpoint(note_text(note.joined(line)).encode(), "it")
    assert read.signed_by(verify.Key(witness.key.text, 4))
    assert read.signed_by(verify.Key(log.key.text))
    other = verify.Checkpoint(signed(Checkpoint("agentguard/x", 4, bytes(32)), log).encode(), "it")
    other.signatures = read.signatures
    assert not other.signed_by(verify.Key(witness.key.text, 4))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "agentguard/x\n3\n",
        "agentguard/x\n03\n" + "A" * 43 + "=\n",
        "agentguard/x\n-3\n" + "A" * 43 + "=\n",
        "agentguard/x\n3\n" + "A" * 42 + "B=\n",
        "agentguard/x\n3\n" + "A" * 43 + "=",
        "agentguard/x\n3\n" + "A" * 43 + "=\nmore\n",
        "agentguard/x\n3\n" + "A" * 43 + "=\n\nno signature\n",
        "agentguard/x\n3\n" + "A" * 43 + "=\n\n— name not*base64\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(ValueError, match=r"expected|base64"):
        verify.Checkpoint(text.encode(), "it")


@pytest.mark.parametrize("text", ["", "name", "name+00000000+AAAA", "+a+b", "acme/log+00000000+AXtjNXZZhhSONUFq"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(ValueError, match="expected a key"):
        verify.Key(text)
