"""The boundary between Python and the language: whether a value fits its type, and its one normal form.

What comes from a model as text is somebody else's job: facts come from code, so text is never read as a number here.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from agentguard.core import money
from agentguard.core.language import types
from agentguard.core.language.types import Declared, Type, Value
from agentguard.errors import ConformError, MoneyError

_INTEGER_BOUND = 10**money.MAX_INTEGER_DIGITS
_MISSING = object()


def conform(kind: Type, value: object, *, exact_fields: bool = False) -> Value:
    """Return a value in the normal form of its type.

    Args:
        kind: The type it must fit.
        value: What came from code. Records may be mappings or objects with attributes.
        exact_fields: Refuse fields that a record does not declare, instead of leaving them out.

    Raises:
        ConformError: It does not fit; `reason` is a stable word.
    """
    if isinstance(value, enum.Enum):
        value = value.value
    conformed = _CONFORMERS.get(type(kind))
    if conformed is not None:
        return conformed(kind, value)
    if isinstance(kind, types.Record):
        return _record(kind, value, exact_fields=exact_fields)
    assert isinstance(kind, types.ListOf)  # noqa: S101 - every other type is in the table
    return _list(kind, value, exact_fields=exact_fields)


def _unfit(reason: str, expected: str, value: object) -> ConformError:
    return ConformError(reason, f"{expected}, got {type(value).__name__}")


def _yes_no(_: Type, value: object) -> bool:
    if not isinstance(value, bool):
        raise _unfit("not_a_yes_no", "expected True or False", value)
    return value


def _date(_: Type, value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _unfit("not_a_date", "expected a date without a time of day", value)
    return date(value.year, value.month, value.day)


def _duration(_: Type, value: object) -> timedelta:
    if not isinstance(value, timedelta):
        raise _unfit("not_a_duration", "expected a timedelta", value)
    return timedelta(value.days, value.seconds, value.microseconds)


def _text(_: Type, value: object) -> str:
    if not isinstance(value, str):
        raise _unfit("not_text", "expected text", value)
    if len(value) > types.MAX_TEXT:
        raise ConformError("too_long", f"text has at most {types.MAX_TEXT:,} characters, got {len(value):,}")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ConformError("not_text", "text must be whole Unicode characters, got half of a surrogate pair")
    # Arguments are in NFC, and a fact that says the same in other bytes would be another text.
    text = unicodedata.normalize("NFC", str.__str__(value))
    if len(text) > types.MAX_TEXT:
        raise ConformError("too_long", f"text has at most {types.MAX_TEXT:,} characters in NFC, got {len(text):,}")
    return text


def _one_of(kind: types.OneOf, value: object) -> str:
    text = _text(kind, value)
    if text not in kind.values:
        shown = ", ".join(kind.values[:12]) + (", …" if len(kind.values) > 12 else "")
        raise ConformError("not_one_of", f"expected one of [{shown}], got `{text[:60]}`")
    return text


def _integer(_: Type, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unfit("not_a_number", "expected a whole number (int)", value)
    if abs(value) >= _INTEGER_BOUND:
        raise ConformError(
            "too_many_digits", f"a number has at most {money.MAX_INTEGER_DIGITS} digits before the point"
        )
    return int(value)


def _decimal(kind: Type, value: object) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(_integer(kind, value))
    if not isinstance(value, Decimal):
        raise _unfit("not_a_number", "expected an exact number (Decimal or int, never float)", value)
    if not value.is_finite():
        raise ConformError("not_a_number", f"expected a finite number, got `{value}`")
    exponent = value.as_tuple().exponent
    if value.copy_abs() >= _INTEGER_BOUND or (isinstance(exponent, int) and -exponent > money.MAX_FRACTION_DIGITS):
        raise ConformError(
            "too_many_digits",
            f"a number has at most {money.MAX_INTEGER_DIGITS} digits before the point "
            f"and {money.MAX_FRACTION_DIGITS} after",
        )
    return money.canonical_number(value)


def _money(kind: types.Money, value: object) -> money.Money:
    if isinstance(value, Decimal) and len(kind.currencies) == 1:
        try:
            value = money.Money.of(value, kind.currencies[0])
        except MoneyError as error:
            raise ConformError("not_money", str(error)) from error
    if not isinstance(value, money.Money):
        raise _unfit("not_money", 'expected Money, like Money.of("40.00", "USD")', value)
    if value.currency not in kind.currencies:
        raise ConformError("wrong_currency", f"expected {' or '.join(kind.currencies)}, got {value.currency}")
    if abs(value.minor) >= money.BOUNDS[value.currency]:
        raise ConformError(
            "too_many_digits", f"an amount has at most {money.MAX_INTEGER_DIGITS} digits before the point"
        )
    if value.minor <= 0 and not kind.any_sign:
        raise ConformError("not_positive", f"expected an amount above zero, got {value}")
    return value


def _time(_: Type, value: object) -> datetime:
    if not isinstance(value, datetime):
        raise _unfit("not_a_time", "expected a datetime with a time zone", value)
    if value.tzinfo is None or value.utcoffset() is None:
        raise ConformError("no_time_zone", "expected a datetime with a time zone, got one without")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ConformError("not_a_time", "the time is out of range in UTC") from error


def _record(kind: types.Record, value: object, *, exact_fields: bool) -> Mapping[str, Value]:
    if isinstance(value, str | bytes | int | Decimal | date | timedelta | Sequence) or value is None:
        raise _unfit("not_a_record", f"expected {kind.name} with fields {', '.join(kind.fields)}", value)
    if exact_fields and isinstance(value, Mapping) and (unknown := [name for name in value if name not in kind.fields]):
        raise ConformError("unknown_field", f"{kind.name} has no field `{str(unknown[0])[:60]}`")
    made: dict[str, Value] = {}
    for name, declared in kind.fields.items():
        found = value.get(name, _MISSING) if isinstance(value, Mapping) else getattr(value, name, _MISSING)
        if found is _MISSING or found is None:
            if not declared.optional:
                raise ConformError("missing_field", f"{kind.name} needs the field `{name}`")
            continue
        made[name] = _field(name, declared, found, exact_fields=exact_fields)
    return MappingProxyType(made)


def _field(name: str, declared: Declared, value: object, *, exact_fields: bool) -> Value:
    try:
        return conform(declared.type, value, exact_fields=exact_fields)
    except ConformError as error:
        raise ConformError(error.reason, f"`{name}`: {error}") from error


def _list(kind: types.ListOf, value: object, *, exact_fields: bool) -> tuple[Value, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise _unfit("not_a_list", "expected a list", value)
    if len(value) > types.MAX_LIST:
        raise ConformError("too_long", f"a list has at most {types.MAX_LIST:,} items, got {len(value):,}")
    items: list[Value] = []
    for place, item in enumerate(value):
        try:
            items.append(conform(kind.item, item, exact_fields=exact_fields))
        except ConformError as error:
            raise ConformError(error.reason, f"item {place + 1}: {error}") from error
    return tuple(items)


_CONFORMERS: dict[Any, Callable[[Any, object], Value]] = {
    types.Text: _text,
    types.OneOf: _one_of,
    types.Integer: _integer,
    types.Decimal_: _decimal,
    types.Money: _money,
    types.YesNo: _yes_no,
    types.Date: _date,
    types.Time: _time,
    types.Duration: _duration,
}
