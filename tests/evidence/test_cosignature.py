"""Cosignatures: a witness's word for one checkpoint at one time, and for nothing else."""

import base64

import pytest

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.cosignature import LATEST, cosigned, witnessed
from agentguard.evidence.keys import WITNESS, SigningKey
from agentguard.evidence.note import Note, Signature, note_text, read_note
from tests.evidence.given import LOG_KEY, NOON, SECOND_WITNESS, WITNESS_KEY, checkpoint_note

SPECIFIED = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501


def test_the_line_of_the_specification_is_of_the_time_that_it_says():
    (signature,) = read_note(SPECIFIED).signatures
    assert (len(signature.value), int.from_bytes(signature.value[:8], "big")) == (72, 1679315147)


def test_what_is_signed_are_the_bytes_of_the_specification():
    text = SPECIFIED.partition("\n\n")[0] + "\n"
    made = cosigned(text, WITNESS_KEY, 1679315147)
    assert made.value[:8] == (1679315147).to_bytes(8, "big")
    message = (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    assert WITNESS_KEY.key.check(message, made.value[8:])


def test_the_witnesses_that_signed_are_told_with_their_times_and_others_are_ignored():
    note = read_note(checkpoint_note(3, WITNESS_KEY, SECOND_WITNESS))
    assert witnessed(note, [WITNESS_KEY.key, SECOND_WITNESS.key]) == {WITNESS_KEY.key: NOON, SECOND_WITNESS.key: NOON}
    assert witnessed(note, [WITNESS_KEY.key, LOG_KEY.key], now=NOON) == {WITNESS_KEY.key: NOON}
    assert witnessed(read_note(checkpoint_note(3)), [WITNESS_KEY.key]) == {}
    assert witnessed(note, []) == {}


def test_of_two_lines_of_one_witness_the_later_one_counts():
    note = read_note(checkpoint_note(3, WITNESS_KEY))
    for at in (NOON - 1, NOON + 1):
        joined = note.joined(cosigned(note.text, WITNESS_KEY, at))
        assert witnessed(joined, [WITNESS_KEY.key]) == {WITNESS_KEY.key: max(at, NOON)}


def test_a_cosignature_from_the_future_is_refused():
    note = read_note(checkpoint_note(3, WITNESS_KEY))
    with pytest.raises(UnverifiedError, match=f"is of {NOON}, 1 seconds from now"):
        witnessed(note, [WITNESS_KEY.key], now=NOON - 1)


def test_a_cosignature_is_of_one_checkpoint_one_time_and_one_name():
    note = read_note(checkpoint_note(3, WITNESS_KEY))
    (line,) = [signature for signature in note.signatures if signature.is_of(WITNESS_KEY.key)]
    other = Note(read_note(checkpoint_note(4)).text, (line,))
    later = Note(note.text, (Signature(line.name, line.key_id, (NOON + 1).to_bytes(8, "big") + line.value[8:]),))
    short = Note(note.text, (Signature(line.name, line.key_id, line.value[:7]),))
    for wrong in (other, later, short):
        with pytest.raises(UnverifiedError, match="is not of this checkpoint"):
            witnessed(wrong, [WITNESS_KEY.key])
    renamed = Note(note.text, (Signature("witness.example/w9", line.key_id, line.value),))
    assert witnessed(renamed, [WITNESS_KEY.key]) == {}


def test_a_time_past_what_the_format_has_is_refused():
    text = read_note(checkpoint_note(3)).text
    assert witnessed(Note(text, (cosigned(text, WITNESS_KEY, LATEST),)), [WITNESS_KEY.key]) == {WITNESS_KEY.key: LATEST}
    for at in (-1, LATEST + 1):
        with pytest.raises(NoteError, match="a cosignature's time must be from 0"):
            cosigned(text, WITNESS_KEY, at)
    message = f"cosignature/v1\ntime {LATEST + 1}\n{text}".encode()
    value = (LATEST + 1).to_bytes(8, "big") + WITNESS_KEY.sign(message)
    with pytest.raises(UnverifiedError):
        witnessed(Note(text, (Signature(WITNESS_KEY.name, WITNESS_KEY.key.id, value),)), [WITNESS_KEY.key])


def test_a_witness_signs_checkpoints_alone_and_a_log_key_cosigns_nothing():
    with pytest.raises(NoteError, match="a checkpoint has a line each"):
        cosigned("just a text\n", WITNESS_KEY, NOON)
    with pytest.raises(NoteError, match="a signature that its own key does not confirm"):
        cosigned(read_note(checkpoint_note(3)).text, LOG_KEY, NOON)


def test_a_plain_signature_by_the_pair_of_a_witness_is_no_cosignature():
    text = read_note(checkpoint_note(3)).text
    pair = SigningKey(WITNESS_KEY.name, WITNESS_KEY.seed)
    assert pair.key.public == WITNESS_KEY.key.public
    plain = Signature(pair.name, WITNESS_KEY.key.id, bytes(8) + pair.sign(text.encode()))
    with pytest.raises(UnverifiedError):
        witnessed(Note(text, (plain,)), [WITNESS_KEY.key])
    assert WITNESS_KEY.signs == WITNESS


def test_a_changed_bit_anywhere_in_a_cosignature_is_found():
    note = checkpoint_note(3, WITNESS_KEY)
    line = note.splitlines()[-1]
    data = bytearray(base64.b64decode(line.rpartition(" ")[2]))
    for at in range(4, len(data)):
        data[at] ^= 1
        changed = note.replace(line, line.rpartition(" ")[0] + " " + base64.b64encode(bytes(data)).decode())
        with pytest.raises(UnverifiedError):
            witnessed(read_note(changed), [WITNESS_KEY.key])
        data[at] ^= 1
    assert note_text(read_note(note)) == note
