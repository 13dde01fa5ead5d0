"""Base 64 in its one canonical spelling, so that two texts never mean the same bytes."""

from __future__ import annotations

from base64 import b64decode, b64encode

from agentguard.errors import NoteError


def encoded(data: bytes) -> str:
    """Return bytes as text."""
    return b64encode(data).decode("ascii")


def decoded(text: str, what: str) -> bytes:
    """Return the bytes of a text.

    Raises:
        NoteError: It is not the base 64 of any bytes; `what` says of which.
    """
    try:
        data = b64decode(text.encode("ascii"), validate=True)
    except ValueError as error:
        raise NoteError(f"{what} must be base 64, got `{text[:100]}`") from error
    if encoded(data) != text:
        raise NoteError(f"{what} must be base 64 in its one spelling, got `{text[:100]}`")
    return data
