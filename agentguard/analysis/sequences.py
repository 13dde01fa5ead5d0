"""Requests one after the other that together pass a total, each decided with what the ones before it used.

Each is really decided, and counted as a ledger counts. The solver looks for a next one only where the same request is
not allowed once more: for another order, say, whose limit nobody has used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agentguard.analysis.climbing import climb
from agentguard.analysis.counter import Account, Counter
from agentguard.analysis.renaming import renamed
from agentguard.analysis.summing import Sum
from agentguard.analysis.symbolic import values
from agentguard.analysis.symbolic.inputs import microseconds
from agentguard.analysis.symbolic.logic import Truth, all_of, choose, no, total
from agentguard.analysis.symbolic.number import compared
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import MONDAY, Example, Search
from agentguard.analysis.symbolic.value import units
from agentguard.core.calendar import start_of
from agentguard.core.language import Expression, Value
from agentguard.core.plan import PlannedLimit
from agentguard.core.policy import Verdict, WindowKind
from agentguard.core.request import ActorKind

MOST_REQUESTS = 2_000
MOST_SEARCHES = 60
MORNING = MONDAY + timedelta(hours=10)


@dataclass(frozen=True, slots=True)
class Sequence:
    """Requests that pass a total together.

    Attributes:
        requests: Each as it was decided, after the ones before it.
        amounts: What each adds, in minor units, or a count.
        most: What they should not have passed.
        unit: A currency code, or `#`.
    """

    requests: tuple[Example, ...]
    amounts: tuple[int, ...]
    most: int
    unit: str

    @property
    def total(self) -> int:
        """What they come to."""
        return sum(self.amounts)


def find_sequence(searches: Mapping[str, Search], sums: Mapping[str, Sum]) -> Sequence | None:
    """Return requests that pass a total together, or None where none were found.

    Args:
        searches: By action: where to look for its requests.
        sums: By action: what of them is summed up.
    """
    begun = False
    for start, by_agent in ((MORNING, True), (MORNING, False), (None, False)):
        if start is None and begun:
            return None  # another hour seldom helps where this one goes some way
        sequencing = _Sequencing(searches, sums, by_agent=by_agent)
        found = sequencing.sequence(start)
        if found is not None:
            return found
        begun = bool(sequencing.requests)
    return None


class _Sequencing:
    """One sequence in the making.

    Attributes:
        by_agent: Whether a program asks each time, and no person.
    """

    def __init__(self, searches: Mapping[str, Search], sums: Mapping[str, Sum], *, by_agent: bool) -> None:
        self.searches, self.sums, self.by_agent = searches, sums, by_agent
        self.counter = Counter()
        self.requests: list[Example] = []
        self.amounts: list[int] = []
        self.unit = ""

    def sequence(self, start: datetime | None) -> Sequence | None:
        """Return the sequence that begins at a moment, or whenever is best."""
        now = start
        for _ in range(MOST_SEARCHES):
            example = self._found(now)
            if example is None:
                now = None if now is None else self._later(now)
                if now is None:
                    return None
                continue
            now, model = example.evidence.now, example
            while example is not None and len(self.requests) < MOST_REQUESTS:
                self._made(example)
                most = self._most(example)
                if most is not None and sum(self.amounts) > most:
                    return Sequence(tuple(self.requests), tuple(self.amounts), most, self.unit)
                example = self._decided(example) or self._decided(self._renamed(model))
        return None

    def _found(self, now: datetime | None) -> Example | None:
        """Return the largest request of any action that is allowed now, after what was done before."""
        for action in self.searches:
            found = self._again(action, now) or self._largest(action, now)
            if found is not None:
                return found
        return None

    def _again(self, action: str, now: datetime | None) -> Example | None:
        """Return a request that is no smaller than the last one; None where none is found."""
        if not self.amounts:
            return None
        wanted, least = self.sums[action], self.amounts[-1]

        def large(requests: Requests) -> Truth:
            """Return that it is allowed next, and as large."""
            return all_of((self._next(requests, wanted, now), wanted.of(requests).amount.units >= least))

        found = self.searches[action].find(large, self._is_next).example
        return None if found is None else self._decided(found)

    def _largest(self, action: str, now: datetime | None) -> Example | None:
        wanted = self.sums[action]
        top = climb(
            self.searches[action],
            lambda requests: wanted.of(requests).amount.units,
            lambda example: (wanted.measured(example) or (0, ""))[0],
            lambda requests: self._next(requests, wanted, now),
            self._is_next,
        )
        return None if top.example is None else self._decided(top.example)

    def _is_next(self, example: Example) -> bool:
        return self._decided(example) is not None

    def _decided(self, example: Example) -> Example | None:
        """Return a request as it is decided after what was done before; None if it is not allowed or does not count."""
        wanted = self.sums[example.request.action]
        amount, unit = wanted.measured(example) or (0, "")
        if amount <= 0 or self.unit not in ("", unit) or not self._belongs(wanted, example):
            return None
        found = self.counter.decided(wanted.plan, example.request, example.evidence)
        return found if found.decision.verdict is Verdict.ALLOW else None

    def _belongs(self, wanted: Sum, example: Example) -> bool:
        """Return whether a request belongs to the same sum as the first."""
        if not self.requests:
            return wanted.keys(example) is not None
        first = self.requests[0]
        return self.sums[first.request.action].keys(first) == wanted.keys(example)

    def _renamed(self, example: Example) -> Example:
        """Return the same request about something else: another order, another customer, wherever that may differ."""
        wanted = self.sums[example.request.action]
        return renamed(wanted.plan, example, len(self.requests), wanted.keys(example) or ())

    def _made(self, example: Example) -> None:
        wanted = self.sums[example.request.action]
        amount, self.unit = wanted.measured(example) or (0, "")
        self.counter.post(wanted.plan, example)
        self.requests.append(example)
        self.amounts.append(amount)

    def _most(self, example: Example) -> int | None:
        return self.sums[example.request.action].most(example, self.unit)

    def _next(self, requests: Requests, wanted: Sum, now: datetime | None) -> Truth:
        """Return that a request counts, is allowed, and comes after what was done before."""
        keys = (no(requests.translation.expression(expression).error) for expression in wanted.total.per)
        return all_of((wanted.allowed(requests), *keys, *self._after(requests, now)))

    def _after(self, requests: Requests, now: datetime | None) -> Iterator[Truth]:
        """Yield what makes a request the next one: at its time, for whom the first one was, after what was used."""
        if now is not None:
            for name in ("now", "asked_at"):
                yield units(requests.translation.environment[name].value).units == microseconds(now)
        if self.by_agent:
            kind, agent = requests.translation.environment["agent.kind"], requests.translation.constant(ActorKind.AGENT)
            yield values.compare("==", kind.value, agent)[0]
        for limit in requests.counted.values():
            yield limit.held == 0
            yield compared("==", limit.settled, self._used(requests, limit.planned, now))
        if self.requests:
            yield from self._same(requests, self.requests[0])

    def _used(self, requests: Requests, planned: PlannedLimit, now: datetime | None) -> Any:
        """Return what was used on the account that a request counts on, whichever it is."""
        if now is None:
            return 0
        found = self.counter.accounts(planned, now)
        return total(choose(self._is_account(requests, planned, account), amount, 0) for account, amount in found)

    def _is_account(self, requests: Requests, planned: PlannedLimit, account: Account) -> Truth:
        """Return that a request counts on an account."""
        counted = requests.counted[planned.id]
        unit = (
            True if counted.currency is None else compared("==", counted.currency, requests.lexicon.code(account.unit))
        )
        keys = [
            self._comes_to(requests, item, value)
            for item, value in zip(planned.limit.per, account.values, strict=False)
        ]
        if planned.limit.window.kind is WindowKind.CONVERSATION:
            keys.append(self._is_conversation(requests, account.values[-1]))
        return all_of((unit, *keys))

    def _same(self, requests: Requests, first: Example) -> Iterator[Truth]:
        """Yield that a request belongs to the same sum as the first."""
        wanted = self.sums[first.request.action]
        tenant = requests.translation.constant(first.request.tenant)
        yield values.compare("==", requests.translation.environment["tenant"].value, tenant)[0]
        for expression, value in zip(wanted.total.per, wanted.keys(first) or (), strict=False):
            yield self._comes_to(requests, expression, value)
        if wanted.total.window.kind is WindowKind.CONVERSATION:
            yield self._is_conversation(requests, first.request.context.get("context.conversation", ""))

    def _comes_to(self, requests: Requests, expression: Expression, value: Value) -> Truth:
        found = requests.translation.expression(expression)
        answer, mismatch = values.compare("==", found.value, requests.translation.constant(value))
        return all_of((no(found.error), answer, no(mismatch)))

    def _is_conversation(self, requests: Requests, value: Value) -> Truth:
        slot = requests.translation.environment["context.conversation"]
        return values.compare("==", slot.value, requests.translation.constant(value))[0]

    def _later(self, now: datetime) -> datetime | None:
        """Return when some limit next counts less, if the first request still counts for the sum then."""
        if not self.requests:
            return None
        [wanted, *_] = self.sums.values()
        began, window = self.requests[0].evidence.now, wanted.total.window
        later = self.counter.next_change(now)
        if later is None:
            return None
        if window.size is not None and later - began >= window.size:
            return None
        if window.unit is not None and start_of(window.unit, later, wanted.policy.zone) > began:
            return None
        return later
