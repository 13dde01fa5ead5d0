"""What a condition can read, and how deep and large a checked expression is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from agentguard.core import money
from agentguard.core.calendar import Calendar
from agentguard.core.language import terms
from agentguard.core.language.table import Table
from agentguard.core.language.terms import Expression, Term
from agentguard.core.language.types import Declared, Type

MAX_SIZE = 5_000
MAX_DEPTH = 160
MAX_DIGITS = 400

_USED_DIGITS = 40
_LIST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Scope:
    """What can be read where a condition stands.

    Attributes:
        values: Type by full dotted name, `now` and `on_behalf_of` included.
        names: Named expressions, already checked.
        limits: By short id: the qualified id and the type of `used` and `held`.
        zone: The zone of civil days and calendars.
        refused: Known names that cannot be read here, each with the reason (`a segment; rules cannot read it`).
    """

    values: Mapping[str, Declared]
    names: Mapping[str, Expression] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    limits: Mapping[str, tuple[str, Type]] = field(default_factory=dict)
    zone: tzinfo = UTC
    currencies: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def finished(source: str, tree: Term) -> Expression:
    """Return the expression of a checked tree, with what it reads and how large it is."""
    size, depth, digits, charges = _measure(tree)
    reads: set[str] = set()
    limits: set[str] = set()
    for term in walk(tree):
        if isinstance(term, terms.Read):
            reads.add(term.name)
            if term.name.startswith(("used:", "held:")):
                limits.add(term.name[5:])
        elif isinstance(term, terms.Part):
            reads |= term.expression.reads
            limits |= term.expression.limits
    return Expression(source, tree, tree.type, frozenset(reads), frozenset(limits), size, depth, digits, charges)


def walk(tree: Term) -> Iterator[Term]:
    """Yield every term of a tree, the tree itself first; parts are not entered."""
    waiting = [tree]
    while waiting:
        term = waiting.pop()
        yield term
        waiting.extend(terms.below(term))


def _measure(term: Term) -> tuple[int, int, tuple[int, int], int]:
    """Return size, depth, most digits before and after the point, and macros' charges, with parts written out."""
    if isinstance(term, terms.Part):
        inner = term.expression
        return inner.size + 1, inner.depth + 1, inner.digits, inner.charges
    measured = [_measure(child) for child in terms.below(term)]
    size = 1 + sum(child[0] for child in measured)
    depth = 1 + max((child[1] for child in measured), default=0)
    charges = sum(child[3] for child in measured)
    if isinstance(term, terms.Macro):
        # A macro in the body of another is charged once for each item, so it can pass any static bound.
        charges = measured[0][3] + (1 + MAX_CHARGES if measured[1][3] else 1)
    elif (isinstance(term, terms.In) and not isinstance(term.items, terms.Items)) or (
        isinstance(term, terms.Apply) and term.function in {"sum", "min", "max"}
    ):
        charges += 1
    return size, depth, _digits(term, [child[2] for child in measured]), min(charges, 1 + MAX_CHARGES)


MAX_CHARGES = 100
"""An expression with at most so many charges of a whole list stays within the bound on steps whatever the lists."""


def _digits(term: Term, inner: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return how many digits a term's value can have before and after the point (SPEC L6.3)."""
    whole = max((child[0] for child in inner), default=0)
    fraction = max((child[1] for child in inner), default=0)
    match term:
        case terms.Constant() | terms.Read() | terms.Local() | terms.Field() | terms.Lookup():
            if isinstance(term, terms.Read) and term.name.startswith(("used:", "held:")):
                return _USED_DIGITS, money.MAX_FRACTION_DIGITS
            return money.MAX_INTEGER_DIGITS + money.MAX_FRACTION_DIGITS, money.MAX_FRACTION_DIGITS
        case terms.Arithmetic(operator="*"):
            return sum(child[0] for child in inner), sum(child[1] for child in inner)
        case terms.Arithmetic():
            return whole + 1, fraction
        case terms.Apply(function="percent"):
            return sum(child[0] for child in inner), sum(child[1] for child in inner) + 2
        case terms.Apply(function="sum"):
            return whole + _LIST_DIGITS, fraction
        case _:
            return whole, fraction
