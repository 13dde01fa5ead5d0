"""Keys that sign notes: Ed25519, in the text forms of Go's checksum database and C2SP's signed notes.

A public key is `name+hhhhhhhh+base64`, a private one `PRIVATE+KEY+name+hhhhhhhh+base64`; the eight digits are the key's
id and tell a mistyped key. Where a private key is kept, and how random bytes are drawn, is the caller's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agentguard.errors import NoteError
from agentguard.evidence.base64text import decoded, encoded

LOG = 0x01
"""The key signs the text of notes as they are."""

WITNESS = 0x04
"""The key signs that it saw a log's checkpoint, with the time (`cosignature.py`)."""

KEY_BYTES = 32
_PRIVATE = "PRIVATE+KEY+"
_NAME = re.compile(r"[^\s+\x00-\x1f]+")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key, with the name that its owner goes by and what it signs (`LOG` or `WITNESS`)."""

    name: str
    public: bytes
    signs: int = LOG

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public) != KEY_BYTES:
            raise NoteError(f"the key of `{self.name}` must have {KEY_BYTES} bytes, got {len(self.public)}")
        if self.signs not in {LOG, WITNESS}:
            raise NoteError(f"the key of `{self.name}` must be of kind 1 (log) or 4 (witness), got {self.signs}")

    @property
    def id(self) -> bytes:
        """The four bytes that stand in each signature; with the name they say whose it is."""
        return sha256(self.name.encode() + b"\n" + bytes([self.signs]) + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """The key as people hand it on: `name+hhhhhhhh+base64`."""
        return f"{self.name}+{self.id.hex()}+{encoded(bytes([self.signs]) + self.public)}"

    @classmethod
    def read(cls, text: str) -> VerifierKey:
        """Return the key that a text stands for.

        Raises:
            NoteError: It is not such a text, or was mistyped.
        """
        expected = "a public key must look like `name+hhhhhhhh+base64`"
        if text.strip().startswith(_PRIVATE):
            raise NoteError(f"{expected}, got a private one, which nobody needs in order to check")
        name, id_, signs, public = _parts(text.strip(), expected)
        return _confirmed(cls(name, public, signs), id_)

    def check(self, message: bytes, signature: bytes) -> bool:
        """Tell whether this key made the signature over exactly these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer(Protocol):
    """Who signs in the name of a key: a `SigningKey`, or a host's own door to where it keeps its keys."""

    @property
    def key(self) -> VerifierKey:
        """The public key of what it signs."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the Ed25519 signature over the message."""
        ...


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key in memory, made from 32 random bytes that the caller drew."""

    name: str
    seed: bytes = field(repr=False)
    signs: int = LOG

    def __post_init__(self) -> None:
        if len(self.seed) != KEY_BYTES:
            raise NoteError(f"the private key of `{self.name}` must have {KEY_BYTES} bytes, got {len(self.seed)}")

    @property
    def key(self) -> VerifierKey:
        """The public key that belongs to it."""
        return VerifierKey(self.name, self._private().public_key().public_bytes_raw(), self.signs)

    @property
    def text(self) -> str:
        """The key as it is kept in a file that nobody else may read."""
        return f"{_PRIVATE}{self.name}+{self.key.id.hex()}+{encoded(bytes([self.signs]) + self.seed)}"

    @classmethod
    def read(cls, text: str) -> SigningKey:
        """Return the key that a text stands for; no error repeats any of it.

        Raises:
            NoteError: It is not such a text, or was mistyped.
        """
        expected = "a private key must look like `PRIVATE+KEY+name+hhhhhhhh+base64`"
        stripped = text.strip()
        if not stripped.startswith(_PRIVATE):
            raise NoteError(expected)
        try:
            name, id_, signs, seed = _parts(stripped.removeprefix(_PRIVATE), expected)
            found = cls(name, seed, signs)
            _confirmed(found.key, id_)
        except NoteError:
            raise NoteError(f"{expected}, whole and as it was made") from None
        return found

    def sign(self, message: bytes) -> bytes:
        """Return the signature over the message."""
        return self._private().sign(message)

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def check_name(name: str) -> None:
    """Check that a key can go by this name.

    Raises:
        NoteError: It is empty, or has spaces, plus signs or control characters.
    """
    if not _NAME.fullmatch(name):
        raise NoteError(f"a key's name must have neither spaces nor `+`, got `{name[:100]}`")


def _parts(text: str, expected: str) -> tuple[str, str, int, bytes]:
    """Return name, id in hex, kind and key material."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise NoteError(f"{expected}, got `{text[:100]}`")
    material = decoded(parts[2], f"the key of `{parts[0]}`")
    if not material:
        raise NoteError(f"{expected}, got `{text[:100]}`")
    return parts[0], parts[1], material[0], material[1:]


def _confirmed(key: VerifierKey, id_: str) -> VerifierKey:
    if key.id.hex() != id_:
        raise NoteError(f"the key of `{key.name}` was mistyped: it says id `{id_}` and has `{key.id.hex()}`")
    return key
