"""Stretches of the log joined in order: whether each follows the one before it, and whether the roots are as stated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from agentguard.core.prose import moment
from agentguard.errors import TamperedError
from agentguard.evidence.tree import Frontier, Stretch
from agentguard.store.moment import from_microseconds
from agentguard.store.verification.finding import Finding, Findings
from agentguard.store.verification.job import Done
from agentguard.store.verification.stated import Seen, Stated
from agentguard.store.verification.stretch import Checked, follow, gap, went_back

TOLERANCE_US = 5 * 60 * 1_000_000
"""How far the ledger's clock and a witness's may be apart: what the ledger's own clock may jump unnoticed."""

Followed = Callable[[str], tuple[int, str | None]]
"""From a stream to number and leaf of its last entry before what is checked; 0 and None where it has none."""


def at_the_beginning(stream: str) -> tuple[int, str | None]:  # noqa: ARG001 -- no stream has anything before it
    """Return what comes before the first entry of a stream."""
    return 0, None


@dataclass(slots=True)
class Joined:
    """How far the log was checked, and what it came to.

    Attributes:
        elsewhere: What is stated outside the database.
        agreed: The largest size whose root is as a key that counts signed it.
        outside: The largest size whose root is as somebody outside keeps it.
        differs: The smallest size whose root is not as stated, as (what says so, its size).
        otherwise: Of those whose root is another the one that reaches furthest, one from outside before others.
        late: Entries that no witness has seen for long, as words.
    """

    before: Followed = at_the_beginning
    elsewhere: Sequence[Stated] = ()
    tree: Frontier = field(default_factory=Frontier)
    expected: int = 1
    read: int = 0
    last: int = 0
    last_us: int = 0
    leaf: str = ""
    erased: int = 0
    statements: int = 0
    agreed: int = 0
    outside: int = 0
    differs: Stated | None = None
    otherwise: Stated | None = None
    whole: bool = True
    streams: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    purged: list[tuple[int, int]] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    late: list[Finding] = field(default_factory=list)
    seen: Seen | None = None

    def join(self, done: Done) -> None:
        """Take what the next part came to."""
        checked = done.checked
        self._follow(checked)
        self.findings.add(checked.findings.kept, truncated=checked.findings.truncated)
        if checked.findings.sound is not None:
            self.findings.holds_until(checked.findings.sound)
        self._grow(checked.pieces, done.stated)
        for found in done.seen:
            self._compare_times(found)
        self.read += checked.read
        self.erased += checked.erased
        self.last, self.expected = checked.last or self.last, (checked.last or self.expected - 1) + 1
        self.last_us = max(self.last_us, checked.ended_us)
        self.leaf = checked.leaf or self.leaf
        for first, last in checked.purged:
            joins = self.purged and self.purged[-1][1] == first - 1
            self.purged.append((self.purged.pop()[0] if joins else first, last))

    @property
    def intact(self) -> int:
        """Entries up to this one are as they were, as far as anything here shows."""
        return self.last if self.findings.sound is None else min(self.findings.sound, self.last)

    @property
    def is_forked(self) -> bool:
        """Whether somebody outside has another log, so that nothing of what is signed in the database counts."""
        return self.differs is not None and self.differs.outside

    def _follow(self, checked: Checked) -> None:
        if checked.first is not None and checked.first != self.expected:
            self.findings.report_entry(checked.first, self.last, "gap", gap(self.expected, checked.first))
            self.whole = False
        for stream, begun in checked.begun.items():
            if begun is not None:
                if stream not in self.streams:
                    self.streams[stream] = self.before(stream)
                follow(self.findings, stream, begun, self.streams[stream])
        self.streams |= checked.ended
        if checked.began is not None and checked.began.ts_us < self.last_us:
            pos, before, ts_us = checked.began
            self.findings.report_entry(pos, before, "time", went_back(self.last_us, ts_us))

    def _grow(self, pieces: Iterable[Stretch], stated: Iterable[Stated]) -> None:
        at: dict[int, list[Stated]] = {}
        for statement in (*stated, *self.elsewhere):
            at.setdefault(statement.size, []).append(statement)
        for piece in pieces:
            self.whole = self.whole and piece.first == self.tree.size
            if not self.whole:
                return  # a hole was reported, and what comes after it has no place in the tree
            self.tree.join(piece)
            if piece.end in at:
                self.compare(self.tree.root(), at.pop(piece.end))

    def compare(self, root: bytes, stated: Iterable[Stated]) -> None:
        """Compare the root over some first entries with what is stated of it."""
        for statement in stated:
            if statement.root == root:
                self.statements += statement.signed and not statement.outside
                if statement.signed and not self.is_forked:
                    self.agreed = max(self.agreed, statement.size)
                self.outside = max(self.outside, statement.size if statement.outside else 0)
                continue
            if statement.signed and (self.otherwise is None or statement.outside >= self.otherwise.outside):
                self.otherwise = statement
            if self.differs is None or (statement.outside and not self.differs.outside):
                self._report(statement, root)

    def _report(self, statement: Stated, root: bytes) -> None:
        """Report the first root that is not as stated: every larger one cannot be either."""
        self.differs = statement
        if statement.outside:
            self.agreed = min(self.agreed, self.outside)  # who has the key signs whatever the database is made to say
        holds = max(self.agreed, self.outside)
        since = (
            f"what was signed for {holds} entries still holds, so one of {holds + 1} to {statement.size} was changed"
        )
        words = f"expected {statement.what} to have the root of this log, {root.hex()}, got {statement.root.hex()}: "
        words += since if holds else f"the first {statement.size} entries are not those that it was made of"
        self.findings.holds_until(holds)
        self.findings.report(None, "fork" if statement.outside else "tree", words)

    def _compare_times(self, seen: Seen) -> None:
        at, name = _time(seen.at_us), f"witness `{seen.witness}`"
        if seen.last_us is not None and seen.last_us > seen.at_us + TOLERANCE_US:
            words = f"expected a time before {at}, when {name} saw it, got {_time(seen.last_us)}: the clock was ahead"
            self.findings.report(seen.size, "backdated", words)
        if seen.following_us is not None and seen.following_us < seen.at_us - TOLERANCE_US:
            words = f"expected a time after {at}, when {name} saw the log without it, got {_time(seen.following_us)}: "
            words += "it was written later than it says"
            self.findings.report_entry(seen.size + 1, seen.size, "backdated", words)
        first = None if self.seen is None else self.seen.following_us
        if self.seen is not None and first is not None and first < seen.at_us - TOLERANCE_US:
            words = (
                f"entries {self.seen.size + 1} to {seen.size} begin at {_time(first)}, and no witness saw them before "
            )
            words += f"{at}: it could not be reached, or they were written later than they say"
            self.late.append(Finding(self.seen.size + 1, "backdated", words))
        self.seen = seen


def _time(us: int) -> str:
    try:
        return moment(from_microseconds(us))
    except (OverflowError, TamperedError):
        return f"{us} µs"
