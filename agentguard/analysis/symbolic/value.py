"""What an expression can come to in formulas: a value of its type, and whether it cannot be evaluated at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

from agentguard.analysis.symbolic.logic import Truth, Whole
from agentguard.analysis.symbolic.number import Number
from agentguard.core.language.types import Type

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Code:
    """A text by its number in the lexicon; equal texts have equal numbers."""

    code: Whole


@dataclass(frozen=True, slots=True)
class Amount:
    """Money: minor units, and the currency's number in the lexicon."""

    minor: Number
    currency: Whole


@dataclass(frozen=True, slots=True)
class Slot:
    """A value that may be absent, or that nobody could look up."""

    value: Symbolic
    present: Truth = True
    known: Truth = True


@dataclass(frozen=True, slots=True)
class Fields:
    """A record."""

    slots: Mapping[str, Slot]


class Item(NamedTuple):
    """A place in a list: whether there is an item in it, and which."""

    there: Truth
    value: Symbolic


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of so many places, filled or not."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A list of which only the size is known.

    Attributes:
        name: Tells it from every other; the same expression over the same values has the same name.
    """

    name: str
    item: Type
    size: Whole


Symbolic: TypeAlias = "Truth | Number | Code | Amount | Fields | Listed | Unlisted"


class Result(NamedTuple):
    """What an expression comes to; where `error` holds, `value` means nothing."""

    value: Symbolic
    error: Truth = False


def number(value: Symbolic) -> Number:
    """Return a value that the checker has seen to be a number, a day, an instant or a duration."""
    return _of(Number, value)


def code(value: Symbolic) -> Code:
    """Return a value that the checker has seen to be text."""
    return _of(Code, value)


def fields(value: Symbolic) -> Fields:
    """Return a value that the checker has seen to be a record."""
    return _of(Fields, value)


def listed(value: Symbolic) -> Listed:
    """Return a value that the checker has seen to be a list, with its places."""
    return _of(Listed, value)


def unlisted(value: Symbolic) -> Unlisted:
    """Return a list of which only the size is known."""
    return _of(Unlisted, value)


def units(value: Symbolic) -> Number:
    """Return a number, or an amount's minor units."""
    return value.minor if isinstance(value, Amount) else number(value)


def _of(kind: type[T], value: Symbolic) -> T:
    if not isinstance(value, kind):
        raise AssertionError(f"the checker let a {type(value).__name__} pass for a {kind.__name__}")
    return value
