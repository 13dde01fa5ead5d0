"""Every draw made again from the log and the key: which cases are missing, and which nobody drew.

Nothing is believed that a case's own row or a decision's entry says of a draw: the share and the least number are those
of the policy texts that the decision names, and the draws are made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agentguard.core.reviews import DRAWN, LEAST, SHARE, ReviewCase, draw
from agentguard.engine.drawing import taken
from agentguard.engine.judging import opinions_on
from agentguard.engine.parts import Parts
from agentguard.engine.periods import CURSOR, Counting, Period, first_asked, is_automatic
from agentguard.store import Reading, draws
from agentguard.store.records import Entry, EntryFilter

PAGE = 500
MISSING = "missing"
EXTRA = "extra"
MOST_FINDINGS = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """A draw that is not as it must be.

    Attributes:
        code: `missing`: it was to be drawn, and is not, or its row is gone. `extra`: nothing draws it.
        entry: Position of the decision.
    """

    code: str
    policy: str
    action_id: str
    entry: int
    how: str
    words: str


@dataclass(frozen=True, slots=True)
class Redrawn:
    """What came of making every draw again; true if all of them are as they must be.

    Attributes:
        decisions: How many decisions were looked at, of which `purged` could not be, since their records are gone.
        cases: How many cases were found as they must be.
        truncated: There is more that is wrong.
    """

    decisions: int
    purged: int
    cases: int
    findings: tuple[Finding, ...]
    truncated: bool = False

    def __bool__(self) -> bool:
        return not self.findings


def redrawn(parts: Parts, reading: Reading, since: datetime | None = None, until: datetime | None = None) -> Redrawn:
    """Make every draw over the decisions of a time again, all of them if none is said.

    Raises:
        StoreUnavailableError: The keys are not those of this database.
    """
    parts.require_keys(reading)
    return _Redrawing(parts, reading, since, until).whole()


@dataclass(slots=True)
class _Redrawing:
    """One pass over the log; `recorded` has the draws that the log tells of, by decision and policy."""

    parts: Parts
    reading: Reading
    since: datetime | None
    until: datetime | None
    recorded: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    decisions: int = 0
    purged: list[datetime] = field(default_factory=list)
    cases: int = 0
    truncated: bool = False

    def whole(self) -> Redrawn:
        """Return what was found."""
        for item in self._entries(DRAWN, open_end=True):
            body = item.document
            if "how" in body:
                self.recorded[body["decision_entry"], body["policy"]] = body
        asked = first_asked(self.parts, self.reading)
        counting = {name: Counting(self.parts, name) for name in asked}
        for item in self._entries("decided"):
            self.decisions += 1
            if item.document.get("purged"):
                self.purged.append(item.at)
                for key in [key for key in self.recorded if key[0] == item.pos]:
                    del self.recorded[key]
                continue
            self._share(item)
            for name, count in counting.items():
                over = count.add(self.reading, item)
                if over is not None:
                    self._least(name, over)
        for name, count in counting.items():
            if count.current is not None:
                self._least(name, count.current)
        for (position, policy), body in sorted(self.recorded.items()):
            entry = self.reading.entry(position)
            outside = entry is not None and entry.kind == "decided" and not self._is_inside(entry.at)
            if not outside:
                self._add(EXTRA, policy, body["action_id"], position, body["how"], "it was drawn, and nothing draws it")
        return Redrawn(self.decisions, len(self.purged), self.cases, tuple(self.findings), self.truncated)

    def _entries(self, kind: str, *, open_end: bool = False) -> Iterator[Entry]:
        after, wanted = 0, EntryFilter(kind=kind, since=self.since, until=None if open_end else self.until)
        while page := self.reading.entries(after, PAGE, wanted):
            yield from page
            after = page[-1].pos

    def _is_inside(self, at: datetime) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)

    def _share(self, item: Entry) -> None:
        """Hold what the shares take of a decision against what is recorded of it."""
        body = item.document
        if not is_automatic(body):
            return
        policies = self.parts.force.bundle(self.reading, body["bundle"]).policies
        enforced = {name for name, used in body["policies"].items() if used["mode"] == "enforce"}
        asking = [policy for policy in policies if policy.name in enforced and policy.review is not None]
        for found in taken(self.parts, asking, body["action_id"]) if asking else ():
            if self._is_first(item):
                self._found(found.draw.policy, found.draw.case, item.pos, body["action_id"], SHARE)

    def _is_first(self, item: Entry) -> bool:
        first = next(iter(self.reading.entries_of(item.document["action_id"])), None)
        return first is not None and first.pos == item.pos

    def _least(self, name: str, period: Period) -> None:
        """Hold what a period lacks against what was drawn at its end, if that has come and all of it can be read."""
        cursor = self.reading.cursor(CURSOR + name)
        if not self._is_whole(period):
            for position, policy in list(self.recorded):
                inside = policy == name and period.first <= position <= period.last
                if inside and self.recorded[position, policy]["how"] == LEAST:
                    del self.recorded[position, policy]
            return
        if cursor is None or cursor.position < period.last:
            return
        for candidate in period.lacking():
            made = candidate.draw
            self._found(made.policy, made.case, candidate.entry, candidate.body["action_id"], LEAST)

    def _is_whole(self, period: Period) -> bool:
        """Return whether nothing of a period is left out, and nothing of it was purged."""
        purged = any(period.start <= at < period.end for at in self.purged)
        cut_before = self.since is not None and period.start < self.since
        cut_after = self.until is not None and self.until < period.end - timedelta(microseconds=1)
        return not (purged or cut_before or cut_after)

    def _found(self, policy: str, case_id: str, position: int, action_id: str, how: str) -> None:
        body = self.recorded.pop((position, policy), None)
        row = draws.found(self.reading, case_id)
        if body is None or body["how"] != how or body["review"] != case_id:
            self._add(MISSING, policy, action_id, position, how, "it was to be drawn, and the log does not say so")
        elif row is None or (row.entry, row.policy, row.how) != (position, policy, how):
            self._add(MISSING, policy, action_id, position, how, "it was drawn, and its row is gone or another one")
        elif row.verdict != self._counted(row):
            self._add(MISSING, policy, action_id, position, how, "it was drawn, and nobody said what its row says")
        elif body["draw"] != draw(self.parts.vault.draw, policy, action_id).value:
            self._add(EXTRA, policy, action_id, position, how, "its entry tells of another draw")
        else:
            self.cases += 1

    def _counted(self, case: ReviewCase) -> str | None:
        """Return what counts of the opinions on a case; None as long as nobody has one."""
        opinions = opinions_on(self.reading, case)
        return opinions[-1].document["counts"] if opinions else None

    def _add(self, code: str, policy: str, action_id: str, position: int, how: str, words: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(code, policy, action_id, position, how, words))
        else:
            self.truncated = True
