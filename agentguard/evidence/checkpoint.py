"""Checkpoints (C2SP tlog-checkpoint): how large a log is and what its root is, in the name of one origin."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from agentguard.errors import NoteError
from agentguard.evidence.base64text import decoded, encoded
from agentguard.evidence.keys import Signer, VerifierKey
from agentguard.evidence.note import Note, read_note, sign_note, verified
from agentguard.evidence.tree import EMPTY_ROOT, HASH_BYTES

MOST_ENTRIES = 2**63 - 1
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The size and root of the log that goes by an origin; `extensions` are lines that others' logs may have."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin:
            raise NoteError(f"the origin of a log must be one line, got `{self.origin[:100]}`")
        if not 0 <= self.size <= MOST_ENTRIES:
            raise NoteError(f"a log has 0 to {MOST_ENTRIES} entries, got {self.size}")
        if len(self.root) != HASH_BYTES:
            raise NoteError(f"a root has {HASH_BYTES} bytes, got {len(self.root)}")
        if not self.size and self.root != EMPTY_ROOT:
            raise NoteError(f"a log without entries has the root {EMPTY_ROOT.hex()}, got {self.root.hex()}")

    @property
    def text(self) -> str:
        """What is signed: a line each for origin, size and root."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, encoded(self.root), *self.extensions))

    @classmethod
    def read(cls, text: str) -> Checkpoint:
        """Return what a note's text says; whether it is signed is not looked at.

        Raises:
            NoteError: It is not a checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise NoteError(f"a checkpoint has a line each for origin, size and root, got {len(lines)} lines")
        origin, size, root, *extensions = lines
        return cls(origin, read_number(size, "a log's size"), decoded(root, "a root"), tuple(extensions))


def read_number(text: str, what: str) -> int:
    """Return a number that is spelled in its one way.

    Raises:
        NoteError: It is not; `what` says of what.
    """
    if not _NUMBER.fullmatch(text) or int(text) > MOST_ENTRIES:
        raise NoteError(f"{what} must be a number from 0 to {MOST_ENTRIES} without leading zeroes, got `{text[:100]}`")
    return int(text)


def signed(checkpoint: Checkpoint, signer: Signer) -> str:
    """Return the checkpoint as a note that the log's key signed."""
    return sign_note(checkpoint.text, signer)


def opened(note: bytes | str | Note, keys: Iterable[VerifierKey], origin: str | None = None) -> Checkpoint:
    """Return the checkpoint of a note that one of the keys signed.

    Args:
        note: The signed note, as text or as read.
        keys: The keys that are trusted to sign for the log.
        origin: The log that it must be of; whoever does not say takes that of the note.

    Raises:
        NoteError: It is not a checkpoint, or of another log.
        UnverifiedError: No trusted key signed it.
    """
    read = note if isinstance(note, Note) else read_note(note)
    verified(read, keys)
    found = Checkpoint.read(read.text)
    if origin is not None and found.origin != origin:
        raise NoteError(f"the checkpoint is of the log `{found.origin}`, expected `{origin}`")
    return found
