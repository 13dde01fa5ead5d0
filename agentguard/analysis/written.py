"""Values as people write them in test files, read by the types that the policy under test declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal

from agentguard.core import language, money
from agentguard.core.calendar import to_instant
from agentguard.core.cases import Written
from agentguard.core.language import Type, Value, conform
from agentguard.core.language.notation import parse_duration
from agentguard.errors import ConformError, MoneyError

YES = {"yes": True, "true": True, "no": False, "false": False}
WHOLE = re.compile(r"-?[0-9]+")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def value_of(kind: Type, written: Written, zone: tzinfo) -> Value:
    """Return what was written as a value of a type.

    Args:
        kind: The type that the policy declares.
        written: Text, a list, or a mapping for a record.
        zone: Where times without an offset are meant.

    Raises:
        ConformError: It is no value of the type.
    """
    try:
        return conform(kind, _typed(kind, written, zone), exact_fields=True)
    except (ValueError, ArithmeticError, MoneyError) as error:
        raise ConformError("not_readable", f"expected {_example(kind)}, got {_shown(written)}") from error


def moment_of(text: str, zone: tzinfo) -> datetime:
    """Return the instant that text says: civil time in the zone, unless it names an offset.

    Raises:
        ConformError: It is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConformError("not_a_time", f"expected {_example(language.Time())}, got `{text}`") from error
    return to_instant(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC)


def amount_in(text: str, unit: str) -> int:
    """Return an amount or a count as a whole number: minor units of a currency, or a count under the unit `#`.

    Raises:
        ConformError: It is neither, or it is in another currency.
    """
    try:
        if unit == "#":
            if not WHOLE.fullmatch(text):
                raise ValueError(text)
            return int(text)
        amount = money.Money.parse(text) if " " in text.strip() else money.Money.of(text, unit)
    except (ValueError, MoneyError) as error:
        expected = "a whole number" if unit == "#" else f"an amount of {unit} like `260.01`"
        raise ConformError("not_an_amount", f"expected {expected}, got `{text}`") from error
    if amount.currency != unit:
        raise ConformError("wrong_currency", f"expected an amount of {unit}, got `{text}`")
    return amount.minor


def _typed(kind: Type, written: Written, zone: tzinfo) -> object:
    """Return the Python value that `conform` expects of what was written, or raise a ValueError."""
    if isinstance(kind, language.Record) and isinstance(written, Mapping):
        return {
            name: value_of(kind.fields[name].type, item, zone) if name in kind.fields else item
            for name, item in written.items()
        }
    if isinstance(kind, language.ListOf) and isinstance(written, tuple):
        return tuple(value_of(kind.item, item, zone) for item in written)
    if isinstance(kind, language.Record | language.ListOf) or not isinstance(written, str):
        raise ValueError(kind)
    typed = _scalar(kind, written, zone)
    if typed is None:
        raise ValueError(written)
    return typed


def _scalar(kind: Type, text: str, zone: tzinfo) -> object:
    match kind:
        case language.Integer():
            return int(text) if WHOLE.fullmatch(text) else None
        case language.Decimal_():
            return Decimal(text) if NUMBER.fullmatch(text) else None
        case language.Money(currencies=(only,)) if " " not in text.strip():
            return money.Money.of(text, only)
        case language.Money():
            return money.Money.parse(text)
        case language.YesNo():
            return YES.get(text)
        case language.Date():
            return date.fromisoformat(text)
        case language.Time():
            return moment_of(text, zone)
        case language.Duration():
            return parse_duration(text)
        case _:
            return text


def _example(kind: Type) -> str:
    match kind:
        case language.Integer():
            return "a whole number like `3`"
        case language.Decimal_():
            return "a number like `2.5`"
        case language.Money(currencies=(only,)):
            return f"an amount of {only} like `49.99`"
        case language.Money(currencies=several):
            return f"an amount with its currency like `49.99 {several[0]}`"
        case language.Date():
            return "a date like `2026-11-20`"
        case language.Time():
            return "a time like `2026-11-20 10:00`"
        case language.Duration():
            return "a length of time like `3 days`"
        case language.YesNo():
            return "`yes` or `no`"
        case language.Record(fields=fields):
            return f"{kind} with {', '.join(f'`{name}`' for name in fields)}"
        case _:
            return f"a {kind}"


def _shown(written: Written) -> str:
    if isinstance(written, str):
        return f"`{written}`"
    return "a mapping" if isinstance(written, Mapping) else "a list"
