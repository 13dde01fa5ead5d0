"""Values of the types that have a size, as exact numbers and back: for looking for where something turns."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from agentguard.core.language import Date, Decimal_, Duration, Integer, Money, Time, Type, Value
from agentguard.core.money import Money as Amount
from agentguard.core.money import UnroundedMoney

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HUNDREDTH = Fraction(1, 100)


def size(value: object) -> Fraction | None:
    """Return a value as a number: minor units, seconds, days; None for what has no size."""
    match value:
        case bool():
            return None
        case int() | Decimal():
            return Fraction(value)
        case Amount() | UnroundedMoney():
            return Fraction(value.minor)
        case timedelta():
            return Fraction(value // timedelta(microseconds=1), 1_000_000)
        case datetime():
            return size(value - EPOCH)
        case date():
            return Fraction(value.toordinal())
        case _:
            return None


def step(kind: Type) -> Fraction | None:
    """Return the least by which values of a type are told apart here; None for what has no size."""
    match kind:
        case Money() | Integer() | Time() | Duration() | Date():
            return Fraction(1)
        case Decimal_():
            return HUNDREDTH
        case _:
            return None


def near(number: Fraction, kind: Type, currency: str) -> list[Value]:
    """Return the values around a number: just under, at and just over it; those that there are not are left out."""
    grid = step(kind)
    if grid is None:
        return []
    lower = math.floor(number / grid)
    found = (_value((lower + place) * grid, kind, currency) for place in (-1, 0, 1, 2))
    return [value for value in found if value is not None]


def shifted(value: Value, steps: int, kind: Type) -> Value | None:
    """Return a value so many steps further; None where there is none."""
    grid, number = step(kind), size(value)
    if grid is None or number is None:
        return None
    return _value(number + steps * grid, kind, value.currency if isinstance(value, Amount) else "")


def _value(number: Fraction, kind: Type, currency: str) -> Value | None:
    try:
        match kind:
            case Money():
                return Amount(math.floor(number), currency)
            case Integer():
                return math.floor(number)
            case Decimal_():
                return Decimal(number.numerator) / Decimal(number.denominator)
            case Date():
                return date.fromordinal(math.floor(number))
            case Duration():
                return math.floor(number) * SECOND
            case Time():
                return EPOCH + math.floor(number) * SECOND
            case _:
                return None
    except (OverflowError, ValueError):
        return None  # there is no such day or instant
