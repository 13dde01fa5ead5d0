"""What other policies would have meant for the past, added up: verdicts, money, customers, people's time, examples."""

from __future__ import annotations

import heapq
import statistics
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agentguard.core.money import Money
from agentguard.core.policy import Verdict

MOST_EXAMPLES = 10
BY_HAND = timedelta(minutes=5)
"""How long a person is taken to need for one escalation, where the record says nothing about it."""

Pair = tuple[Verdict, Verdict]
_ALONE = Verdict.ALLOW


@dataclass(frozen=True, slots=True)
class Case:
    """One request, as it was decided and as it would have been.

    Attributes:
        place: Its entry in the log, or its line in the file.
        why_old, why_new: The rules, limits and requirements that decided.
    """

    place: int
    action_id: str
    action: str
    at: datetime
    customer: str
    worth: Money | None
    old: Verdict
    new: Verdict
    why_old: tuple[str, ...]
    why_new: tuple[str, ...]


@dataclass(slots=True)
class Cell:
    """How many requests, and their worth by currency in minor units."""

    count: int = 0
    worth: dict[str, int] = field(default_factory=dict)

    def add(self, worth: Money | None) -> None:
        """Count one more."""
        self.count += 1
        if worth is not None:
            self.worth[worth.currency] = self.worth.get(worth.currency, 0) + worth.minor

    def merged(self, other: Cell) -> Cell:
        """Return both together."""
        worth = Counter(self.worth)
        worth.update(other.worth)
        return Cell(self.count + other.count, dict(worth))


@dataclass(frozen=True, slots=True)
class People:
    """What it means for those who decide.

    Attributes:
        escalations: How many more would have waited for people; below zero fewer.
        each: How long one takes a person: from seeing it to voting, the median. `assumed` where nobody's time is known.
        waited: How long customers waited from when it was opened until it was decided, the median; None if unknown.
    """

    escalations: int
    each: timedelta
    assumed: bool
    waited: timedelta | None

    @property
    def hours(self) -> float:
        """Hours of people's work added, or saved where it is below zero."""
        return self.escalations * self.each.total_seconds() / 3600


@dataclass(frozen=True, slots=True)
class Simulation:
    """The past under other policies.

    Attributes:
        requests: How many were looked at, those included of which the verdict could not be known.
        first, last: When the first and the last of them were decided.
        matrix: By old and new verdict.
        customers: How many customers some verdict changed for.
        causes: By old and new verdict and what decides now: how many changed.
        examples: The first of each change, and the largest.
        uncertain: How many requests' new verdict could not be known; these are in no matrix.
        unknown: By what could not be known and why: for how many requests.
        assumptions: What had to be assumed, in sentences.
    """

    requests: int
    first: datetime | None
    last: datetime | None
    matrix: Mapping[Pair, Cell]
    customers: int
    causes: Mapping[tuple[Verdict, Verdict, str], int]
    examples: tuple[Case, ...]
    uncertain: int
    unknown: Mapping[str, int]
    people: People
    assumptions: tuple[str, ...]

    def among(self, old: Iterable[Verdict], new: Iterable[Verdict]) -> Cell:
        """Return how many went from one of some verdicts to one of others."""
        found = Cell()
        for before in old:
            for after in new:
                if (before, after) in self.matrix:
                    found = found.merged(self.matrix[before, after])
        return found

    @property
    def changed(self) -> int:
        """How many verdicts change."""
        return sum(cell.count for (old, new), cell in self.matrix.items() if old is not new)

    @property
    def sentence(self) -> str:
        """What it comes to, in one sentence."""
        others = (Verdict.ESCALATE, Verdict.DENY)
        parts = [
            _said("more", self.among(others, (_ALONE,))),
            _said("fewer", self.among((_ALONE,), others)),
        ]
        alone = [part for part in parts if part]
        if alone:
            return f"would have allowed {' and '.join(alone)} without a person"
        if self.changed:
            return "would have allowed the same requests without a person, and decided others differently"
        unsure = f", as far as it can be known: {self.uncertain:,} could not be decided again" if self.uncertain else ""
        return f"would have changed no verdict{unsure}"


def _said(how: str, cell: Cell) -> str:
    if not cell.count:
        return ""
    worth = money_words(cell.worth)
    noun = "request" if cell.count == 1 else "requests"
    return f"{cell.count:,} {how} {noun}{f' worth {worth}' if worth else ''}"


def money_words(worth: Mapping[str, int]) -> str:
    """Return money by currency as it is written everywhere: `5812.00 USD and 40.00 EUR`."""
    return " and ".join(str(Money(minor, currency)) for currency, minor in sorted(worth.items()))


class Simulating:
    """Adds up cases, holding a few of them."""

    def __init__(self) -> None:
        self._matrix: dict[Pair, Cell] = {}
        self._customers: set[int] = set()
        self._causes: Counter[tuple[Verdict, Verdict, str]] = Counter()
        self._firsts: dict[Pair, Case] = {}
        self._largest: list[tuple[int, int, Case]] = []
        self._unknown: Counter[str] = Counter()
        self._requests = self._uncertain = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._waited = array("d")
        self._handled = array("d")
        self._assumptions: dict[str, None] = {}

    def add(self, case: Case) -> None:
        """Count one case."""
        self._saw(case.at)
        pair = case.old, case.new
        cell = self._matrix.get(pair)
        if cell is None:
            cell = self._matrix[pair] = Cell()
        cell.add(case.worth)
        if case.old is case.new:
            return
        if case.customer:
            self._customers.add(hash(case.customer))
        for source in case.why_new:
            self._causes[*pair, source] += 1
        self._firsts.setdefault(pair, case)
        item = case.worth.minor if case.worth is not None else 0, -case.place, case
        if len(self._largest) < MOST_EXAMPLES:
            heapq.heappush(self._largest, item)
        elif item[:2] > self._largest[0][:2]:
            heapq.heapreplace(self._largest, item)

    def doubt(self, at: datetime, missing: Mapping[str, str]) -> None:
        """Count one whose new verdict cannot be known, with what would have to be."""
        self._saw(at)
        self._uncertain += 1
        self._unknown.update(f"`{name}`: {why}" for name, why in missing.items())

    def lost(self, why: str) -> None:
        """Count one that cannot be decided again at all."""
        self._uncertain += 1
        self._requests += 1
        self._unknown[why] += 1

    def waited(self, time: timedelta) -> None:
        """Say how long a customer waited for people."""
        self._waited.append(time.total_seconds())

    def handled(self, time: timedelta) -> None:
        """Say how long a person took from seeing an escalation to voting."""
        self._handled.append(time.total_seconds())

    def assume(self, sentence: str) -> None:
        """Say what had to be assumed, once."""
        self._assumptions[sentence] = None

    def result(self) -> Simulation:
        """Return what was added up."""
        return Simulation(
            requests=self._requests,
            first=self._first,
            last=self._last,
            matrix=self._matrix,
            customers=len(self._customers),
            causes=dict(self._causes.most_common()),
            examples=self._examples(),
            uncertain=self._uncertain,
            unknown=dict(self._unknown.most_common()),
            people=self._people(),
            assumptions=tuple(self._assumptions),
        )

    def _saw(self, at: datetime) -> None:
        self._requests += 1
        if self._first is None:
            self._first = at
        self._last = at

    def _examples(self) -> tuple[Case, ...]:
        found = {case.place: case for case in self._firsts.values()}
        for _, _, case in sorted(self._largest, key=lambda item: item[:2], reverse=True):
            if len(found) >= MOST_EXAMPLES:
                break
            found.setdefault(case.place, case)
        return tuple(found.values())

    def _people(self) -> People:
        more = 0
        for (old, new), cell in self._matrix.items():
            more += cell.count * ((new is Verdict.ESCALATE) - (old is Verdict.ESCALATE))
        each = timedelta(seconds=statistics.median(self._handled)) if self._handled else BY_HAND
        waited = timedelta(seconds=statistics.median(self._waited)) if self._waited else None
        return People(more, each, not self._handled, waited)
