"""The syntax tree of a condition as it was written: frozen nodes, each with its place in the text.

What names mean and what types things have is not in it; the checker turns it into terms (`terms.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class TextLiteral:
    """Text in quotes; `value` has its escapes resolved."""

    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A written number, exact: an integer, or a decimal if it has a point."""

    value: int | Decimal
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class YesNoLiteral:
    """`yes` or `no` (`true` and `false` are read too)."""

    value: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DurationLiteral:
    """A number and a unit like `30 days`; `unit` is the plural."""

    count: int
    unit: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """Items in brackets."""

    items: tuple[Node, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    """One identifier."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Member:
    """`of.name`: a part of a dotted name or a field of a record."""

    of: Node
    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Index:
    """`of[key]`: a lookup in a table."""

    of: Node
    key: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`."""

    function: str
    arguments: tuple[Node, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class MethodCall:
    """`of.method(arguments)`; for `all`, `exists`, `filter` and `map` the first argument is the variable."""

    of: Node
    method: str
    arguments: tuple[Node, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Negate:
    """`-of`."""

    of: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Not:
    """`not of`."""

    of: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class And:
    """`a and b and c`, flat."""

    items: tuple[Node, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Or:
    """`a or b or c`, flat."""

    items: tuple[Node, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Compare:
    """`left operator right` with `==`, `!=`, `<`, `<=`, `>`, `>=` or `in`."""

    operator: str
    left: Node
    right: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left operator right` with `+`, `-` or `*`."""

    operator: str
    left: Node
    right: Node
    start: int
    end: int


Node: TypeAlias = (
    TextLiteral
    | NumberLiteral
    | YesNoLiteral
    | DurationLiteral
    | ListLiteral
    | Name
    | Member
    | Index
    | Call
    | MethodCall
    | Negate
    | Not
    | And
    | Or
    | Compare
    | Arithmetic
)
