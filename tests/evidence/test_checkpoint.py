"""Checkpoints: what is written is read, what is signed is opened, and nothing else."""

import base64

import pytest

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.checkpoint import MOST_ENTRIES, Checkpoint, opened, signed
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.note import read_note
from agentguard.evidence.tree import EMPTY_ROOT
from tests.evidence.given import LOG_KEY, ORIGIN, OTHER_KEY, WITNESS_KEY, checkpoint_note, root_of

ROOT = base64.b64encode(bytes(31) + b"\x07").decode()

# A checkpoint that a witness of another maker is tested with, and the log's public key as its tests give it.
FOREIGN_NAME = "sigsum.org/v1/tree/985ea163f5af026723561354f51f2ebcdcf2af809ce254ccfb64aa9aadd80f90"
FOREIGN_KEY = VerifierKey(
    FOREIGN_NAME, bytes.fromhex("52c05edad1bf5feffa81354faae59a655d9a9a1a793ed2f62c39c26c0be2aecd")
)
FOREIGN = f"""{FOREIGN_NAME}
1
KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

— {FOREIGN_NAME} 7BKT0gOfNZ1J0So9unY3BZtm2YkPIoNYM/dce0Z2avJDs8dxN6ts9bOSwwrVrbjm6P9K3ZxpK6jJngOG6YvGGzV/lwo=
"""


def test_what_a_log_signed_is_opened_with_its_key_alone():
    checkpoint = Checkpoint(ORIGIN, 3, root_of(3))
    note = signed(checkpoint, LOG_KEY)
    assert opened(note, [OTHER_KEY.key, LOG_KEY.key]) == checkpoint
    assert opened(read_note(note), [LOG_KEY.key], origin=ORIGIN) == checkpoint
    with pytest.raises(UnverifiedError, match="no trusted key signed it"):
        opened(note, [OTHER_KEY.key])


def test_the_checkpoint_of_another_maker_is_opened():
    assert opened(FOREIGN, [FOREIGN_KEY]) == Checkpoint(FOREIGN_NAME, 1, b"\x2a" + bytes(31))
    with pytest.raises(UnverifiedError):
        opened(FOREIGN.replace("\n1\n", "\n2\n"), [FOREIGN_KEY])


def test_a_checkpoint_of_another_log_is_refused():
    with pytest.raises(NoteError, match=f"is of the log `{ORIGIN}`, expected `agentguard/other`"):
        opened(checkpoint_note(3), [LOG_KEY.key], origin="agentguard/other")


def test_what_a_witness_signs_never_counts_as_the_logs():
    note = checkpoint_note(3, WITNESS_KEY)
    with pytest.raises(UnverifiedError, match="trusted is no key"):
        opened(note, [WITNESS_KEY.key])


def test_lines_after_the_root_are_kept_and_signed():
    checkpoint = Checkpoint(ORIGIN, 3, root_of(3), ("more", "and more"))
    note = signed(checkpoint, LOG_KEY)
    assert opened(note, [LOG_KEY.key]) == checkpoint
    with pytest.raises(UnverifiedError):
        opened(note.replace("and more", "and less"), [LOG_KEY.key])


@pytest.mark.parametrize("size", [1, 20852163, MOST_ENTRIES])
def test_sizes_are_read_as_they_are_written(size):
    assert Checkpoint.read(f"o\n{size}\n{ROOT}\n") == Checkpoint("o", size, bytes(31) + b"\x07")


def test_an_empty_log_has_the_empty_root_and_no_other():
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert Checkpoint.read(empty.text) == empty
    with pytest.raises(NoteError, match="a log without entries has the root"):
        Checkpoint.read(f"o\n0\n{ROOT}\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n",
        "o\n3\n",
        f"o\n3\n{ROOT}",
        f"\n3\n{ROOT}\n",
        f"o\n03\n{ROOT}\n",
        f"o\n+3\n{ROOT}\n",
        f"o\n-3\n{ROOT}\n",
        f"o\n 3\n{ROOT}\n",
        f"o\n3.0\n{ROOT}\n",
        f"o\n٣\n{ROOT}\n",
        f"o\n{MOST_ENTRIES + 1}\n{ROOT}\n",
        f"o\n{'9' * 100}\n{ROOT}\n",
        "o\n3\nAAAA\n",
        f"o\n3\n{ROOT[:-1]}\n",
        f"o\n3\n{ROOT} \n",
        f"o\n3\n{ROOT}\n\n",
        f"o\n3\n{ROOT}\n\nmore\n",
    ],
)
def test_what_is_no_checkpoint_is_not_read(text):
    with pytest.raises(NoteError):
        Checkpoint.read(text)


def test_a_checkpoint_that_could_be_read_as_another_is_not_made():
    for wrong in ({"origin": "a\n9"}, {"origin": ""}, {"size": -1}, {"root": bytes(31)}):
        with pytest.raises(NoteError):
            Checkpoint(**{"origin": "a", "size": 1, "root": bytes(32), **wrong})
