"""The nearest other value of one input that would change a decision: everything else is pinned to what it was."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import z3

from agentguard.analysis.symbolic.inputs import microseconds, number_in, truth_in, value_in
from agentguard.analysis.symbolic.lexicon import Lexicon
from agentguard.analysis.symbolic.logic import Truth, all_of, no, same
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.value import Amount, Code, Fields, Listed, Slot, Symbolic
from agentguard.core.asked import Asked, From, Input
from agentguard.core.language import Value, conform
from agentguard.core.money import Money
from agentguard.core.policy import Verdict
from agentguard.core.request import FactStatus
from agentguard.errors import ConformError

MOST_ITEMS = 6
"""Longer lists are not looked into, and then nothing is proved where they matter."""

MOST_MILLISECONDS = 2_000
MOST_REFINEMENTS = 10


class _None(enum.Enum):
    """The class of `NONE`, the proof that there is no such value."""

    NONE = "none"


NONE: Final = _None.NONE


class Alone:
    """The requests that differ from one in a single input."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        longest = max(map(_longest, self._values().values()), default=0)
        self._is_small = longest <= MOST_ITEMS
        self._lexicon = Lexicon()
        self._requests = Requests(asked.plan, min(longest, MOST_ITEMS), self._lexicon, apart=True)
        self._pins = {key: list(truths) for key, truths in self._pinned()}

    def nearest(self, item: Input, *, allowed: bool) -> Value | _None | None:
        """Return the value of an input nearest to what it was that has it allowed, or not allowed.

        Returns:
            `NONE` where it is proved that there is none; None where that is not known. What also chooses which account
            or which event counts is not known: nobody can tell what another one says.
        """
        if not self._is_small or self._chooses(item.name):
            return None
        allow = self._requests.verdicts[Verdict.ALLOW]
        key = (item.source in (From.LIMIT, From.REQUIREMENT), item.name)
        pins = [truth for pinned, truths in self._pins.items() if pinned != key for truth in truths]
        wanted = all_of((*self._requests.facts(), *pins, allow if allowed else no(allow)))
        if wanted is False:
            return NONE
        solver = z3.Optimize()
        solver.set("timeout", MOST_MILLISECONDS)
        solver.add(wanted)
        slot = self._slot_of(item)
        distance = None if slot is None else _distance(slot.value, item.value)
        if distance is not None:
            solver.minimize(distance)
        for _ in range(MOST_REFINEMENTS):
            answer = solver.check()
            if answer != z3.sat:
                return NONE if answer == z3.unsat else None
            model = solver.model()
            learned = list(self._learned(model))
            if not learned:
                return self._value(model, item, slot)
            solver.add(learned)
        return None

    def _slot_of(self, item: Input) -> Slot | None:
        if item.source is From.LIMIT:
            counts = self._requests.counted[item.name]
            used = Number(counts.held + counts.settled)
            return Slot(used if counts.currency is None else Amount(used, counts.currency))
        if item.source is From.REQUIREMENT:
            return Slot(self._requests.happened[item.name])
        return self._requests.translation.environment.get(item.name)

    def _value(self, model: Any, item: Input, slot: Slot | None) -> Value | None:
        """Return the value that an input has in a model; None where it is not there, or cannot be one."""
        if slot is None or not truth_in(model, slot.present):
            return None
        try:
            return conform(item.type, value_in(model, self._lexicon, item.type, slot.value))
        except (ConformError, OverflowError, ValueError):
            return None

    def _chooses(self, name: str) -> bool:
        """Return whether an input says on which account or by which event something counts."""
        plan = self._asked.plan
        computed = frozenset(plan.computed)
        for file in plan.files:
            per = (expression.reads for limit in file.limits for expression in limit.limit.per)
            same_as = (frozenset(requirement.requirement.same) for requirement in file.requires)
            if any(name in reads or reads & computed for reads in (*per, *same_as)):
                return True
        return False

    def _values(self) -> Mapping[str, Value]:
        request, facts = self._asked.request, self._asked.evidence.facts
        known = {name: fact.value for name, fact in facts.items() if fact.value is not None}
        return {**request.arguments, **request.context, **known}

    def _pinned(self) -> Iterator[tuple[tuple[bool, str], Iterator[Truth]]]:
        """Yield what each input was, by whether it is a limit or a requirement, and its name."""
        asked, requests = self._asked, self._requests
        request, evidence, values = asked.request, asked.evidence, self._values()
        customer = request.on_behalf_of or None
        built_in = {
            "tenant": request.tenant,
            "agent.id": request.actor.id,
            "agent.kind": str(request.actor.kind),
            "agent.version": request.actor.version,
            "now": evidence.now,
            "asked_at": request.asked_at,
        }
        for name, slot in requests.translation.environment.items():
            if name in asked.plan.computed or ":" in name:
                continue
            if name == "on_behalf_of":
                known = same(slot.known, customer is not None)
                yield (False, name), iter([known, *(self._same(slot.value, customer) if customer else ())])
            elif name in built_in:
                yield (False, name), self._slot(slot, built_in[name])
            else:
                fact = evidence.facts.get(name)
                failed = name in asked.plan.facts and (fact is None or fact.status is FactStatus.FAILED)
                yield (False, name), self._slot(slot, values.get(name), is_known=not failed)
        for name, counts in requests.counted.items():
            usage = evidence.usage.get(name)
            if usage is not None:
                yield (True, name), iter([counts.held == usage.held, counts.settled == usage.settled])
        for name, happened in requests.happened.items():
            yield (True, name), iter([same(happened, evidence.history.get(name) is not None)])

    def _slot(self, slot: Slot, value: Any, *, is_known: bool = True) -> Iterator[Truth]:
        yield same(slot.known, is_known)
        if is_known:
            yield same(slot.present, value is not None)
            if value is not None:
                yield from self._same(slot.value, value)

    def _same(self, symbolic: Symbolic, value: Any) -> Iterator[Truth]:
        """Yield that a variable has a value."""
        match symbolic, value:
            case Code(code), str():
                yield code == self._lexicon.code(value)
            case Amount(minor, currency), Money():
                yield minor.units == value.minor
                yield currency == self._lexicon.code(value.currency)
            case Fields(slots), Mapping():
                for name, slot in slots.items():
                    yield from self._slot(slot, value.get(name))
            case Listed(items), tuple():
                for place, item in enumerate(items):
                    yield same(item.there, place < len(value))
                    if place < len(value):
                        yield from self._same(item.value, value[place])
            case Number(units, scale), _:
                yield units == _units(value, scale)
            case _:
                yield same(symbolic, value)

    def _learned(self, model: Any) -> Iterator[Truth]:
        """Yield what calendars and days really say at the instants of a model, where it had them say otherwise."""
        for loose in self._requests.translation.loose.values():
            if loose.actual is None or loose.kind not in ("calendar", "day"):
                continue
            inputs = [number_in(model, item) for item in loose.inputs]
            actual = loose.actual(*inputs)
            variable = getattr(loose.variable, "units", loose.variable)
            said: Any = number_in(model, variable) if type(actual) is int else truth_in(model, variable)
            if actual is not None and said != actual:
                chosen = [item == value for item, value in zip(loose.inputs, inputs, strict=True)]
                yield z3.Implies(z3.And([item for item in chosen if not isinstance(item, bool)]), variable == actual)


def _distance(symbolic: Symbolic, value: Value | None) -> Any:
    """Return how far a variable is from a value; None where that has no size."""
    match symbolic, value:
        case Amount(Number(units)), Money(minor):
            apart = units - minor
        case Number(units, scale), int() | Decimal() | date() | timedelta() if not isinstance(value, bool):
            apart = units - _units(value, scale)
        case _:
            return None
    return None if isinstance(apart, int) else z3.If(apart < 0, -apart, apart)


def _units(value: Value, scale: int) -> int:
    match value:
        case datetime() | timedelta():
            return microseconds(value)
        case date():
            return value.toordinal()
        case int() | Decimal():
            return int(value * 10**scale)
        case _:
            raise AssertionError(f"the checker let a {type(value).__name__} pass for a number")


def _longest(value: Value) -> int:
    """Return how long the longest list in a value is."""
    if isinstance(value, tuple):
        return max([len(value), *map(_longest, value)])
    if isinstance(value, Mapping):
        return max(map(_longest, value.values()), default=0)
    return 0
