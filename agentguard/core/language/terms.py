"""A checked condition: every name resolved, every node with its type and its place in the text.

One tree for all readers: the tree walker, the generated code, the explanations and the proofs. It has no syntax left:
bare numbers beside money are money, names are the expressions they stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TypeAlias

from agentguard.core.calendar import Calendar
from agentguard.core.language.table import Table
from agentguard.core.language.types import Type, Value


@dataclass(frozen=True, slots=True)
class Constant:
    """A written value."""

    value: Value
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Read:
    """A value of the environment by its full name; `used:…` and `held:…` are limits by qualified id."""

    name: str
    optional: bool
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Local:
    """The variable of a macro around it."""

    name: str
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record."""

    of: Term
    name: str
    optional: bool
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Has:
    """Whether an optional value is there."""

    of: Read | Field
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    of: Term
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class And:
    """All of these; an item that is no outweighs one that cannot be evaluated, whatever the order."""

    items: tuple[Term, ...]
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these; an item that is yes outweighs one that cannot be evaluated, whatever the order."""

    items: tuple[Term, ...]
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values of comparable types and `==`, `!=`, `<`, `<=`, `>` or `>=`."""

    operator: str
    left: Term
    right: Term
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class In:
    """Whether a list holds an item equal to this."""

    item: Term
    items: Term
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+`, `-` or `*` of two values."""

    operator: str
    left: Term
    right: Term
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Negate:
    """A number, amount or duration with the other sign."""

    of: Term
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Items:
    """A written list."""

    items: tuple[Term, ...]
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """A table's entry by its keys, outermost first."""

    table: Table
    keys: tuple[Term, ...]
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Macro:
    """`all`, `exists`, `filter` or `map` over a list; `body` sees each item as the local `variable`."""

    kind: str
    over: Term
    variable: str
    body: Term
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Apply:
    """A function that needs nothing but its arguments; the names are those of the language."""

    function: str
    arguments: tuple[Term, ...]
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class AsMoney:
    """A bare number read as an amount of major units."""

    of: Term
    currency: str
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DayOf:
    """The civil day of an instant in a zone."""

    of: Term
    zone: tzinfo
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class During:
    """Whether an instant is within a calendar's hours; the calendar's name may be a value."""

    of: Term
    calendar: Term
    calendars: Mapping[str, Calendar] = field(repr=False)
    zone: tzinfo
    type: Type
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """Another checked expression in this place; its inner offsets are into its own source.

    Attributes:
        name: The name it has under `names`, or None for an item of a list of conditions.
    """

    expression: Expression
    name: str | None
    type: Type
    start: int
    end: int


Term: TypeAlias = (
    Constant
    | Read
    | Local
    | Field
    | Has
    | Not
    | And
    | Or
    | Compare
    | In
    | Arithmetic
    | Negate
    | Items
    | Lookup
    | Macro
    | Apply
    | AsMoney
    | DayOf
    | During
    | Part
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition or other expression, checked and ready to be evaluated.

    Attributes:
        source: The text it was made from.
        reads: Full names that it may read from the environment, those of its names included.
        limits: Qualified ids of limits read through `used` and `held`.
        size, depth: Terms in it and their nesting, with names written out.
    """

    source: str
    tree: Term
    type: Type
    reads: frozenset[str]
    limits: frozenset[str]
    size: int = field(compare=False)
    depth: int = field(compare=False)
    digits: tuple[int, int] = field(compare=False)
    charges: int = field(compare=False)


def below(term: Term) -> tuple[Term, ...]:
    """Return the terms directly below a term; the tree of a part is not below it."""
    match term:
        case Has(of) | Not(of) | Negate(of) | Field(of) | AsMoney(of) | DayOf(of):
            return (of,)
        case And(items) | Or(items) | Items(items):
            return items
        case Compare(_, left, right) | Arithmetic(_, left, right) | In(left, right):
            return (left, right)
        case Lookup(_, keys):
            return keys
        case Macro(_, over, _, body):
            return (over, body)
        case Apply(_, arguments):
            return arguments
        case During(of, calendar):
            return (of, calendar)
        case _:
            return ()


def reads(term: Term) -> frozenset[str]:
    """Return the full names that a term may read from the environment, those of its parts included."""
    if isinstance(term, Read):
        return frozenset({term.name})
    if isinstance(term, Part):
        return term.expression.reads
    return frozenset().union(*map(reads, below(term)))
