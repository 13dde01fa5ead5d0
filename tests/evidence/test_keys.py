"""Keys: the published ones of Go's checksum database and of C2SP's Go library, and manglings of them."""

import pytest

from agentguard.errors import NoteError
from agentguard.evidence.keys import LOG, WITNESS, SigningKey, VerifierKey

PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
OF_A_WITNESS = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"


def manglings(text):
    """Yield every piece of a text, and the text with each letter another one."""
    for first in range(len(text)):
        for end in range(first + 1, len(text) + 1):
            if (first, end) != (0, len(text)):
                yield text[first:end]
    for at, letter in enumerate(text):
        yield text[:at] + chr(ord(letter) + 1) + text[at + 1 :]


def test_the_published_keys_are_read_and_written_alike():
    assert VerifierKey.read(PUBLIC).text == PUBLIC
    assert VerifierKey.read(OF_A_WITNESS).text == OF_A_WITNESS
    assert SigningKey.read(PRIVATE).text == PRIVATE
    assert SigningKey.read(PRIVATE).key == VerifierKey.read(PUBLIC)
    assert (VerifierKey.read(PUBLIC).signs, VerifierKey.read(OF_A_WITNESS).signs) == (LOG, WITNESS)


def test_spaces_around_a_key_and_the_end_of_its_line_are_no_part_of_it():
    assert VerifierKey.read(f"  {PUBLIC}\n") == VerifierKey.read(PUBLIC)
    assert SigningKey.read(f"{PRIVATE}\n") == SigningKey.read(PRIVATE)


def test_no_mangled_key_is_taken_for_one():
    for text in manglings(PUBLIC):
        with pytest.raises(NoteError):
            VerifierKey.read(text)
    for text in manglings(PRIVATE):
        with pytest.raises(NoteError):
            SigningKey.read(text)


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "bananas.example+12344556",
        "rekor.example+12345678+THIS_IS_NOT_BASE64!",
        "rekor.example+12345678+AwEB",
        "rekor.example+12345678+",
    ],
)
def test_keys_of_another_length_or_kind_are_refused(text):
    with pytest.raises(NoteError):
        VerifierKey.read(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\x01", "a\u00a0b", "a\u2028b"])
def test_a_name_with_spaces_plus_signs_or_control_characters_is_refused(name):
    with pytest.raises(NoteError, match="a key's name must have neither spaces nor"):
        VerifierKey(name, bytes(32))


def test_a_key_that_is_not_readable_is_not_repeated_and_a_private_one_is_not_shown():
    wrong = PRIVATE[:-1] + "y"
    with pytest.raises(NoteError) as caught:
        SigningKey.read(wrong)
    assert wrong[-40:] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "seed" not in repr(SigningKey.read(PRIVATE))


def test_a_new_key_is_of_the_random_bytes_that_it_is_given():
    assert SigningKey("log.example", bytes(32)).key == SigningKey.read(SigningKey("log.example", bytes(32)).text).key
    assert SigningKey("log.example", bytes(32)).key != SigningKey("log.example", b"\x01" + bytes(31)).key
    with pytest.raises(NoteError, match=r"the private key of `log.example` must have 32 bytes, got 31"):
        SigningKey("log.example", bytes(31))


def test_a_public_key_has_32_bytes_and_a_kind_that_there_is():
    for wrong in (b"", bytes(31), bytes(33)):
        with pytest.raises(NoteError, match="must have 32 bytes"):
            VerifierKey("log.example", wrong)
    with pytest.raises(NoteError, match="must be of kind 1"):
        VerifierKey("log.example", bytes(32), 6)


def test_one_pair_has_other_ids_as_a_log_and_as_a_witness():
    log, witness = SigningKey("a.example", bytes(32)), SigningKey("a.example", bytes(32), WITNESS)
    assert log.key.public == witness.key.public
    assert log.key.id != witness.key.id
