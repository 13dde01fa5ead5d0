"""What the operators and functions compute, on plain values: shared by the tree walker and the generated code.

Everything is exact. What cannot be computed raises EvaluationError without a place; the walker adds it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal, DecimalException
from typing import Any

from agentguard.core.calendar import Calendar
from agentguard.core.language import types
from agentguard.core.language.types import Type, Value
from agentguard.core.money import EXACT, EXPONENTS, Money, UnroundedMoney, round_number, same_currency
from agentguard.errors import EvaluationError, MoneyError

MAX_STEPS = 100_000

_DAY = timedelta(days=1)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def box(minor: int | Decimal, currency: str) -> Money | UnroundedMoney:
    """Return minor units as money, whole or not."""
    return Money(minor, currency) if isinstance(minor, int) else UnroundedMoney(minor, currency)


def compare(symbol: str, left: Any, right: Any) -> bool:
    """Return the answer of a comparison (SPEC L4.1)."""
    if isinstance(left, Money | UnroundedMoney):
        _same(left, right)
        return _COMPARISONS[symbol](left.minor, right.minor)
    return _COMPARISONS[symbol](left, right)


def is_in(item: Any, items: Sequence[Any]) -> bool:
    """Return whether a list holds an equal item; amounts of two currencies cannot be compared (SPEC L4.3)."""
    if isinstance(item, Money | UnroundedMoney):
        return any([compare("==", item, other) for other in items])  # noqa: C419 - every item must be comparable
    return item in items


def _same(left: Any, right: Any) -> None:
    try:
        same_currency(left, right)
    except MoneyError as error:
        raise EvaluationError("currency", str(error)) from error


def arithmetic(symbol: str, left: Any, right: Any) -> Any:
    """Return `left + right`, `left - right` or `left * right`, exactly (SPEC L4.4)."""
    if symbol == "*":
        return multiply(left, right)
    if isinstance(left, Money | UnroundedMoney):
        _same(left, right)
        return box(arithmetic(symbol, left.minor, right.minor), left.currency)
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _exact(EXACT.add if symbol == "+" else EXACT.subtract, left, right)
    if isinstance(left, timedelta) and isinstance(right, date):
        left, right = right, left
    if type(left) is date and isinstance(right, timedelta) and right % _DAY:
        raise EvaluationError("inexact", f"a date moves by whole days, got {show_duration(right)}")
    try:
        return left + right if symbol == "+" else left - right
    except OverflowError as error:
        raise EvaluationError("overflow", "the result is out of the range of times") from error


def multiply(left: Any, right: Any) -> Any:
    """Return a product, exactly; money times a decimal may hold parts of a minor unit."""
    if isinstance(right, Money | UnroundedMoney):
        left, right = right, left
    if isinstance(left, Money | UnroundedMoney):
        return box(multiply(left.minor, right), left.currency)
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _exact(EXACT.multiply, left, right)
    try:
        return left * right
    except OverflowError as error:
        raise EvaluationError("overflow", "the result is out of the range of durations") from error


def negate(value: Any) -> Any:
    """Return a value with the other sign."""
    if isinstance(value, Money | UnroundedMoney):
        return box(negate(value.minor), value.currency)
    if isinstance(value, Decimal):
        return EXACT.minus(value)
    try:
        return -value
    except OverflowError as error:
        raise EvaluationError("overflow", "the result is out of the range of durations") from error


def _exact(function: Callable[[Any, Any], Decimal], left: Any, right: Any) -> Decimal:
    try:
        return function(left, right)
    except DecimalException as error:
        raise EvaluationError("inexact", "the result has too many digits to be exact") from error


def percent(value: Any, share: Any) -> Any:
    """Return so many hundredths of a value, exactly (SPEC L7.12)."""
    if isinstance(value, Money | UnroundedMoney):
        return UnroundedMoney(percent(value.minor, share), value.currency)
    return EXACT.scaleb(_exact(EXACT.multiply, Decimal(value), share), -2)


def rounded(value: Any, mode: str) -> Any:
    """Return money in whole minor units, or a whole number (SPEC L7.13)."""
    if isinstance(value, Money | UnroundedMoney):
        return Money(round_number(value.minor, mode), value.currency)
    return round_number(value, mode)


def as_minor(number: int | Decimal, currency: str) -> int:
    """Return a bare number as minor units of a currency."""
    scaled = EXACT.scaleb(Decimal(number), EXPONENTS[currency])
    if scaled != scaled.to_integral_value():
        raise EvaluationError("inexact", f"{currency} has {EXPONENTS[currency]} decimals, got {number}")
    return int(scaled)


def total(items: Sequence[Any], kind: Type) -> Any:
    """Return the sum of a list; an empty one is zero, of the only currency it can have (SPEC L7.9)."""
    if items:
        result = items[0]
        for item in items[1:]:
            result = arithmetic("+", result, item)
        return result
    if isinstance(kind, types.Money):
        if len(kind.currencies) != 1:
            raise EvaluationError("empty", "the sum of no amounts has no currency")
        return Money(0, kind.currencies[0])
    return timedelta(0) if isinstance(kind, types.Duration) else 0


def extreme(function: str, items: Sequence[Any]) -> Any:
    """Return the least or greatest of some values, the first of equal ones; of none there is none (SPEC L7.10)."""
    if not items:
        raise EvaluationError("empty", f"`{function}` of an empty list")
    result = items[0]
    symbol = "<" if function == "min" else ">"
    for item in items[1:]:
        if compare(symbol, item, result):
            result = item
    return result


def duration(unit: str, count: int) -> timedelta:
    """Return a count of units as a duration."""
    try:
        return timedelta(**{unit: count})
    except OverflowError as error:
        raise EvaluationError("overflow", f"{count} {unit} are out of the range of durations") from error


def day_of(instant: datetime, zone: tzinfo) -> date:
    """Return the civil day of an instant."""
    try:
        return instant.astimezone(zone).date()
    except OverflowError as error:
        raise EvaluationError("overflow", "the time is out of range in this zone") from error


def during(calendars: Mapping[str, Calendar], name: str, instant: datetime, zone: tzinfo) -> bool:
    """Return whether an instant is within a calendar; a calendar that is not there is an error, never no."""
    calendar = calendars.get(name)
    if calendar is None:
        raise EvaluationError("no_calendar", f"there is no calendar `{name[:60]}`")
    try:
        return calendar.contains(instant, zone)
    except OverflowError as error:
        raise EvaluationError("overflow", "the time is out of range in this zone") from error


def show_duration(value: timedelta) -> str:
    """Return a duration in the largest unit that divides it."""
    for name, size in (("days", _DAY), ("hours", timedelta(hours=1)), ("minutes", timedelta(minutes=1))):
        if value and not value % size:
            return _counted(value // size, name)
    if not value % timedelta(seconds=1):
        return _counted(value // timedelta(seconds=1), "seconds")
    return f"{Decimal(value // timedelta(microseconds=1)).scaleb(-6)} seconds"


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit[:-1] if count in {1, -1} else unit}"


def show(value: Value) -> str:
    """Return a value as people read it in explanations."""
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case timedelta():
            return show_duration(value)
        case Decimal():
            return f"{value:f}"
        case tuple():
            shown = ", ".join(show(item) for item in value[:5])
            return f"[{shown}{', …' if len(value) > 5 else ''}]"
        case Mapping():
            return "{" + ", ".join(f"{name}: {show(inner)}" for name, inner in list(value.items())[:5]) + "}"
        case _:
            return str(value)
