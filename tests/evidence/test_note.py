"""Keys and signed notes: the published vectors of Go's checksum database and of C2SP, and manglings of them."""

import pytest

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.keys import SigningKey, VerifierKey
from agentguard.evidence.note import note_text, read_note, sign_note, verified

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)


def key(text):
    return VerifierKey.read(text)


def test_the_published_keys_are_read_and_written_alike():
    assert key(PETER).text == PETER
    assert SigningKey.read(PETER_PRIVATE).text == PETER_PRIVATE
    assert SigningKey.read(PETER_PRIVATE).key == key(PETER)


def test_signing_gives_the_published_note():
    assert sign_note(TEXT, SigningKey.read(PETER_PRIVATE)) == TEXT + "\n" + PETER_LINE


def test_the_published_note_of_two_is_verified_by_whom_one_trusts():
    note = read_note(TEXT + "\n" + PETER_LINE + ENOCH_LINE)
    assert verified(note, [key(PETER)]) == (key(PETER),)
    assert verified(note, [key(ENOCH), key(PETER)]) == (key(PETER), key(ENOCH))
    assert note_text(note) == TEXT + "\n" + PETER_LINE + ENOCH_LINE
    with pytest.raises(UnverifiedError):
        verified(note, [])
    with pytest.raises(NoteError):
        read_note(TEXT)
