"""What a check of the log finds, kept in bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MOST_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        pos: The entry, or None where it is about a row that is not an entry.
        code: `gap`, `sequence`, `chain`, `leaf`, `body`, `column`, `time`, `policy`, `sealed`, `action`, `hold`,
            `posting`, `reversal`, `escalation`, `vote`, `activation`, `halt`, `legal_hold`, `account`, `head`, `tree`,
            `checkpoint`, `signature`, `rollback`, `fork`, `tombstone` or `backdated`.
    """

    pos: int | None
    code: str
    message: str

    def __str__(self) -> str:
        return self.message if self.pos is None else f"entry {self.pos}: {self.message}"


@dataclass(slots=True)
class Findings:
    """What was found so far.

    Attributes:
        kept: The first hundred of them.
        truncated: Whether there are more.
        sound: How far the log was sound before the first entry that is not; None as long as every one is.
    """

    kept: list[Finding] = field(default_factory=list)
    truncated: bool = False
    sound: int | None = None

    def report(self, pos: int | None, code: str, message: str) -> None:
        """Keep a finding, or that there are more."""
        if len(self.kept) < MOST_FINDINGS:
            self.kept.append(Finding(pos, code, message))
        else:
            self.truncated = True

    def report_entry(self, pos: int, before: int, code: str, message: str) -> None:
        """Keep a finding about an entry; `before` is the last entry before it."""
        self.holds_until(before)
        self.report(pos, code, message)

    def holds_until(self, pos: int) -> None:
        """Note that what is said after an entry may be somebody else's."""
        self.sound = pos if self.sound is None else min(self.sound, pos)

    def add(self, others: Iterable[Finding], *, truncated: bool = False) -> None:
        """Take over what was found elsewhere."""
        for finding in others:
            self.report(finding.pos, finding.code, finding.message)
        self.truncated = self.truncated or truncated
