"""Signed notes: the published note of Go's checksum database, and notes that are none or that nobody trusted signed."""

from dataclasses import dataclass

import pytest

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.keys import SigningKey, VerifierKey
from agentguard.evidence.note import MOST_SIGNATURES, Signature, note_text, read_note, sign_note, verified
from tests.evidence.given import LOG_KEY, OTHER_KEY, WITNESS_KEY

PETER = VerifierKey.read("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
PETERS = SigningKey.read("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
ENOCH = VerifierKey.read("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop")
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)


@dataclass
class Impostor:
    """Signs with one key and says that it is another."""

    key: VerifierKey

    def sign(self, message):
        return OTHER_KEY.sign(message)


def test_signing_gives_the_published_note():
    assert sign_note(TEXT, PETERS) == TEXT + "\n" + PETER_LINE


def test_the_published_note_of_two_is_verified_by_whom_one_trusts():
    note = read_note((TEXT + "\n" + PETER_LINE + ENOCH_LINE).encode())
    assert verified(note, [PETER]) == (PETER,)
    assert verified(note, [ENOCH, ENOCH, PETER]) == (PETER, ENOCH)
    assert note_text(note) == TEXT + "\n" + PETER_LINE + ENOCH_LINE


def test_whoever_trusts_nobody_who_signed_hears_whom():
    note = read_note(TEXT + "\n" + PETER_LINE)
    expected = r"trusted is `EnochRoot` \(af0cfe78\), and signed has `PeterNeumann` \(c74f20a3\)"
    with pytest.raises(UnverifiedError, match=expected):
        verified(note, [ENOCH])
    with pytest.raises(UnverifiedError, match="trusted is no key"):
        verified(note, [])


def test_a_name_or_an_id_alone_makes_no_known_key():
    same_name = read_note(TEXT + "\n" + PETER_LINE.replace("x08g", "xxxx"))
    same_id = read_note(TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "CarmenSandiego"))
    for note in (same_name, same_id):
        with pytest.raises(UnverifiedError, match="no trusted key signed it"):
            verified(note, [PETER])
    assert verified(note.joined(Signature.read(PETER_LINE.strip())), [PETER]) == (PETER,)


def test_one_false_line_of_a_trusted_key_spoils_the_note_whatever_else_is_there():
    false = PETER_LINE[:60] + "ABCD" + PETER_LINE[60:]
    for lines in (false, PETER_LINE + false, false + PETER_LINE, ENOCH_LINE + false):
        with pytest.raises(UnverifiedError, match=r"the signature of `PeterNeumann` .* is not of this text"):
            verified(read_note(TEXT + "\n" + lines), [PETER, ENOCH])
    assert verified(read_note(TEXT + "\n" + false + ENOCH_LINE), [ENOCH]) == (ENOCH,)


def test_two_good_lines_of_one_key_are_one_signature():
    note = read_note(TEXT + "\n" + PETER_LINE + PETER_LINE)
    assert verified(note, [PETER]) == (PETER,)
    assert len(note.joined(*note.signatures).signatures) == 1


def test_two_keys_of_one_name_are_told_apart():
    note = read_note(sign_note(TEXT, LOG_KEY))
    assert verified(note, [OTHER_KEY.key, LOG_KEY.key]) == (LOG_KEY.key,)
    with pytest.raises(UnverifiedError):
        verified(note, [OTHER_KEY.key])


def test_another_text_is_not_what_was_signed():
    with pytest.raises(UnverifiedError):
        verified(read_note(TEXT.replace("answer", "Answer") + "\n" + PETER_LINE), [PETER])


def test_empty_lines_belong_to_the_text_but_for_the_last_one():
    text = "one\n\ntwo\n\n"
    note = read_note(sign_note(text, LOG_KEY))
    assert note.text == text
    assert verified(note, [LOG_KEY.key])


@pytest.mark.parametrize(
    "data",
    [
        "",
        "\n\n" + PETER_LINE,
        TEXT,
        TEXT + "\n",
        TEXT + PETER_LINE,
        TEXT + "\n" + PETER_LINE[:-1],
        "\x01" + TEXT + "\n" + PETER_LINE,
        TEXT.replace("\n", "\r\n") + "\n" + PETER_LINE,
        TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad Name"),
        TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "a+b"),
        TEXT + "\n" + PETER_LINE.replace("PeterNeumann ", ""),
        TEXT + "\n" + PETER_LINE.replace("—", "-"),
        TEXT + "\n" + PETER_LINE + "Unexpected line.\n",
        TEXT + "\n" + PETER_LINE.replace("AM=", "AM"),
        TEXT + "\n" + PETER_LINE.replace("AM=", "AN="),
        TEXT + "\n" + PETER_LINE.replace("AM=", "A M="),
        TEXT + "\n— PeterNeumann x08gow==\n",
        TEXT + "\n" + PETER_LINE * (MOST_SIGNATURES + 1),
        TEXT * 11_000 + "\n" + PETER_LINE,
        b"\xff" + TEXT.encode() + b"\n" + PETER_LINE.encode(),
    ],
)
def test_what_is_no_signed_note_is_not_read(data):
    with pytest.raises(NoteError):
        read_note(data)


def test_as_many_signatures_as_allowed_are_read_and_sixteen_at_least():
    assert len(read_note(TEXT + "\n" + PETER_LINE * MOST_SIGNATURES).signatures) == MOST_SIGNATURES >= 16


@pytest.mark.parametrize("text", ["", "abc", "\n", "a\tb\n"])
def test_what_can_be_no_text_of_a_note_is_not_signed(text):
    with pytest.raises(NoteError):
        sign_note(text, LOG_KEY)


@pytest.mark.parametrize("signer", [Impostor(LOG_KEY.key), WITNESS_KEY])
def test_what_a_signer_made_with_another_key_or_as_a_witness_never_leaves(signer):
    with pytest.raises(NoteError, match="a signature that its own key does not confirm"):
        sign_note(TEXT, signer)
