"""What a log asks of a witness and what that answers (C2SP tlog-witness), as text; client and server share it.

The answers: 200 and cosignature lines; 400 for what cannot be read, 403 when no trusted key signed, 404 for a log that
the witness does not know, 409 with its own size when that is another one, 422 for a proof that does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentguard.errors import NoteError
from agentguard.evidence.base64text import encoded
from agentguard.evidence.checkpoint import read_number
from agentguard.evidence.note import MOST_SIGNATURES, Signature
from agentguard.evidence.receipt import read_hashes

PATH = "add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
"""The content type of the 409 that says how large the log is to the witness."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """The request: the size that the log thinks the witness has, the proof from there on, and the new checkpoint."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str

    @property
    def text(self) -> str:
        """The body of the request."""
        return "\n".join([f"old {self.old_size}", *map(encoded, self.proof), "", self.note])

    @classmethod
    def read(cls, text: str) -> AddCheckpoint:
        """Return what a body says; nothing of it is checked, and the note is not read.

        Raises:
            NoteError: It is not such a request.
        """
        head, empty_line, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        if not empty_line or not first.startswith("old "):
            raise NoteError(f"a request is `old N`, the proof, an empty line and a checkpoint, got `{first[:100]}`")
        return cls(read_number(first.removeprefix("old "), "the old size"), read_hashes(lines), note)


def size_text(size: int) -> str:
    """Return the body that says how large the log is to the witness."""
    return f"{size}\n"


def read_size(text: str) -> int:
    """Return how large the log is to the witness.

    Raises:
        NoteError: The body says no size.
    """
    if not text.endswith("\n"):
        raise NoteError(f"a witness must answer with a size and the end of the line, got `{text[:100]}`")
    return read_number(text[:-1], "the size that a witness has")


def cosignature_text(*signatures: Signature) -> str:
    """Return the body that hands out cosignatures."""
    return "".join(signature.line + "\n" for signature in signatures)


def read_cosignatures(text: str) -> tuple[Signature, ...]:
    """Return the signature lines that a witness answered with; nothing of them is verified.

    Raises:
        NoteError: They are not signature lines.
    """
    lines = text.split("\n")
    if lines.pop() or not lines or len(lines) > MOST_SIGNATURES:
        raise NoteError(f"a witness must answer with signature lines, got `{text[:100]}`")
    return tuple(Signature.read(line) for line in lines)
