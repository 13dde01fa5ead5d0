"""Written values as people say them: amounts, days, lengths of time, lists."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

from agentguard.core.english.names import defined
from agentguard.core.language import Value
from agentguard.core.language.unparse import quoted
from agentguard.core.money import Money
from agentguard.core.policy import Within
from agentguard.core.values import duration_words, value_text

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def value_words(value: Value) -> str:
    """Return a written value as a person says it."""
    match value:
        case tuple():
            return list_words((value_words(item) for item in value), "or")
        case str():
            return quoted(value)
        case timedelta():
            return duration_words(value)
        case datetime():
            clock = f"{value:%H:%M:%S}" if value.second or value.microsecond else f"{value:%H:%M}"
            return f"{date_words(value)} at {clock} {value.tzname() or ''}".rstrip()
        case date():
            return date_words(value)
        case bool():
            return value_text(value)
        case int():
            return f"minus {-value}" if value < 0 else str(value)
        case Decimal():
            return f"minus {-value:f}" if value < 0 else f"{value:f}"
        case Money():
            return f"minus {Money(-value.minor, value.currency)}" if value.minor < 0 else str(value)
        case _:
            return value_text(value)


def at_home(value: Value, zone: tzinfo | None) -> Value:
    """Return an instant as clocks of a zone show it; anything else, and without a zone everything, as it is."""
    return value.astimezone(zone) if zone is not None and isinstance(value, datetime) else value


def date_words(day: date) -> str:
    """Return a civil day that nobody reads the wrong way round: `24 December 2026`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def within_words(within: Within) -> str:
    """Return a time to decide in: `4 hours of “desk hours”`."""
    said = duration_words(within.duration)
    return f"{said} of {defined(within.calendar)}" if within.calendar else said


def list_words(items: Iterable[str], last: str = "and") -> str:
    """Return texts one after another, as a sentence lists them."""
    said = list(items)
    return f" {last} ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else "".join(said) or "nothing"
