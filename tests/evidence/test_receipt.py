"""Receipts: made, read and checked offline; what was changed, or is of another log, proves nothing."""

import pytest

from agentguard.errors import NoteError, ProofError, UnverifiedError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.receipt import FORMAT, MOST_HASHES, Receipt
from agentguard.evidence.tree import inclusion_proof
from tests.evidence.given import (
    LOG_KEY,
    NOON,
    ORIGIN,
    OTHER_KEY,
    SECOND_WITNESS,
    WITNESS_KEY,
    Known,
    checkpoint_note,
    leaves_of,
    root_of,
)

HASH = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def receipt_of(index, size, *witnesses, extra=b"", **note):
    return Receipt(
        index, inclusion_proof(Known(leaves_of(size)), index, size), checkpoint_note(size, *witnesses, **note), extra
    )


@pytest.mark.parametrize("index, size", [(0, 1), (0, 2), (1, 2), (4, 7), (6, 7)])
def test_a_receipt_is_read_as_it_was_written_and_shows_its_entry(index, size):
    receipt = receipt_of(index, size, WITNESS_KEY, extra=b"what for")
    assert Receipt.read(receipt.text) == receipt
    checkpoint = receipt.check(leaves_of(size)[index], [LOG_KEY.key], origin=ORIGIN)
    assert checkpoint == Checkpoint(ORIGIN, size, root_of(size))


def test_the_text_has_the_lines_of_the_format():
    receipt = receipt_of(2, 3, extra=b"extra")
    lines = receipt.text.split("\n")
    assert lines[:3] == [FORMAT, "extra ZXh0cmE=", "index 2"]
    assert (len(lines[3]), lines[4], lines[5]) == (44, "", ORIGIN)
    assert "extra" not in Receipt(2, receipt.proof, receipt.note).text


def test_a_receipt_is_of_one_entry():
    receipt = receipt_of(4, 7)
    for index, leaf in enumerate(leaves_of(7)):
        if index != 4:
            with pytest.raises(ProofError, match="leaf 4 is not in the log of 7 entries"):
                receipt.check(leaf, [LOG_KEY.key])
            with pytest.raises(ProofError):
                Receipt(index, receipt.proof, receipt.note).check(leaves_of(7)[4], [LOG_KEY.key])


def test_a_receipt_of_another_key_log_or_size_is_refused():
    leaf = leaves_of(7)[4]
    with pytest.raises(UnverifiedError, match="no trusted key signed it"):
        receipt_of(4, 7, key=OTHER_KEY).check(leaf, [LOG_KEY.key])
    with pytest.raises(NoteError, match=f"is of the log `agentguard/main/restored-1`, expected `{ORIGIN}`"):
        receipt_of(4, 7, origin=ORIGIN + "/restored-1").check(leaf, [LOG_KEY.key], origin=ORIGIN)
    with pytest.raises(ProofError):
        Receipt(4, receipt_of(4, 7).proof, checkpoint_note(9)).check(leaf, [LOG_KEY.key])
    with pytest.raises(ProofError, match="has no leaf 4"):
        Receipt(4, receipt_of(4, 7).proof, checkpoint_note(4)).check(leaf, [LOG_KEY.key])


def test_as_many_witnesses_as_are_asked_for_must_have_signed():
    leaf, trusted = leaves_of(7)[4], [WITNESS_KEY.key, SECOND_WITNESS.key]
    receipt_of(4, 7, WITNESS_KEY, SECOND_WITNESS).check(leaf, [LOG_KEY.key], witnesses=trusted, quorum=2, now=NOON)
    one = receipt_of(4, 7, WITNESS_KEY)
    one.check(leaf, [LOG_KEY.key], witnesses=trusted, quorum=1)
    with pytest.raises(UnverifiedError, match="2 trusted witnesses must have cosigned it, got 1"):
        one.check(leaf, [LOG_KEY.key], witnesses=trusted, quorum=2)
    with pytest.raises(UnverifiedError, match="seconds from now"):
        one.check(leaf, [LOG_KEY.key], witnesses=trusted, quorum=1, now=NOON - 60)


def test_one_witness_under_two_names_is_one_witness():
    twin = type(WITNESS_KEY)("witness.example/twin", WITNESS_KEY.seed, WITNESS_KEY.signs)
    receipt = receipt_of(4, 7, WITNESS_KEY, twin)
    with pytest.raises(UnverifiedError, match="2 trusted witnesses must have cosigned it, got 1"):
        receipt.check(leaves_of(7)[4], [LOG_KEY.key], witnesses=[WITNESS_KEY.key, twin.key], quorum=2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wrong-header\nindex 0\n\ncheckpoint\n",
        f"{FORMAT}\n",
        f"{FORMAT}\n\ncheckpoint\n",
        f"{FORMAT}\nindex 0\n",
        f"{FORMAT}\nindex\n\ncheckpoint\n",
        f"{FORMAT}\nindex x\n\ncheckpoint\n",
        f"{FORMAT}\nindex -1\n\ncheckpoint\n",
        f"{FORMAT}\nindex 00\n\ncheckpoint\n",
        f"{FORMAT}\nindex {2**63}\n\ncheckpoint\n",
        f"{FORMAT}\nindex 0\nindex 1\n\ncheckpoint\n",
        f"{FORMAT}\nextra AAAA\n\ncheckpoint\n",
        f"{FORMAT}\nextra !\nindex 0\n\ncheckpoint\n",
        f"{FORMAT}\nindex 0\nextra AAAA\n\ncheckpoint\n",
        f"{FORMAT}\nindex 0\nAAAA\n\ncheckpoint\n",
        f"{FORMAT}\nindex 0\n{HASH[:-1]}\n\ncheckpoint\n",
        f"{FORMAT}\nindex 0\n{(HASH + chr(10)) * (MOST_HASHES + 1)}\ncheckpoint\n",
    ],
)
def test_what_is_no_receipt_is_not_read(text):
    with pytest.raises(NoteError):
        Receipt.read(text)


def test_a_receipt_whose_checkpoint_is_none_is_read_and_not_believed():
    receipt = Receipt.read(f"{FORMAT}\nindex 0\n{(HASH + chr(10)) * MOST_HASHES}\ncheckpoint\n")
    with pytest.raises(NoteError):
        receipt.check(bytes(32), [LOG_KEY.key])


def test_no_changed_character_of_a_receipt_goes_unfound():
    receipt = receipt_of(4, 7).text
    for at in range(len(receipt)):
        changed = receipt[:at] + ("A" if receipt[at] != "A" else "B") + receipt[at + 1 :]
        with pytest.raises((NoteError, ProofError)):
            Receipt.read(changed).check(leaves_of(7)[4], [LOG_KEY.key], origin=ORIGIN)
