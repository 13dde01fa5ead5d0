"""A witness behind HTTP: `agentguard witness serve`, or any other that speaks C2SP's tlog-witness.

    guard = Guard("policies/", witnesses=[HttpWitness("https://witness.example", key="witness.example/w1+…")], signer=…)

What it answers is believed as far as it is signed with the key that the host names.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from agentguard.adapters.elsewhere import NoRedirects, encrypted
from agentguard.engine.machine import Clock, wall_clock
from agentguard.errors import (
    ConfigurationError,
    NoteError,
    UnverifiedError,
    WitnessMovedError,
    WitnessRefusedError,
    WitnessUnavailableError,
)
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.cosignature import witnessed
from agentguard.evidence.keys import WITNESS, VerifierKey
from agentguard.evidence.note import read_note
from agentguard.evidence.requests import PATH, SIZE_TYPE, AddCheckpoint, cosignature_text, read_cosignatures, read_size

LONGEST_ANSWER = 100_000
SHOWN = 200
MOST_SKEW = 300
"""How many seconds a witness's clock may be ahead of ours."""

_TELLS_NOTHING = frozenset({404, 405, 501})
"""What a witness answers that does not show what it has: the protocol does not ask it to."""


class HttpWitness:
    """Offers checkpoints to a witness elsewhere.

    Args:
        url: What comes before `/add-checkpoint`: `https://…`; `http://` only to this machine, unless `plain_http`.
        key: The witness's public key, as `agentguard witness keygen` printed it.
        name: How the record calls it; the key's name if left out.
        required: A guard does not start while it cannot be asked.
        timeout: How long it may take to answer.
        plain_http: Ask it unencrypted; what it says is signed all the same.
        clock: Tells a signature that comes from the future.

    Raises:
        ConfigurationError: The address or the key is not usable.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | VerifierKey,
        name: str = "",
        required: bool = False,
        timeout: timedelta = timedelta(seconds=5),
        plain_http: bool = False,
        clock: Clock = wall_clock,
    ) -> None:
        parts = encrypted(url, "a witness's address", plain_http=plain_http)
        try:
            self.key = VerifierKey.read(key) if isinstance(key, str) else key
        except NoteError as error:
            raise ConfigurationError([f"witness `{parts.hostname}`: {error}"]) from error
        if self.key.signs != WITNESS:
            raise ConfigurationError([f"expected the key of a witness, got that of a log, `{self.key.name}`"])
        self.name = name or self.key.name
        self.required = required
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._clock = clock
        self._opener = urllib.request.build_opener(NoRedirects)

    def latest(self, origin: str) -> str | None:
        """Return the newest note that it shows; None where it has none, or shows none.

        Raises:
            WitnessRefusedError: It says that the log goes on under another name.
            WitnessUnavailableError: It cannot be asked now, or what it shows is not signed with its key.
        """
        status, _, text = self._asked(f"checkpoint/{urllib.parse.quote(origin, safe='')}", None)
        if status == 409:
            raise WitnessRefusedError(text[:SHOWN].strip())
        if status in _TELLS_NOTHING:
            return None
        if status != 200:
            raise self._unexpected(status, text)
        try:
            note = read_note(text)
            found = Checkpoint.read(note.text)
            if found.origin != origin or not witnessed(note, [self.key], self._now()):
                raise NoteError(f"it shows the log `{found.origin[:100]}`, and not `{origin}` under its own signature")
        except (NoteError, UnverifiedError) as error:
            raise WitnessUnavailableError(f"what `{self._url}` shows cannot be relied on: {error}") from error
        return text

    def add(self, old_size: int, proof: Sequence[bytes], note: str) -> str:
        """Offer a checkpoint, and return the line that the witness signed under it.

        Raises:
            WitnessMovedError: It has a checkpoint of another size than `old_size`.
            WitnessRefusedError: It has another log.
            WitnessUnavailableError: It cannot be asked now, or does not know the log or its key.
        """
        status, kind, text = self._asked(PATH, AddCheckpoint(old_size, tuple(proof), note).text.encode())
        if status == 409:
            raise self._conflict(kind, text, old_size)
        if status == 422:
            raise WitnessRefusedError(f"it says that the checkpoint does not continue its own: {text[:SHOWN].strip()}")
        if status != 200:
            raise self._unexpected(status, text)
        try:
            lines = [line for line in read_cosignatures(text) if line.is_of(self.key)]
            if not witnessed(read_note(note).joined(*lines), [self.key], self._now()):
                raise NoteError(f"none of its signatures is of the key `{self.key.name}` ({self.key.id.hex()})")
        except (NoteError, UnverifiedError) as error:
            raise WitnessUnavailableError(f"what `{self._url}` signed cannot be relied on: {error}") from error
        return cosignature_text(lines[0])

    def _asked(self, path: str, body: bytes | None) -> tuple[int, str, str]:
        """Return status, content type and text of an answer."""
        headers = {"User-Agent": "agentguard", "Content-Type": "text/plain; charset=utf-8"}
        request = urllib.request.Request(f"{self._url}/{path}", body, headers)  # noqa: S310 - the scheme was checked
        try:
            with self._opener.open(request, timeout=self._timeout.total_seconds()) as answer:
                return self._read(answer)
        except urllib.error.HTTPError as error:
            with error:
                return self._read(error)
        except (OSError, ValueError, http.client.HTTPException) as error:  # of the network, and of what is not HTTP
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise WitnessUnavailableError(f"`{self._url}` cannot be reached: {reason!s:.200}") from error

    def _read(self, answer: Any) -> tuple[int, str, str]:
        try:
            text = answer.read(LONGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            raise WitnessUnavailableError(f"`{self._url}` broke off: {error!s:.200}") from error
        if len(text) > LONGEST_ANSWER:
            raise WitnessUnavailableError(f"`{self._url}` answered more than {LONGEST_ANSWER} bytes")
        return int(answer.status), answer.headers.get_content_type(), text.decode("utf-8", "replace")

    def _conflict(self, kind: str, text: str, old_size: int) -> WitnessMovedError | WitnessRefusedError:
        if kind != SIZE_TYPE:
            return WitnessRefusedError(f"it has another log: {text[:SHOWN].strip()}")
        try:
            size = read_size(text)
        except NoteError as error:
            raise WitnessUnavailableError(f"`{self._url}`: {error}") from error
        if size != old_size:
            return WitnessMovedError(size)
        return WitnessRefusedError(f"it has another log of {size} entries under this name")

    def _now(self) -> int:
        return int(self._clock().timestamp()) + MOST_SKEW

    def _unexpected(self, status: int, text: str) -> WitnessUnavailableError:
        return WitnessUnavailableError(f"`{self._url}` answered {status}: {text[:SHOWN].strip()}")
