"""What a witness decides about a request: who asks, whether it continues what is known, and what is signed under it.

Nothing here speaks HTTP; the answers are C2SP's (tlog-witness), as status, content type and text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentguard.adapters.witnessed_logs import WitnessedLogs
from agentguard.engine.witness import check_continues, generation
from agentguard.errors import NoteError, UnverifiedError, WitnessMovedError, WitnessRefusedError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.cosignature import cosigned
from agentguard.evidence.keys import Signer
from agentguard.evidence.note import Note, note_text, read_note, verified
from agentguard.evidence.requests import SIZE_TYPE, AddCheckpoint, cosignature_text, size_text
from agentguard.store.witness_book import WitnessBook

PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    text: str
    content_type: str = PLAIN


class WitnessDesk:
    """One witness: its key, the logs that it knows, and what it has of them."""

    def __init__(self, signer: Signer, logs: WitnessedLogs, book: WitnessBook, now: Callable[[], int]) -> None:
        self._signer = signer
        self._logs = logs
        self._book = book
        self._now = now

    @property
    def key(self) -> str:
        """The key that it signs with, as others pin it."""
        return self._signer.key.text

    def add(self, body: bytes) -> Reply:
        """Take a checkpoint that continues what is known of its log, and sign it."""
        try:
            asked = AddCheckpoint.read(body.decode())
            note = read_note(asked.note)
            offered = Checkpoint.read(note.text)
        except (NoteError, UnicodeError) as error:
            return Reply(400, f"{error}\n")
        keys = self._logs.keys(offered.origin)
        if not keys:
            return Reply(404, f"no log `{offered.origin}` is known here\n")
        try:
            signed_by = verified(note, keys)
        except UnverifiedError as error:
            return Reply(403, f"{error}\n")
        if asked.old_size > offered.size:
            return Reply(400, f"a checkpoint of {offered.size} entries continues none of {asked.old_size}\n")
        if (now_called := self._goes_on_as(offered.origin)) is not None:
            return Reply(409, now_called)
        own = tuple(line for line in note.signatures if any(line.is_of(key) for key in signed_by))
        return self._taken(asked, offered, Note(note.text, own))

    def _taken(self, asked: AddCheckpoint, offered: Checkpoint, note: Note) -> Reply:
        at = 0

        def taken(kept: str | None) -> str | None:
            """Return the checkpoint to keep, once it is sure that it continues the one that is kept."""
            nonlocal at
            known = None if kept is None else Checkpoint.read(read_note(kept).text)
            if known is not None and known.size == offered.size and known.root != offered.root:
                raise WitnessMovedError(known.size)
            check_continues(known, asked.old_size, asked.proof, offered)
            at = self._now()
            return None if known == offered else note_text(note)

        try:
            self._book.replace(offered.origin, *generation(offered.origin), taken)
        except WitnessMovedError as moved:
            return Reply(409, size_text(moved.size), SIZE_TYPE)
        except WitnessRefusedError as error:
            return Reply(422, f"{error}\n")
        return Reply(200, cosignature_text(cosigned(note.text, self._signer, at)))

    def newest(self, origin: str) -> Reply:
        """Return the newest checkpoint of a log, signed by the witness at this moment."""
        if not self._logs.keys(origin):
            return Reply(404, "no such log is known here\n")
        if (now_called := self._goes_on_as(origin)) is not None:
            return Reply(409, now_called)
        at = self._now()  # before it is looked up: at that time there was no later one
        kept = self._book.newest(origin)
        if kept is None:
            return Reply(404, "no checkpoint of this log was seen yet\n")
        note = read_note(kept)
        return Reply(200, note_text(note.joined(cosigned(note.text, self._signer, at))))

    def _goes_on_as(self, origin: str) -> str | None:
        found = self._book.goes_on_as(*generation(origin))
        return None if found is None else f"since a restore this log goes on as `{found}`\n"
