"""Sums and differences in formulas, of days, instants and durations among them, and the range that these have."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

from agentguard.analysis.symbolic.inputs import DAY, EPOCH, MICROSECOND, microseconds
from agentguard.analysis.symbolic.logic import Truth, any_of, no
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.value import Amount, Result, Symbolic, number
from agentguard.core.language import terms, types
from agentguard.core.language.types import Type


def moment(at: int) -> datetime:
    """Return an instant by its microseconds since 1970, or the nearest that every zone can show."""
    least, most = _BOUNDS[types.Time]
    return EPOCH + max(least + 2 * DAY, min(at, most - 2 * DAY)) * MICROSECOND


def civil_day(at: int, zone: tzinfo) -> int:
    """Return the civil day of an instant as the number of a day."""
    return moment(at).astimezone(zone).date().toordinal()


def outside(value: Number, kind: Type) -> Truth:
    """Return whether a day, an instant or a duration is out of the range that there is."""
    bounds = _BOUNDS.get(type(kind))
    if bounds is None:
        return False
    return any_of((value.units < bounds[0], value.units > bounds[1]))


_BOUNDS: dict[type, tuple[int, int]] = {
    types.Date: (date.min.toordinal(), date.max.toordinal()),
    types.Time: (microseconds(datetime.min.replace(tzinfo=UTC)), microseconds(datetime.max.replace(tzinfo=UTC))),
    types.Duration: (microseconds(timedelta.min), microseconds(timedelta.max)),
}


def moved(term: terms.Arithmetic, left: Symbolic, right: Symbolic, error: Truth) -> Result:
    """Return a sum or a difference; a date moves by whole days."""
    kinds = term.left.type, term.right.type
    if isinstance(left, Amount) and isinstance(right, Amount):
        minor = left.minor.plus(right.minor) if term.operator == "+" else left.minor.minus(right.minor)
        return Result(Amount(minor, left.currency), any_of((error, left.currency != right.currency)))
    one, other = number(left), number(right)
    match kinds:
        case types.Date(), types.Date():
            return Result(Number((one.units - other.units) * DAY), error)
        case types.Date(), types.Duration():
            return _day_moved(term.operator, one, other, error)
        case types.Duration(), types.Date():
            return _day_moved(term.operator, other, one, error)
        case _:
            result = one.plus(other) if term.operator == "+" else one.minus(other)
            return Result(result, any_of((error, outside(result, term.type))))


def _day_moved(operator: str, day: Number, by: Number, error: Truth) -> Result:
    whole = by.units % DAY == 0
    days = by.units // DAY if isinstance(by.units, int) else by.units / DAY
    result = Number(day.units + days if operator == "+" else day.units - days)
    return Result(result, any_of((error, no(whole), outside(result, types.DATE))))
