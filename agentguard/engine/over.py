"""Which records are over: ended, older than the longest time that any file says, held by nobody, needed by nothing.

An action goes as a whole or not at all, and so does a yes that was given beside the actions. Entries about the log
itself (policies, stops, looks, erasures, purges) stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from agentguard.core.lifecycle import FINAL, State
from agentguard.core.policy import Bundle
from agentguard.core.retention import Period
from agentguard.engine import confirming, escalating, holding_back, recorded
from agentguard.engine.parts import Parts
from agentguard.store import Reading
from agentguard.store.legal_holds import LegalHold, Matter
from agentguard.store.records import ActionRecord, Entry, EntryFilter

_PAGE = 500


class Name(NamedTuple):
    """An action by its id, or a yes by the position of its entry."""

    action_id: str | None
    position: int


@dataclass(frozen=True, slots=True)
class Over:
    """One thing whose time is over.

    Attributes:
        matter: An action, or a yes, which has no action's id.
        period: How long it was kept.
        entries: Everything that is recorded of it.
    """

    matter: Matter
    period: Period
    entries: tuple[Entry, ...]

    @property
    def name(self) -> Name:
        """What it is found again by."""
        return Name(self.matter.action_id, self.entries[0].pos)


@dataclass(slots=True)
class Search:
    """One look through the records, in one consistent view.

    Attributes:
        held: How many that are old enough are under a legal hold.
        needed: How many that are old enough are needed by something that is under way.
        unsaid: How many ended actions nobody says a time for, by action.
    """

    parts: Parts
    reading: Reading
    now: datetime
    held: int = 0
    needed: int = 0
    unsaid: Counter[str] = field(default_factory=Counter)
    holds: tuple[LegalHold, ...] = field(init=False)
    in_force: tuple[Bundle, ...] = field(init=False)
    wanted: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Look up what counts for all of them."""
        self.holds = holding_back.standing(self.reading)
        self.wanted = frozenset(_wanted(self.reading))
        self.in_force = self.parts.force.every(self.reading)

    def found(self) -> Iterator[Over]:
        """Yield everything that is over."""
        for record in self._ended():
            over = self.of(record)
            if over is not None:
                yield over
        for item in self._confirmed():
            over = self.of_yes(item)
            if over is not None:
                yield over

    def again(self, name: Name) -> Over | None:
        """Return something by its name if it is over."""
        if name.action_id is None:
            item = self.reading.entry(name.position)
            return None if item is None else self.of_yes(item)
        record = self.reading.action(name.action_id)
        return None if record is None else self.of(record)

    def of(self, record: ActionRecord) -> Over | None:
        """Return an action if it is over."""
        if record.state not in FINAL or recorded.kept(record).get("purged"):
            return None
        period = self._period(record.action, record.bundle)
        if period is None:
            self.unsaid[record.action] += 1
            return None
        before = period.before(self.now)
        if (record.updated_at or record.asked_at) >= before:
            return None
        entries = self.reading.entries_of(record.id)
        if not entries or entries[-1].at >= before:
            return None
        waits = any(item.state == escalating.OPEN for item in self.reading.escalations_of(record.id))
        if waits or record.id in self.wanted:
            self.needed += 1
            return None
        matter = Matter.of(record)._replace(ended=entries[-1].at)
        return None if self._is_held(matter) else Over(matter, period, entries)

    def of_yes(self, item: Entry) -> Over | None:
        """Return a customer's yes if it is over."""
        if item.is_purged:
            return None
        body = item.document
        period = self._period(body["action"], body["bundle"])
        if period is None or item.at >= period.before(self.now):
            return None
        matter = Matter(item.stream, body["on_behalf_of"], body["action"], None, item.at, item.at)
        return None if self._is_held(matter) else Over(matter, period, (item,))

    def _is_held(self, matter: Matter) -> bool:
        held = bool(holding_back.held_by(self.holds, matter))
        self.held += held
        return held

    def _period(self, action: str, bundle: str | None) -> Period | None:
        """Return how long records of an action are kept: as the files in force say, else those it was decided by.

        Beside a canary the longer of both times counts, and what one of them says no time for is not over.
        """
        governing = [each for each in self.in_force if each.governing(action)]
        if governing:
            periods = [each.kept_for(action, self.now) for each in governing]
            said = [period for period in periods if period is not None]
            return min(said, key=lambda period: period.before(self.now)) if len(said) == len(periods) else None
        if bundle is None or self.reading.bundle(bundle) is None:
            return None
        return self.parts.force.bundle(self.reading, bundle).kept_for(action, self.now)

    def _ended(self) -> Iterator[ActionRecord]:
        for state in sorted(FINAL):
            after = ""
            while page := self.reading.actions(state, limit=_PAGE, after=after):
                yield from page
                after = page[-1].id

    def _confirmed(self) -> Iterator[Entry]:
        after = 0
        while page := self.reading.entries(after, _PAGE, EntryFilter(kind=confirming.KIND)):
            yield from page
            after = page[-1].pos


def _wanted(reading: Reading) -> Iterator[str]:
    """Yield the actions that some action under way relates to."""
    for state in State:
        after = ""
        while state not in FINAL and (page := reading.actions(state, limit=_PAGE, after=after)):
            yield from (record.relates_to for record in page if record.relates_to is not None)
            after = page[-1].id
