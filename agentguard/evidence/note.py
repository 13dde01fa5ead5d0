"""Signed notes (C2SP signed-note): a text, an empty line, and a line for each signature under it.

Nothing of a note may be believed before `verified` has returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.base64text import decoded, encoded
from agentguard.evidence.keys import LOG, Signer, VerifierKey, check_name

MOST_BYTES = 1_000_000
MOST_SIGNATURES = 100
"""A note of a stranger is not read past these."""

_DASH = "— "
_ID_BYTES = 4
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Signature:
    """One line under a note: whose key, and the bytes that it made."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """The line as it stands in the note, without its end."""
        return f"{_DASH}{self.name} {encoded(self.key_id + self.value)}"

    @classmethod
    def read(cls, line: str) -> Signature:
        """Return what a line says; nothing of it is verified.

        Raises:
            NoteError: It is not a signature line.
        """
        name, between, text = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not between:
            raise NoteError(f"a signature must look like `— name base64`, got `{line[:100]}`")
        check_name(name)
        data = decoded(text, f"the signature of `{name}`")
        if len(data) <= _ID_BYTES:
            raise NoteError(f"the signature of `{name}` is too short: it has {len(data)} bytes")
        return cls(name, data[:_ID_BYTES], data[_ID_BYTES:])

    def is_of(self, key: VerifierKey) -> bool:
        """Tell whether it says that this key made it."""
        return self.name == key.name and self.key_id == key.id


@dataclass(frozen=True, slots=True)
class Note:
    """A text, its last newline included, and what was signed under it."""

    text: str
    signatures: tuple[Signature, ...]

    def joined(self, *signatures: Signature) -> Note:
        """Return the note with more signatures, none of them twice."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *signatures))))


def read_note(data: bytes | str) -> Note:
    """Return the parts of a note; nothing of it is verified.

    Raises:
        NoteError: It is not a signed note.
    """
    try:
        raw = data if isinstance(data, bytes) else data.encode()
        whole = raw.decode()
    except UnicodeError as error:
        raise NoteError("a note must be UTF-8") from error
    if len(raw) > MOST_BYTES:
        raise NoteError(f"a note may have {MOST_BYTES} bytes, got {len(raw)}")
    body, empty_line, below = whole.rpartition("\n\n")
    if not body or not empty_line or not below.endswith("\n"):
        raise NoteError("a note is a text, an empty line and the signatures, each line with its end")
    lines = below[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise NoteError(f"a note may have {MOST_SIGNATURES} signatures, got {len(lines)}")
    _check_text(body + "\n")
    return Note(body + "\n", tuple(Signature.read(line) for line in lines))


def note_text(note: Note) -> str:
    """Return the note as it is handed on."""
    return note.text + "\n" + "".join(signature.line + "\n" for signature in note.signatures)


def sign_note(text: str, signer: Signer) -> str:
    """Return the note of a text that one key signed.

    Raises:
        NoteError: The text cannot be a note's, or what was signed is not of the key that the signer says.
    """
    _check_text(text)
    key = signer.key
    value = signer.sign(text.encode())
    if key.signs != LOG or not key.check(text.encode(), value):
        raise NoteError(f"what signs for `{key.name}` made a signature that its own key does not confirm")
    return note_text(Note(text, (Signature(key.name, key.id, value),)))


def verified(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Return those of the keys that signed the note; signatures of others are ignored, as are keys of witnesses.

    Raises:
        UnverifiedError: None of them did, or one of them is named and did not make the signature.
    """
    known = [key for key in dict.fromkeys(keys) if key.signs == LOG]
    found: dict[VerifierKey, None] = {}
    for signature in note.signatures:
        for key in known:
            if signature.is_of(key):
                if not key.check(note.text.encode(), signature.value):
                    raise UnverifiedError(f"the signature of `{key.name}` ({key.id.hex()}) is not of this text")
                found[key] = None
    if not found:
        signed = ", ".join(f"`{signature.name}` ({signature.key_id.hex()})" for signature in note.signatures)
        trusted = ", ".join(f"`{key.name}` ({key.id.hex()})" for key in known) or "no key"
        raise UnverifiedError(f"no trusted key signed it: trusted is {trusted}, and signed has {signed}")
    return tuple(found)


def _check_text(text: str) -> None:
    if not text.endswith("\n") or text == "\n":
        raise NoteError("a note's text must have lines, each with its end")
    if _CONTROL.search(text):
        raise NoteError("a note's text must have no control characters but the ends of lines")
