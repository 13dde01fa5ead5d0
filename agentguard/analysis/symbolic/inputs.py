"""Every value that a type can have, as variables of the solver with what is true of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import z3

from agentguard.analysis.symbolic.lexicon import Lexicon
from agentguard.analysis.symbolic.logic import Truth, Whole, any_of
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.value import Amount, Code, Fields, Item, Listed, Slot, Symbolic, Unlisted
from agentguard.core import money
from agentguard.core.language import Declared, types
from agentguard.core.language.types import Type, Value

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY = 86_400_000_000
"""Microseconds of a day."""

_MOST_SIGNIFICANT = 10**money.MAX_INTEGER_DIGITS
_LONGEST = timedelta.max // MICROSECOND


def microseconds(value: datetime | timedelta) -> int:
    """Return an instant or a duration as microseconds, since 1970 or at all."""
    return (value - EPOCH if isinstance(value, datetime) else value) // MICROSECOND


class Inputs:
    """Makes variables.

    Attributes:
        lexicon: The texts.
        items: How many items a list has at most; None where a list's items are left open.
        always: What holds for every request.
        lists: Names of the lists that there are.
        timed: Whether there are days or instants, which are then between 1970 and 2200.
    """

    def __init__(self, lexicon: Lexicon, items: int | None) -> None:
        self.lexicon = lexicon
        self.items = items
        self.always: list[Truth] = []
        self.lists: list[str] = []
        self.timed = False

    def slot(self, name: str, declared: Declared, *, may_fail: bool) -> Slot:
        """Return a declared value that may be absent where it is optional, and unknown where a lookup may fail."""
        present = z3.Bool(f"{name} is there") if declared.optional else True
        known = z3.Bool(f"{name} is known") if may_fail else True
        return Slot(self.value(name, declared.type), present, known)

    def value(self, name: str, kind: Type) -> Symbolic:
        """Return a variable of a type."""
        match kind:
            case types.YesNo():
                return z3.Bool(name)
            case types.Integer():
                return Number(self.whole(name, 1 - _MOST_SIGNIFICANT, _MOST_SIGNIFICANT - 1))
            case types.Decimal_():
                most = _MOST_SIGNIFICANT * 10**money.MAX_FRACTION_DIGITS
                return Number(self.whole(name, 1 - most, most - 1), money.MAX_FRACTION_DIGITS)
            case types.Money():
                return self._amount(name, kind)
            case types.Text() | types.OneOf():
                return Code(self._text(name, kind))
            case types.Date():
                self.timed = True
                return Number(self.whole(name, EPOCH.toordinal(), LATEST.toordinal()))
            case types.Time():
                self.timed = True
                return Number(self.whole(name, 0, microseconds(LATEST)))
            case types.Duration():
                return Number(self.whole(name, -_LONGEST, _LONGEST))
            case types.Record():
                parts = kind.fields.items()
                return Fields({part: self.slot(f"{name}.{part}", said, may_fail=False) for part, said in parts})
            case types.ListOf():
                return self._list(name, kind)

    def whole(self, name: str, least: int, most: int) -> Whole:
        """Return a whole number between two."""
        variable = z3.Int(name)
        self.always += [variable >= least, variable <= most]
        return variable

    def _amount(self, name: str, kind: types.Money) -> Amount:
        most = max(money.BOUNDS[code] for code in kind.currencies) - 1
        minor = self.whole(name, -most if kind.any_sign else 1, most)
        codes = [self.lexicon.code(code) for code in kind.currencies]
        if len(codes) == 1:
            return Amount(Number(minor), codes[0])
        currency = z3.Int(f"currency of {name}")
        self.always.append(any_of(currency == code for code in codes))
        return Amount(Number(minor), currency)

    def _text(self, name: str, kind: types.Text | types.OneOf) -> Whole:
        variable = z3.Int(name)
        if isinstance(kind, types.OneOf):
            self.always.append(any_of([variable == self.lexicon.code(value) for value in kind.values]))
        else:
            self.always += [variable >= 0]
        return variable

    def _list(self, name: str, kind: types.ListOf) -> Listed | Unlisted:
        self.lists.append(name)
        size = self.whole(f"size of {name}", 0, types.MAX_LIST if self.items is None else self.items)
        if self.items is None:
            return Unlisted(name, kind.item, size)
        places = range(self.items)
        return Listed(tuple(Item(size > place, self.value(f"{name}[{place}]", kind.item)) for place in places))


def value_in(model: Any, lexicon: Lexicon, kind: Type, symbolic: Symbolic) -> Value:
    """Return the value that a variable has in a model, in Python."""
    match symbolic, kind:
        case Code(code), _:
            return lexicon.text(number_in(model, code), model)
        case Amount(minor, currency), _:
            return money.Money(number_in(model, minor.units), lexicon.text(number_in(model, currency), model))
        case Fields(slots), types.Record(fields=fields):
            return {
                name: value_in(model, lexicon, fields[name].type, slot.value)
                for name, slot in slots.items()
                if truth_in(model, slot.present)
            }
        case Listed(items), types.ListOf(item=item):
            return tuple(value_in(model, lexicon, item, found.value) for found in items if truth_in(model, found.there))
        case Number(units, scale), types.Decimal_():
            return money.canonical_number(money.EXACT.scaleb(Decimal(number_in(model, units)), -scale))
        case Number(units), types.Date():
            return date.fromordinal(number_in(model, units))
        case Number(units), types.Time():
            return EPOCH + number_in(model, units) * MICROSECOND
        case Number(units), types.Duration():
            return number_in(model, units) * MICROSECOND
        case Number(units), _:
            return number_in(model, units)
        case _:
            return truth_in(model, symbolic)


def truth_in(model: Any, truth: Truth) -> bool:
    """Return whether something holds in a model."""
    return truth if isinstance(truth, bool) else z3.is_true(model.eval(truth, model_completion=True))


def number_in(model: Any, units: Whole) -> int:
    """Return a whole number in a model."""
    if isinstance(units, int):
        return units
    return int(model.eval(units, model_completion=True).as_long())
