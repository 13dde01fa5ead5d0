"""Checkpoints: what is written is read, what is signed is opened, and nothing else."""

import pytest

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.checkpoint import Checkpoint, opened, signed
from agentguard.evidence.keys import SigningKey

KEY = SigningKey("agentguard/main", b"\x01" * 32)
OTHER = SigningKey("agentguard/main", b"\x02" * 32)
CHECKPOINT = Checkpoint("agentguard/main", 3, b"\x07" * 32)


def test_what_a_log_signed_is_opened_with_its_key_alone():
    note = signed(CHECKPOINT, KEY)
    assert opened(note, [OTHER.key, KEY.key]) == CHECKPOINT
    with pytest.raises(UnverifiedError, match="no trusted key signed it"):
        opened(note, [OTHER.key])


def test_a_checkpoint_of_another_log_is_refused():
    with pytest.raises(NoteError, match="is of the log `agentguard/main`, expected `agentguard/other`"):
        opened(signed(CHECKPOINT, KEY), [KEY.key], origin="agentguard/other")
