"""Where checkpoints are copied to, so that they outlast the database: a file, or a webhook.

    guard.seals.listen(CheckpointFile("/mnt/elsewhere/checkpoint.txt"))
    guard.seals.listen(CheckpointWebhook("https://audit.example/checkpoints", secret="whsec_…"))

An object store, a mail or a git repository are functions of the host: `listen` takes any that takes a note.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from agentguard.adapters.webhook import Webhook

CONTENT_TYPE = "text/plain; charset=utf-8"


class CheckpointFile:
    """Keeps the newest checkpoint in a file, which is whole at every moment."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.name = str(path)

    def __call__(self, note: str) -> None:
        """Put the checkpoint in the place of the one before.

        Raises:
            OSError: The file cannot be written.
        """
        beside = self.path.with_name(f"{self.path.name}.new")
        with beside.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


class CheckpointWebhook:
    """Posts each checkpoint as text to one address, signed as notices are (Standard Webhooks).

    Args:
        url: `https://…`; `http://` only to this machine.
        secret: Base64 behind `whsec_`; several while one replaces another.

    Raises:
        ConfigurationError: The address or a secret is not usable.
    """

    def __init__(self, url: str, *, secret: str | Sequence[str]) -> None:
        self._webhook = Webhook(url, secret=secret)
        self.name = self._webhook.name

    def __call__(self, note: str) -> None:
        """Post the checkpoint; the same one has the same id.

        Raises:
            UndeliveredError: There was another answer than one of 2xx, or none.
        """
        body = note.encode()
        self._webhook.post(f"checkpoint-{sha256(body).hexdigest()[:32]}", body, CONTENT_TYPE)
