"""The numbers along which the rules of a file are laid out in bands, and where each rule begins and ends on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from agentguard.core import money
from agentguard.core.language import Integer, Money, Term, Type, Value
from agentguard.core.language.evaluate import Walker
from agentguard.core.language.inside import names_in
from agentguard.core.language.operations import show
from agentguard.core.language.polarity import pulls
from agentguard.core.language.terms import And, Compare, Constant, Part, Read
from agentguard.core.language.types import Decimal_
from agentguard.core.plan import Plan, PlannedPolicy, PlannedRule
from agentguard.errors import EvaluationError

_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class Band:
    """A rule, with where it ends and begins along a number by what is written, in the smallest steps there are.

    Attributes:
        tops: The last values before it may fall silent.
        bottoms: The first values from which on it may speak.
        apart: What it asks of other values to be equal to, as written: `reason` and `"damaged"`.
    """

    planned: PlannedRule
    tops: frozenset[int]
    bottoms: frozenset[int]
    apart: frozenset[tuple[str, str]] = frozenset()

    def holds(self, at: int) -> bool:
        """Return whether a value is between its bottoms and its tops."""
        return all(bottom <= at for bottom in self.bottoms) and all(at <= top for top in self.tops)

    def may_meet(self, other: Band) -> bool:
        """Return whether both may speak of one request, as far as equal values tell."""
        mine = dict(self.apart)
        return all(mine.get(name, value) == value for name, value in other.apart)


@dataclass(frozen=True, slots=True)
class Axis:
    """A number or an amount that several rules of a file compare with written values.

    Attributes:
        name: Full name of the argument or the fact.
        currency: Of an amount.
        is_computed: Whether the policy fills it in, so that no request can just say another one.
    """

    name: str
    kind: Type
    currency: str
    is_computed: bool
    bands: tuple[Band, ...] = field(default=())

    @property
    def least(self) -> int | None:
        """The smallest value there is, in steps; None where there is none."""
        return 1 if isinstance(self.kind, Money) and not self.kind.any_sign else None

    def value(self, steps: int) -> Value:
        """Return a value of this type."""
        match self.kind:
            case Money():
                return money.Money(steps, self.currency)
            case Decimal_():
                return money.canonical_number(money.EXACT.scaleb(Decimal(steps), -money.MAX_FRACTION_DIGITS))
            case _:
                return steps

    def shown(self, steps: int) -> str:
        """Return a value as people read it."""
        return show(self.value(steps))


def axes_of(plan: Plan, file: PlannedPolicy) -> Iterator[Axis]:
    """Yield what at least two rules of a file compare with written values."""
    declared = {**plan.arguments, **file.policy.facts}
    found: dict[tuple[str, str], list[Band]] = {}
    for planned in file.rules:
        for (name, currency), (tops, bottoms) in _ends(planned, plan, file).items():
            band = Band(planned, frozenset(tops), frozenset(bottoms), frozenset(_apart(planned)))
            found.setdefault((name, currency), []).append(band)
    for (name, currency), bands in found.items():
        if len({band.planned.rule.then for band in bands}) > 1:
            yield Axis(name, declared[name].type, currency, name in plan.computed, tuple(bands))


def _ends(planned: PlannedRule, plan: Plan, file: PlannedPolicy) -> dict[tuple[str, str], tuple[set[int], set[int]]]:
    """Return by name and currency the tops and bottoms that a rule has."""
    found: dict[tuple[str, str], tuple[set[int], set[int]]] = {}
    if planned.rule.when is None:
        return found
    for comparison, towards in pulls(planned.rule.when.tree):
        for operator, read, other in _sides(comparison):
            declared = plan.arguments.get(read.name) or file.policy.facts.get(read.name)
            if towards is None or declared is None or names_in(other):
                continue
            steps = _steps(declared.type, other)
            if steps is None:
                continue
            at, currency, is_whole = steps
            tops, bottoms = found.setdefault((read.name, currency), (set(), set()))
            way = operator if towards else _OPPOSITE[operator]
            if way in ("<", "<="):
                tops.add(at - (way == "<" and is_whole))
            else:
                bottoms.add(at + (way == ">" or not is_whole))
    return found


def _sides(comparison: Compare) -> Iterator[tuple[str, Read, Term]]:
    """Yield a comparison by order as a value that is read, beside something else."""
    if comparison.operator in _TURNED:
        if isinstance(comparison.left, Read):
            yield comparison.operator, comparison.left, comparison.right
        if isinstance(comparison.right, Read):
            yield _TURNED[comparison.operator], comparison.right, comparison.left


def _steps(kind: Type, term: Term) -> tuple[int, str, bool] | None:
    """Return a written value in the steps of a type, rounded down; its currency; and whether it is a whole step."""
    if not isinstance(kind, Money | Integer | Decimal_):
        return None
    try:
        value = Walker({}).value(term)
    except EvaluationError:
        return None  # what cannot be evaluated is nowhere on the number
    match value:
        case money.Money() if isinstance(kind, Money):
            return value.minor, value.currency, True
        case bool():
            return None
        case int() | Decimal():
            scale = money.MAX_FRACTION_DIGITS if isinstance(kind, Decimal_) else 0
            scaled = Decimal(value).scaleb(scale, money.EXACT)
            return math.floor(scaled), "", scaled % 1 == 0
        case _:
            return None


def _apart(planned: PlannedRule) -> Iterator[tuple[str, str]]:
    """Yield the values that a rule asks for by name, among what must all hold."""
    for term in _conjuncts(planned.rule.when.tree) if planned.rule.when is not None else ():
        match term:
            case Compare("==", Read(name), Constant(value)):
                yield name, show(value)


def _conjuncts(term: Term) -> Iterable[Term]:
    match term:
        case And(items):
            return [inner for item in items for inner in _conjuncts(item)]
        case Part(expression):
            return _conjuncts(expression.tree)
        case _:
            return [term]
