"""Cosignatures (C2SP tlog-cosignature, v1 over Ed25519): a witness saw a log's checkpoint, and when.

A witness's key signs nothing else, and never counts as the log's.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.keys import WITNESS, Signer, VerifierKey
from agentguard.evidence.note import Note, Signature

LATEST = 2**63 - 1
_TIME_BYTES = 8


def cosigned(text: str, signer: Signer, at: int) -> Signature:
    """Return what a witness signs under a checkpoint; the caller has checked that it continues what the witness knows.

    Args:
        text: The text of the checkpoint's note, without its signatures.
        signer: The witness's key, of kind `WITNESS`.
        at: The time in whole seconds since 1970.

    Raises:
        NoteError: It is not a checkpoint, or what was signed is not of the key that the signer says.
    """
    Checkpoint.read(text)
    if not 0 <= at <= LATEST:
        raise NoteError(f"a cosignature's time must be from 0 to {LATEST}, got {at}")
    key, message = signer.key, _message(text, at)
    value = signer.sign(message)
    if key.signs != WITNESS or not key.check(message, value):
        raise NoteError(f"what signs for the witness `{key.name}` made a signature that its own key does not confirm")
    return Signature(key.name, key.id, at.to_bytes(_TIME_BYTES, "big") + value)


def witnessed(note: Note, keys: Iterable[VerifierKey], now: int | None = None) -> dict[VerifierKey, int]:
    """Return which of the witnesses cosigned a checkpoint, each with the time that it says; of no others.

    How many are enough is for the caller to say: none is an empty answer.

    Args:
        note: The checkpoint with its signature lines.
        keys: The keys of the witnesses that are trusted; those of logs are ignored.
        now: The time in whole seconds that no cosignature may be after; None does not look at it.

    Raises:
        UnverifiedError: One of them is named and did not sign this, or says a time that has not come.
    """
    found: dict[VerifierKey, int] = {}
    known = [key for key in dict.fromkeys(keys) if key.signs == WITNESS]
    for signature in note.signatures:
        for key in known:
            if signature.is_of(key):
                at = int.from_bytes(signature.value[:_TIME_BYTES], "big")
                if at > LATEST or not key.check(_message(note.text, at), signature.value[_TIME_BYTES:]):
                    raise UnverifiedError(f"the cosignature of `{key.name}` ({key.id.hex()}) is not of this checkpoint")
                if now is not None and at > now:
                    raise UnverifiedError(f"the cosignature of `{key.name}` is of {at}, {at - now} seconds from now")
                found[key] = max(at, found.get(key, at))
    return found


def _message(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()
