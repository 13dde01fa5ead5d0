"""Receipts (C2SP tlog-proof): that an entry is in a log, in one text that anybody checks without the log.

Whoever keeps one can show later that the log had the entry, whatever became of the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.base64text import decoded, encoded
from agentguard.evidence.checkpoint import Checkpoint, opened, read_number
from agentguard.evidence.cosignature import witnessed
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.note import read_note
from agentguard.evidence.tree import HASH_BYTES, check_inclusion

FORMAT = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63
MOST_CHARACTERS = 2_000_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an entry is in a log, what proves it, and the signed checkpoint that the proof leads to.

    `index` counts from 0: it is the entry's position less one. `note` is the checkpoint with its signatures as the log
    handed it out; `extra` is what whoever made the receipt wanted to have beside it, and nothing confirms it.
    """

    index: int
    proof: tuple[bytes, ...]
    note: str
    extra: bytes = b""

    @property
    def text(self) -> str:
        """The receipt as it is handed out."""
        extra = [f"extra {encoded(self.extra)}"] if self.extra else []
        return "\n".join([FORMAT, *extra, f"index {self.index}", *map(encoded, self.proof), "", self.note])

    @classmethod
    def read(cls, text: str) -> Receipt:
        """Return what a receipt says; nothing of it is checked.

        Raises:
            NoteError: It is not a receipt.
        """
        head, empty_line, note = text[: MOST_CHARACTERS + 1].partition("\n\n")
        lines = head.split("\n")
        if len(text) > MOST_CHARACTERS or not empty_line or lines.pop(0) != FORMAT or not lines:
            raise NoteError(f"a receipt must begin with the line `{FORMAT}` and have a checkpoint, got `{text[:40]!r}`")
        extra = b""
        if lines[0].startswith("extra "):
            extra = decoded(lines.pop(0).removeprefix("extra "), "what is beside a receipt")
        if not lines or not lines[0].startswith("index "):
            raise NoteError(f"a receipt must say `index N`, got `{lines[0][:100] if lines else ''}`")
        index = read_number(lines.pop(0).removeprefix("index "), "the index of a receipt")
        return cls(index, read_hashes(lines), note, extra)

    def check(
        self,
        leaf: bytes,
        keys: Iterable[VerifierKey],
        *,
        origin: str | None = None,
        witnesses: Iterable[VerifierKey] = (),
        quorum: int = 0,
        now: int | None = None,
    ) -> Checkpoint:
        """Check that the entry with this leaf is in a log that trusted keys signed, and return the checkpoint.

        Args:
            leaf: The leaf hash of the entry.
            keys: The keys that are trusted to sign for the log.
            origin: The log that it must be of; whoever does not say takes any.
            witnesses: The keys of trusted witnesses.
            quorum: How many of them must have cosigned the checkpoint.
            now: The time in whole seconds that no cosignature may be after; None does not look at it.

        Raises:
            ProofError: The entry is not there.
            NoteError: The checkpoint is not one, or of another log.
            UnverifiedError: No trusted key signed it, or too few witnesses.
        """
        note = read_note(self.note)
        checkpoint = opened(note, keys, origin)
        check_inclusion(leaf, self.index, checkpoint.size, self.proof, checkpoint.root)
        seen = {key.public for key in witnessed(note, witnesses, now)}
        if len(seen) < quorum:
            raise UnverifiedError(f"{quorum} trusted witnesses must have cosigned it, got {len(seen)}")
        return checkpoint


def read_hashes(lines: list[str]) -> tuple[bytes, ...]:
    """Return the hashes of a proof, one a line.

    Raises:
        NoteError: One is not a hash, or they are more than any log can need.
    """
    if len(lines) > MOST_HASHES:
        raise NoteError(f"a proof has at most {MOST_HASHES} hashes, got {len(lines)}")
    hashes = tuple(decoded(line, "a hash") for line in lines)
    for hash_ in hashes:
        if len(hash_) != HASH_BYTES:
            raise NoteError(f"a hash has {HASH_BYTES} bytes, got {len(hash_)}")
    return hashes
