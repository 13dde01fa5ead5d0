"""Other values of an input with which a decision may come out otherwise: where comparisons and limits turn.

What a comparison says is taken as a straight line, which it nearly always is: two of its points say where it turns.
Whatever is proposed here is tried by whoever asks; nothing is told on the strength of a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from agentguard.core.asked import Asked, From, Input
from agentguard.core.decision import Decision
from agentguard.core.language import Comparison, OneOf, Text, Value, YesNo, conform, trace
from agentguard.core.language.evaluate import Walker
from agentguard.core.language.terms import Read, Term, reads
from agentguard.core.money import Money
from agentguard.core.plan import Environment
from agentguard.core.scale import near, shifted, size
from agentguard.errors import ConformError, EvaluationError, MoneyError

_STRIDES = (1, 10_000)
"""How far apart the two points of a line are: near for what bends, far for what is rounded."""


class Candidates:
    """Proposes values for the inputs of one request."""

    def __init__(self, asked: Asked, decision: Decision, hidden: frozenset[str] = frozenset()) -> None:
        self._asked = asked
        self._decision = decision
        self._values = asked.values()
        self._comparisons = [item for item in self._traced() if hidden.isdisjoint(reads(item.term))]

    def of(self, item: Input) -> tuple[Value | None, ...]:
        """Return values other than the one that is there; None for taking it away."""
        found: dict[object, Value | None] = {}
        for value in self._proposed(item):
            fitting = _fitting(item, value)
            if fitting is not None and fitting != item.value:
                found[fitting] = fitting
        if item.optional and item.value is not None:
            found[None] = None
        return tuple(found.values())

    def _traced(self) -> Iterator[Comparison]:
        for file in self._asked.plan.enforced:
            conditions = [rule.rule.when for rule in file.rules]
            conditions += [limit.limit.when for limit in file.limits]
            conditions += [requirement.requirement.when for requirement in file.requires]
            for condition in conditions:
                if condition is not None:
                    yield from trace(condition, self._values)

    def _proposed(self, item: Input) -> Iterator[Value]:
        match item.type:
            case YesNo():
                yield from (True, False)
            case OneOf(values):
                yield from values
            case Text():
                yield from self._compared(item)
            case _ if item.value is None:
                yield from self._compared(item)
            case _:
                yield from self._crossings(item)

    def _compared(self, item: Input) -> Iterator[Value]:
        """Yield what a value is compared with, and its neighbours."""
        for comparison in self._comparisons:
            if len(comparison.operands) != 2:
                continue
            for this, other in (comparison.operands, comparison.operands[::-1]):
                if not isinstance(this.term, Read) or this.term.name != item.name or other.value is None:
                    continue
                for value in other.value if isinstance(other.value, tuple) else (other.value,):
                    yield value
                    yield from (one for steps in (-1, 1) if (one := shifted(value, steps, item.type)) is not None)

    def _crossings(self, item: Input) -> Iterator[Value]:
        """Yield the values around which some comparison or limit turns."""
        there = size(item.value)
        if item.value is None or there is None:
            return
        currency = item.value.currency if isinstance(item.value, Money) else ""
        for steps in _STRIDES:
            further = shifted(item.value, steps, item.type)
            if further is None:
                continue
            apart = (size(further) or there) - there
            for before, after in self._distances(item, further):
                slope = (after - before) / apart
                if slope:
                    yield from near(there - before / slope, item.type, currency)

    def _distances(self, item: Input, further: Value) -> Iterator[tuple[Fraction, Fraction]]:
        """Yield how far each comparison and each limit is from turning, with the value and with another."""
        other = self._asked.changed(item, further)
        values = other.values()
        about = {item.name, *self._asked.plan.computed, f"used:{item.name}", f"held:{item.name}"}
        for comparison in self._comparisons:
            if len(comparison.operands) == 2 and not about.isdisjoint(reads(comparison.term)):
                sides = [operand.term for operand in comparison.operands]
                before, after = _distance(sides, self._values), _distance(sides, values)
                if before is not None and after is not None:
                    yield before, after
        checked = {check.limit: check for check in other.decision().limits}
        for check in self._decision.limits:
            moved = checked.get(check.limit)
            if moved is not None and check.max is not None and moved.max is not None and check.unit == moved.unit:
                before = Fraction(check.used + check.amount - check.max)
                yield before, Fraction(moved.used + moved.amount - moved.max)


def _distance(sides: list[Term], values: Environment) -> Fraction | None:
    """Return by how much the left side is more than the right one; None where that has no size."""
    try:
        left, right = (Walker(values).value(side) for side in sides)
    except EvaluationError:
        return None  # what cannot be compared turns nowhere
    one, other = size(left), size(right)
    return None if one is None or other is None else one - other


def _fitting(item: Input, value: Value) -> Value | None:
    """Return a value in the normal form of the input's type; None where it is none of that type."""
    if item.source is From.LIMIT and (size(value) or 0) < 0:
        return None
    try:
        return conform(item.type, value)
    except (ConformError, MoneyError):
        return None
