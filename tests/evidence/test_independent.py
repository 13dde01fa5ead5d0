"""What we write is believed by another maker's implementation of C2SP, and what that writes by ours."""

import proofbundle.checkpoint as theirs
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from proofbundle.tlogproof import format_tlog_proof, verify_tlog_proof

from agentguard.errors import UnverifiedError
from agentguard.evidence.checkpoint import Checkpoint, opened
from agentguard.evidence.cosignature import witnessed
from agentguard.evidence.note import read_note
from agentguard.evidence.receipt import Receipt
from agentguard.evidence.tree import inclusion_proof
from tests.evidence.given import (
    LOG_KEY,
    NOON,
    ORIGIN,
    OTHER_KEY,
    WITNESS_KEY,
    Known,
    checkpoint_note,
    entries_of,
    leaves_of,
    root_of,
)


def their(key):
    return Ed25519PrivateKey.from_private_bytes(key.seed)


def test_keys_have_the_same_text():
    assert theirs.vkey(LOG_KEY.name, LOG_KEY.key.public) == LOG_KEY.key.text
    assert theirs.cosign_vkey(WITNESS_KEY.name, WITNESS_KEY.key.public) == WITNESS_KEY.key.text


def test_signed_and_cosigned_checkpoints_are_the_same_text():
    note = theirs.sign_checkpoint(ORIGIN, 5, root_of(5), their(LOG_KEY), LOG_KEY.name)
    assert note == checkpoint_note(5)
    assert opened(note, [LOG_KEY.key]) == Checkpoint(ORIGIN, 5, root_of(5))
    cosigned = theirs.cosign_checkpoint(note, their(WITNESS_KEY), WITNESS_KEY.name, NOON)
    assert cosigned == checkpoint_note(5, WITNESS_KEY)
    assert witnessed(read_note(cosigned), [WITNESS_KEY.key]) == {WITNESS_KEY.key: NOON}


def test_a_witnessed_checkpoint_of_ours_is_believed_and_a_changed_one_is_not():
    keys = (LOG_KEY.key.text, [WITNESS_KEY.key.text])
    note = checkpoint_note(5, WITNESS_KEY)
    assert theirs.verify_witnessed_checkpoint(note, *keys, expected_origin=ORIGIN)["ok"]
    assert not theirs.verify_witnessed_checkpoint(note.replace("\n5\n", "\n6\n"), *keys)["ok"]
    assert not theirs.verify_checkpoint(note, OTHER_KEY.key.text)["ok"]
    with pytest.raises(UnverifiedError):
        opened(note.replace("\n5\n", "\n6\n"), [LOG_KEY.key])


@pytest.mark.parametrize("size", [1, 2, 3, 8, 21])
def test_receipts_are_the_same_text_and_believed_alike(size):
    keys = (LOG_KEY.key.text, [WITNESS_KEY.key.text])
    note = checkpoint_note(size, WITNESS_KEY)
    for index in {0, size // 2, size - 1}:
        receipt = Receipt(index, inclusion_proof(Known(leaves_of(size)), index, size), note, b"beside")
        assert format_tlog_proof(index, receipt.proof, note, b"beside") == receipt.text
        assert verify_tlog_proof(receipt.text, entries_of(size)[index], *keys, threshold=1)["ok"]
        assert not verify_tlog_proof(receipt.text, b"another entry", *keys, threshold=1)["ok"]
