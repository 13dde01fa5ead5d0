"""How people decide, in numbers: by route and by person, from the escalations and from the votes in the log."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agentguard.engine import escalating
from agentguard.store import Reading
from agentguard.store.records import Entry, EntryFilter, EscalationRecord

_PAGE = 1_000
_DECIDED = {
    escalating.APPROVED: "approved",
    escalating.USED: "approved",
    escalating.REJECTED: "rejected",
    escalating.AMENDED: "amended",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one route: how much waits, how it ended, and how long people took.

    Attributes:
        late: Nobody decided in time: passed on or denied.
        median, slowest_twentieth: Times from when it was opened until it was decided, of those that were; the second
            is what 95 of 100 stayed within.
    """

    route: str
    open: int
    approved: int
    rejected: int
    amended: int
    withdrawn: int
    late: int
    median: timedelta | None
    slowest_twentieth: timedelta | None

    @property
    def decided(self) -> int:
        """How many people decided."""
        return self.approved + self.rejected + self.amended


@dataclass(frozen=True, slots=True)
class Voter:
    """One person's votes, and how long they took from when each was opened."""

    voter: str
    approved: int
    rejected: int
    amended: int
    median: timedelta | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of all routes and of everybody who voted, since a moment if one was given."""

    since: datetime | None
    routes: tuple[Figures, ...]
    voters: tuple[Voter, ...]


@dataclass(slots=True)
class _Tally:
    counts: dict[str, int] = field(default_factory=dict)
    times: list[timedelta] = field(default_factory=list)

    def add(self, what: str, time: timedelta | None = None) -> None:
        """Count one more, and how long it took if that is known."""
        self.counts[what] = self.counts.get(what, 0) + 1
        if time is not None:
            self.times.append(time)


def statistics_of(reading: Reading, tenant: str | None, since: datetime | None) -> Statistics:
    """Return the figures of what was opened since a moment, or of all of it."""
    routes: dict[str, _Tally] = {}
    opened: dict[str, datetime] = {}
    for record in _escalations(reading, tenant):
        if since is not None and record.opened_at < since:
            continue
        opened[record.id] = record.opened_at
        for route in escalating.routes_of(record):
            _count(routes.setdefault(route["id"], _Tally()), record)
    voters: dict[str, _Tally] = {}
    for entry in _votes(reading, since):
        body = entry.document
        if not entry.is_purged and body["escalation"] in opened:
            voters.setdefault(body["vote"]["voter"], _Tally()).add(_how(body), entry.at - opened[body["escalation"]])
    return Statistics(
        since,
        tuple(_figures(route, tally) for route, tally in sorted(routes.items())),
        tuple(_voter(name, tally) for name, tally in sorted(voters.items())),
    )


def _escalations(reading: Reading, tenant: str | None) -> Iterator[EscalationRecord]:
    after = ""
    while page := reading.escalations(None, tenant, _PAGE, after):
        yield from page
        after = page[-1].id


def _votes(reading: Reading, since: datetime | None) -> Iterator[Entry]:
    after = 0
    while page := reading.entries(after, _PAGE, EntryFilter(kind="voted", since=since)):
        yield from page
        after = page[-1].pos


def _count(tally: _Tally, record: EscalationRecord) -> None:
    if record.state in _DECIDED and record.closed_at is not None:
        tally.add(_DECIDED[record.state], record.closed_at - record.opened_at)
    elif record.state in (escalating.EXPIRED, escalating.PASSED_ON):
        tally.add("late")
    else:
        tally.add(record.state)


def _how(body: dict[str, Any]) -> str:
    if body["escalation_state"] == escalating.AMENDED:
        return "amended"
    return "approved" if body["vote"]["approve"] else "rejected"


def _figures(route: str, tally: _Tally) -> Figures:
    counts = {
        name: tally.counts.get(name, 0) for name in ("open", "approved", "rejected", "amended", "withdrawn", "late")
    }
    return Figures(route, **counts, median=_median(tally.times), slowest_twentieth=_within(tally.times, 95))


def _voter(name: str, tally: _Tally) -> Voter:
    counts = {how: tally.counts.get(how, 0) for how in ("approved", "rejected", "amended")}
    return Voter(name, **counts, median=_median(tally.times))


def _median(times: Sequence[timedelta]) -> timedelta | None:
    return timedelta(seconds=statistics.median(time.total_seconds() for time in times)) if times else None


def _within(times: Sequence[timedelta], percent: int) -> timedelta | None:
    """Return what so many of a hundred stayed within."""
    return sorted(times)[math.ceil(len(times) * percent / 100) - 1] if times else None
