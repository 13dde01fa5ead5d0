"""What an expression means beyond its own text: the names, tables, calendars and zones that it rests on.

Two versions of a file may write the same condition and mean something else by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentguard.core.calendar import Calendar
from agentguard.core.language.inside import terms_in
from agentguard.core.language.parse import parse
from agentguard.core.language.terms import Constant, DayOf, During, Expression, Lookup, Part, Term
from agentguard.core.language.unparse import unparse


def rests_on(expression: Expression) -> dict[str, str]:
    """Return what an expression rests on, by kind and name, as text that is the same only where that is."""
    return {key: text for term in terms_in(expression.tree) for key, text in _below(term)}


def _below(term: Term) -> Iterator[tuple[str, str]]:
    match term:
        case Part(inner, str(name)):
            yield f"name `{name}`", unparse(parse(inner.source))
        case Lookup(table):
            yield f"table `{table.name}`", repr(sorted(_entries(table.entries)))
        case DayOf(_, zone):
            yield "timezone", str(zone)
        case During(_, calendar, calendars, zone):
            named = [str(calendar.value)] if isinstance(calendar, Constant) else sorted(calendars)
            yield "timezone", str(zone)
            yield from ((f"calendar `{name}`", _hours(calendars[name])) for name in named)


def _entries(entries: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, item in entries.items():
        if isinstance(item, Mapping):
            yield from ((key, *inner) for inner in _entries(item))
        else:
            yield key, repr(item)


def _hours(calendar: Calendar) -> str:
    closed = sorted(str(day) for day in calendar.closed)
    return f"{calendar.week} {closed} {sorted(map(str, calendar.spans))} {calendar.daily} {calendar.zone}"
