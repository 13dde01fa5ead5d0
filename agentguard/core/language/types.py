"""What kinds of values there are: the types of the condition language, and what a declaration adds to one.

How a type is written is in `notation.py`; whether a Python value fits one is in `conform.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from agentguard.core import money

Value: TypeAlias = (
    str
    | bool
    | int
    | Decimal
    | money.Money
    | money.UnroundedMoney
    | date
    | datetime
    | timedelta
    | Mapping[str, "Value"]
    | tuple["Value", ...]
)
"""A value at run time; times are aware and in UTC, lists are tuples, an absent optional is a key that is not there."""


class Unknown:
    """The class of `UNKNOWN`, the mark of a failed lookup: neither a value nor the knowledge that there is none."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()

Environment: TypeAlias = Mapping[str, "Value | Unknown"]
"""Values by full dotted name; an absent optional is not in it, a failed lookup is `UNKNOWN`."""

MAX_LIST = 1_000
MAX_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class Text:
    """Text; compared by code point, never ordered."""

    def __str__(self) -> str:
        return "text"


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number."""

    def __str__(self) -> str:
        return "integer"


@dataclass(frozen=True, slots=True)
class Decimal_:  # noqa: N801 - `Decimal` is the value
    """An exact decimal number; whole numbers mix with it freely."""

    def __str__(self) -> str:
        return "decimal"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one of `currencies`.

    Attributes:
        currencies: What it may be in; arithmetic over several is checked when it runs.
        any_sign: Zero and below are values of it too.
        rounded: False for an intermediate result that may hold parts of a minor unit.
    """

    currencies: tuple[str, ...]
    any_sign: bool = False
    rounded: bool = True

    def __str__(self) -> str:
        return "money" if self.rounded else "money, unrounded"


@dataclass(frozen=True, slots=True)
class YesNo:
    """Yes or no; nothing else is a condition."""

    def __str__(self) -> str:
        return "yes_no"


@dataclass(frozen=True, slots=True)
class Date:
    """A civil day."""

    def __str__(self) -> str:
        return "date"


@dataclass(frozen=True, slots=True)
class Time:
    """An instant."""

    def __str__(self) -> str:
        return "time"


@dataclass(frozen=True, slots=True)
class Duration:
    """An exact length of time."""

    def __str__(self) -> str:
        return "duration"


@dataclass(frozen=True, slots=True)
class OneOf:
    """Text that is one of `values`."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"[{', '.join(self.values)}]"


@dataclass(frozen=True, slots=True)
class Record:
    """Named fields; an optional one may be missing."""

    name: str
    fields: Mapping[str, Declared] = field(hash=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ListOf:
    """At most `MAX_LIST` items of one type."""

    item: Type

    def __str__(self) -> str:
        return f"list of {self.item}"


Type: TypeAlias = Text | Integer | Decimal_ | Money | YesNo | Date | Time | Duration | OneOf | Record | ListOf

TEXT: Final = Text()
INTEGER: Final = Integer()
DECIMAL: Final = Decimal_()
YES_NO: Final = YesNo()
DATE: Final = Date()
TIME: Final = Time()
DURATION: Final = Duration()


@dataclass(frozen=True, slots=True)
class Declared:
    """A type with what its declaration says beside it.

    Attributes:
        optional: It may be missing, so a condition asks `has(...)` first.
        personal: Kept encrypted per customer in the log.
        max_age: An older value counts as missing.
        computed: Short name of the named expression that fills an argument in; the model is not asked for it.
    """

    type: Type
    optional: bool = False
    personal: bool = False
    max_age: timedelta | None = None
    computed: str | None = None


def is_number(kind: Type) -> bool:
    """Return whether a type is integer or decimal."""
    return isinstance(kind, Integer | Decimal_)


def is_textual(kind: Type) -> bool:
    """Return whether a type's values are text."""
    return isinstance(kind, Text | OneOf)


def fits(given: Type, expected: Type) -> bool:
    """Return whether a value of one type may stand where another is expected (SPEC L3.3)."""
    match given, expected:
        case Integer(), Decimal_():
            return True
        case OneOf(), Text():
            return True
        case OneOf(values=some), OneOf(values=all_of_them):
            return set(some) <= set(all_of_them)
        case Money(currencies=some), Money(currencies=all_of_them):
            return set(some) <= set(all_of_them) and (given.rounded or not expected.rounded)
        case ListOf(item=some_item), ListOf(item=expected_item):
            return fits(some_item, expected_item)
        case _:
            return given == expected
