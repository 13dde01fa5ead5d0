"""Periods of reviews that are over: where too few of a kind were drawn, those with the smallest draws are drawn too.

A period is what the policy says that decided first in it. How far the log was counted is a row that whoever ends a
period moves on in the transaction that writes what it drew, so that of two workers one does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agentguard.core.canary import InForce
from agentguard.core.policy import Policy
from agentguard.core.request import ActorKind
from agentguard.core.reviews import LEAST, VERDICTS, Draw, Sampling, draw, period_of, stratum_of
from agentguard.engine.drawing import Drawn, write
from agentguard.engine.openings import opened
from agentguard.engine.parts import Parts
from agentguard.store import Reading, Transaction
from agentguard.store.records import CursorRecord, Entry, EntryFilter

GRACE = timedelta(minutes=10)
"""How long after its end a period is ended: longer than any clock that is relied on may go back."""

CURSOR = "reviews:"
PAGE = 500
FAR = 10_000
"""After so many entries that say nothing about a policy the next look begins behind them."""

MOST_PERIODS = 20
"""How many periods of a policy one round ends."""

_SPARE = 100


@dataclass(frozen=True, slots=True)
class Candidate:
    """A decision that could be drawn, with what of its entry a case needs."""

    draw: Draw
    policy: Policy
    entry: int
    at: datetime
    body: Mapping[str, Any]


@dataclass(slots=True)
class Kind:
    """The decisions of one tenant and stratum in a period.

    Attributes:
        decided: How many there are, of which `drawn` were by the share.
        rest: Of the others those with the smallest draws.
    """

    decided: int = 0
    drawn: int = 0
    rest: list[Candidate] = field(default_factory=list)

    def add(self, candidate: Candidate, *, drawn: bool, least: int) -> None:
        """Count one more."""
        self.decided += 1
        if drawn:
            self.drawn += 1
            return
        self.rest.append(candidate)
        if len(self.rest) > 2 * least + _SPARE:
            self._keep(least)

    def lacking(self, least: int) -> list[Candidate]:
        """Return which have to be drawn so that there are as many as there should be."""
        self._keep(max(0, least - self.drawn))
        return self.rest

    def _keep(self, most: int) -> None:
        self.rest.sort(key=lambda item: (item.draw.value, item.entry))
        del self.rest[most:]


@dataclass(slots=True)
class Period:
    """What a policy decided in one period, as far as the log was read.

    Attributes:
        sampling: As the version says that decided first in it.
        first, last: Positions of the first decision that was counted, and of the last entry that was read and is in it.
    """

    sampling: Sampling
    start: datetime
    end: datetime
    first: int
    last: int
    kinds: dict[tuple[str, tuple[str, ...]], Kind] = field(default_factory=dict)

    @classmethod
    def begun_by(cls, policy: Policy, sampling: Sampling, item: Entry) -> Period:
        """Return the period of a decision."""
        return cls(sampling, *period_of(sampling.period, item.at, policy.zone), item.pos, item.pos)

    def add(self, parts: Parts, item: Entry, body: Mapping[str, Any], policy: Policy) -> None:
        """Count a decision of the policy."""
        kind = self.kinds.setdefault((body["tenant"], stratum_of(self.sampling.by, body)), Kind())
        made = draw(parts.vault.draw, policy.name, body["action_id"])
        kept = {name: body[name] for name in ("tenant", "action_id", "action", "on_behalf_of", "actor", "verdict")}
        drawn = policy.name in body["review"]
        kind.add(Candidate(made, policy, item.pos, item.at, kept), drawn=drawn, least=self.sampling.least)

    def lacking(self) -> Iterator[Candidate]:
        """Yield what is to be drawn now that it is over."""
        for _, kind in sorted(self.kinds.items()):
            yield from kind.lacking(self.sampling.least)


def drawing_policy(parts: Parts, reading: Reading, body: Mapping[str, Any], name: str) -> Policy | None:
    """Return the policy of a name that draws from a recorded decision, as it was then; None where it does not."""
    if "review" not in body or not is_automatic(body):
        return None
    used = body["policies"].get(name)
    if used is None or used["mode"] != "enforce":
        return None
    policies = parts.force.bundle(reading, body["bundle"]).policies
    found = next((policy for policy in policies if policy.name == name), None)
    return found if found is not None and found.review is not None else None


def is_automatic(body: Mapping[str, Any]) -> bool:
    """Return whether an entry is of a decision that was made for good without a person."""
    by_person = body.get("actor", {}).get("kind") == ActorKind.PERSON
    return "state" in body and body.get("verdict") in VERDICTS and not by_person


@dataclass(slots=True)
class Counting:
    """Counts what a policy decided, decision by decision in the order of the log, period by period.

    Attributes:
        current: The period that is being counted; None before its first decision.
    """

    parts: Parts
    name: str
    current: Period | None = None

    def add(self, reading: Reading, item: Entry) -> Period | None:
        """Count a decision, and return the period before it where it is the first one after that."""
        over = None
        if self.current is not None and item.at >= self.current.end:
            over, self.current = self.current, None
        body = item.document
        policy = drawing_policy(self.parts, reading, body, self.name)
        if policy is not None and policy.review is not None:
            self.current = self.current or Period.begun_by(policy, policy.review, item)
            self.current.add(self.parts, item, body, policy)
        if self.current is not None:
            self.current.last = item.pos
        return over


def first_asked(parts: Parts, reading: Reading) -> dict[str, int]:
    """Return which policies ever asked for a least number, and where in the log the first such version came in."""
    found: dict[str, int] = {}
    seen: set[str] = set()
    after = 0
    while page := reading.entries(after, PAGE, EntryFilter(kind="activated")):
        for item in page:
            new = [] if item.is_purged else [bundle for bundle, _ in opened(item.document) if bundle not in seen]
            seen.update(new)
            speaking = [parts.force.bundle(reading, bundle) for bundle in new if _speaks_of_reviews(reading, bundle)]
            for policy in (policy for bundle in speaking for policy in bundle.policies):
                if policy.review is not None and policy.review.least and not policy.shadow:
                    found.setdefault(policy.name, item.pos - 1)
        after = page[-1].pos
    return found


def _speaks_of_reviews(reading: Reading, bundle: str) -> bool:
    """Return whether it is worth reading the policies of a bundle: a long history of them takes seconds."""
    record = reading.bundle(bundle)
    texts = [] if record is None else [reading.policy_text(item) for item in record.policies]
    return record is None or any(text is None or "review" in text.text for text in texts)


class Periods:
    """Ends the periods of one guard's store, and knows when the next look is due."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._in_force: InForce | None = None
        self._asked: dict[str, int] = {}
        self._next: dict[str, datetime] = {}

    def end_all(self, stopped: Callable[[], bool] = lambda: False) -> tuple[str, ...]:
        """Draw what is lacking in every period that is over, and return the ids of the cases."""
        parts = self._parts
        now, in_force = parts.store.read(lambda reading: (reading.clock().ledger, reading.in_force()))
        if in_force is None:
            return ()
        if in_force != self._in_force:
            self._asked = parts.store.read(lambda reading: first_asked(parts, reading))
            self._in_force, self._next = in_force, {}
        found: list[str] = []
        for name in self._asked:
            for _ in range(MOST_PERIODS):
                if stopped() or now < self._next.get(name, now):
                    break
                found += self._end_one(name, now)
        return tuple(found)

    def _end_one(self, name: str, now: datetime) -> tuple[str, ...]:
        """End the earliest period of a policy that nobody ended, if it is over."""
        parts = self._parts
        before = parts.store.read(lambda reading: reading.cursor(CURSOR + name))
        begin = self._asked[name] if before is None else before.position
        period, far = self._counted(name, begin, now)
        if period is None:
            if far - begin > FAR:
                parts.store.transact(lambda transaction: _moved(transaction, name, before, far))
            self._next[name] = now + GRACE
            return ()
        over = period.end + GRACE
        if now < over:
            self._next[name] = over
            return ()
        return parts.store.transact(lambda transaction: self._ended(transaction, name, before, period))

    def _counted(self, name: str, begin: int, now: datetime) -> tuple[Period | None, int]:
        """Return the first period after a position, and how far the log was read for it."""
        counting, far = Counting(self._parts, name), begin
        while True:
            last, over = self._parts.store.read(lambda reading, after=far: _page(reading, counting, after))  # type: ignore[misc]
            if over is not None:
                return over, over.last
            far = last or far
            running = counting.current is not None and now < counting.current.end + GRACE
            if running or last is None:
                return counting.current, far

    def _ended(
        self, transaction: Transaction, name: str, before: CursorRecord | None, period: Period
    ) -> tuple[str, ...]:
        self._parts.require_keys(transaction)
        late = EntryFilter(kind="decided", until=period.end - timedelta(microseconds=1))
        if transaction.entries(period.last, 1, late) or not _moved(transaction, name, before, period.last):
            return ()  # something came in meanwhile, or somebody else ended it: the next look finds it so
        return tuple(
            write(
                transaction,
                Drawn(item.draw, item.policy, period.sampling),
                item.body,
                item.entry,
                item.at,
                LEAST,
            )
            for item in period.lacking()
        )


def _page(reading: Reading, counting: Counting, after: int) -> tuple[int | None, Period | None]:
    """Count a page of decisions; return where it ends, None at the end of the log, and a period that is over."""
    page = reading.entries(after, PAGE, EntryFilter(kind="decided"))
    for item in page:
        over = counting.add(reading, item)
        if over is not None:
            return item.pos, over
    return page[-1].pos if page else None, None


def _moved(transaction: Transaction, name: str, before: CursorRecord | None, position: int) -> bool:
    """Note how far a policy was counted; False if somebody else did meanwhile."""
    fence = 1 if before is None else before.fence + 1
    return transaction.move_cursor(before, CursorRecord(CURSOR + name, position, fence))
