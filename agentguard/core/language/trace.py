"""Why a condition came out as it did: every comparison in it with the values it saw.

The values come from the same walk that decides, so that an explanation cannot tell another story than the decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentguard.core.language import operations, terms
from agentguard.core.language.evaluate import Walker
from agentguard.core.language.terms import Expression, Term
from agentguard.core.language.types import Environment, Value
from agentguard.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class Operand:
    """One side of a comparison: as it was written, with its value, or the error that kept it from having one."""

    term: Term
    text: str
    value: Value | None
    error: EvaluationError | None = None
    written: bool = False

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.text} (not known)"
        if self.value is None:
            return self.text
        shown = operations.show(self.value)
        return shown if self.written else f"{self.text} {shown}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A part of a condition that is yes or no by itself, as it was evaluated.

    Attributes:
        term: What was evaluated.
        text: What was written, a slice of `source` from `start` to `end`.
        operator: `<=` and the like, `in`, `has`, or empty where one value is itself the answer.
        operands: The two sides of a comparison; one for anything else.
        result: None where it could not be evaluated; then `error` says why.
        blocking: True if the whole condition would need this part to come out otherwise to hold.
        names: The named expressions this part was reached through, outermost first.
    """

    term: Term
    text: str
    source: str
    start: int
    end: int
    operator: str
    operands: tuple[Operand, ...]
    result: bool | None
    error: EvaluationError | None
    blocking: bool
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        answer = "cannot be evaluated" if self.result is None else "yes" if self.result else "no"
        if self.operator and len(self.operands) == 2:
            return f"{self.operands[0]} {self.operator} {self.operands[1]}: {answer}"
        return f"{self.text}: {answer}"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a term stands: its source, the names it was reached through, and what would block there."""

    source: str
    names: tuple[str, ...]
    wanted: bool
    blocked: bool


def trace(expression: Expression, environment: Environment) -> tuple[Comparison, ...]:
    """Return every comparison of a condition, in the order they are written; none is skipped (SPEC L8)."""
    walker = Walker(environment)
    result = _result(walker, expression.tree)[0]
    return tuple(_leaves(walker, expression.tree, _Place(expression.source, (), True, result is not True)))


def _result(walker: Walker, term: Term) -> tuple[bool | None, EvaluationError | None]:
    walker.steps = 0
    try:
        return walker.truth(term), None
    except EvaluationError as error:
        return None, error


def _leaves(walker: Walker, term: Term, place: _Place) -> Iterator[Comparison]:
    """Walk down the and, or, not of a condition to the parts that are yes or no by themselves."""
    match term:
        case terms.Part(expression, name):
            names = (*place.names, name) if name else place.names
            yield from _leaves(walker, expression.tree, _Place(expression.source, names, place.wanted, place.blocked))
        case terms.Not(of):
            yield from _leaves(walker, of, _Place(place.source, place.names, not place.wanted, place.blocked))
        case terms.And(items) | terms.Or(items):
            for item in items:
                blocked = place.blocked and _result(walker, item)[0] is not place.wanted
                yield from _leaves(walker, item, _Place(place.source, place.names, place.wanted, blocked))
        case _:
            yield _leaf(walker, term, place)


def _leaf(walker: Walker, term: Term, place: _Place) -> Comparison:
    result, error = _result(walker, term)
    operator = ""
    sides: tuple[Term, ...] = (term,)
    if isinstance(term, terms.Compare):
        operator, sides = term.operator, (term.left, term.right)
    elif isinstance(term, terms.In):
        operator, sides = "in", (term.item, term.items)
    elif isinstance(term, terms.Has):
        operator = "has"
    elif isinstance(term, terms.During):
        sides = (term.of,)
    elif isinstance(term, terms.Apply):
        sides = term.arguments
    return Comparison(
        term=term,
        text=place.source[term.start : term.end],
        source=place.source,
        start=term.start,
        end=term.end,
        operator=operator,
        operands=tuple(_operand(walker, side, place.source) for side in sides),
        result=result,
        error=error,
        blocking=place.blocked and result is not place.wanted,
        names=place.names,
    )


def _operand(walker: Walker, term: Term, source: str) -> Operand:
    text = source[term.start : term.end]
    walker.steps = 0
    try:
        value = walker.value(term)
    except EvaluationError as error:
        return Operand(term, text, None, error)
    written = isinstance(term, terms.Constant) or (
        isinstance(term, terms.Items) and all(isinstance(item, terms.Constant) for item in term.items)
    )
    return Operand(term, text, value, None, written)
