"""What a check of the log came to."""

from __future__ import annotations

from dataclasses import dataclass

from agentguard.store.verification.finding import Finding


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint that somebody keeps outside the database: where it was found, and its signed note."""

    where: str
    note: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        entries: How many were read.
        intact: Entries up to this one are as they were; what is said after it may be somebody else's.
        erased: Sealed values whose ciphertext was deleted, as a person's right to be forgotten asks.
        purged: Entries of which only the leaf is left, under a signed tombstone.
        findings: At most 100; `truncated` says if there were more.
        late: What is no proof of anything, but worth a question.
        head: The leaf of the last entry; empty before the first.
        root: The root of the tree over all entries, in hex; empty where entries are missing.
        checkpoints: How many stored checkpoints were signed by a key that counts, and have the root that they say.
        signed: The largest size among them: later entries are in no checkpoint yet.
        kept: The largest size that agrees with a checkpoint kept outside.
        spared: Up to this entry all is as it was signed but for those that were changed; 0 where that cannot
            be told, or nothing was changed.
        changed: The entries among them that say something else now.
        keys: The texts of the keys that count.
        pinned: Whether somebody outside says so; else whoever can write the database may have put their own there.
        since: The size of the trusted checkpoint that the check began at; 0 for the whole log.
    """

    entries: int
    streams: int
    intact: int
    erased: int
    findings: tuple[Finding, ...]
    truncated: bool
    head: str
    root: str = ""
    purged: int = 0
    late: tuple[Finding, ...] = ()
    checkpoints: int = 0
    signed: int = 0
    kept: int = 0
    spared: int = 0
    changed: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()
    pinned: bool = False
    since: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings
