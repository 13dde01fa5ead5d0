"""From a checked expression to formulas: what it comes to, and when it cannot be evaluated (SPEC L6).

The tree walker defines what a term means; each rule here says the same of all requests at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import z3

from agentguard.analysis.symbolic import lists, values
from agentguard.analysis.symbolic.inputs import DAY, EPOCH, Inputs, microseconds
from agentguard.analysis.symbolic.lexicon import Lexicon
from agentguard.analysis.symbolic.logic import Truth, Whole, all_of, any_of, choose, no
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.times import civil_day, moment, moved, outside
from agentguard.analysis.symbolic.value import (
    Amount,
    Code,
    Item,
    Listed,
    Result,
    Slot,
    Symbolic,
    code,
    fields,
    number,
    units,
)
from agentguard.core import money
from agentguard.core.calendar import Calendar
from agentguard.core.language import Expression, terms, types, unparse
from agentguard.core.language.table import key_text
from agentguard.core.language.terms import Term
from agentguard.core.language.types import Type, Value


@dataclass(frozen=True, slots=True)
class Loose:
    """Something that a formula says too broadly, and that can be worked out once its inputs are known.

    Attributes:
        kind: `calendar`, `day`, `product`, `text` or `list`.
        variable: Stands for it.
        inputs: What it is made of.
        actual: From the inputs' values to its own, or to None where nobody can tell.
    """

    kind: str
    source: str
    variable: Any
    inputs: tuple[Any, ...] = ()
    actual: Callable[..., Any] | None = None


class Translation:
    """The formulas of one plan's expressions over the same variables.

    Attributes:
        environment: What was read so far, by full name; `further` makes what is read for the first time.
        inputs: Makes further variables.
        loose: What was said too broadly, by its canonical text.
    """

    def __init__(self, inputs: Inputs, environment: Mapping[str, Slot], further: Callable[[str], Slot]) -> None:
        self.inputs = inputs
        self.environment = dict(environment)
        self._further = further
        self.locals: dict[str, Symbolic] = {}
        self.loose: dict[str, Loose] = {}
        self._known: dict[int, tuple[Expression, Result]] = {}
        self._read: dict[str, tuple[Slot, Result]] = {}
        self._compared: dict[tuple[Any, ...], tuple[Slot, Result]] = {}

    @property
    def lexicon(self) -> Lexicon:
        """The texts."""
        return self.inputs.lexicon

    def expression(self, expression: Expression) -> Result:
        """Return what an expression comes to."""
        if self.locals:
            return self.value(expression.tree)
        known = self._known.get(id(expression))
        if known is None:
            known = self._known[id(expression)] = expression, self.value(expression.tree)
        return known[1]

    def value(self, term: Term) -> Result:
        """Return what a term comes to."""
        return _RULES[type(term)](self, term)

    def constant(self, value: Value) -> Symbolic:
        """Return a written value."""
        match value:
            case bool():
                return value
            case str():
                return Code(self.lexicon.code(value))
            case int() | Decimal():
                return Number.of(value)
            case money.Money() | money.UnroundedMoney():
                return Amount(Number.of(value.minor), self.lexicon.code(value.currency))
            case datetime() | timedelta():
                return Number(microseconds(value))
            case date():
                return Number(value.toordinal())
            case _:
                raise AssertionError(f"nobody can write a {type(value).__name__} in a policy")

    def opened(
        self, kind: str, term: Term, of: Type, inputs: tuple[Any, ...] = (), actual: Callable[..., Any] | None = None
    ) -> Symbolic:
        """Return a variable for a term that no formula says exactly; the same term has the same one."""
        source = unparse(term)
        if self.locals:  # inside a list each item has its own
            source = f"{source} #{len(self.loose)}"
        if source not in self.loose:
            self.loose[source] = Loose(kind, source, self.inputs.value(f"«{source}»", of), inputs, actual)
        variable: Symbolic = self.loose[source].variable
        return variable

    def slot(self, name: str) -> Slot:
        """Return what stands under a full name."""
        found = self.environment.get(name)
        if found is None:
            found = self.environment[name] = self._further(name)
        return found

    def read(self, term: terms.Read) -> Result:
        """Read the environment: what is absent or unknown is an error."""
        slot = self.slot(term.name)
        known = self._read.get(term.name)
        if known is None or known[0] is not slot:
            result = Result(slot.value, any_of((no(slot.present), no(slot.known))))
            known = self._read[term.name] = slot, result
        return known[1]

    def has(self, term: terms.Has) -> Result:
        """Return whether an optional value is there; nobody knows that of a failed lookup."""
        if isinstance(term.of, terms.Field):
            record = self.value(term.of.of)
            return Result(fields(record.value).slots[term.of.name].present, record.error)
        slot = self.slot(term.of.name)
        return Result(slot.present, no(slot.known))

    def field(self, term: terms.Field) -> Result:
        """Read a field of a record."""
        record = self.value(term.of)
        slot = fields(record.value).slots[term.name]
        return Result(slot.value, any_of((record.error, no(slot.present))))

    def junction(self, term: terms.And | terms.Or) -> Result:
        """Return `and` or `or`; the deciding answer outweighs errors on either side."""
        return joined([self.value(item) for item in term.items], isinstance(term, terms.Or))

    def compare(self, term: terms.Compare) -> Result:
        """Return a comparison; many rules compare the same value with the same constant."""
        match term.left, term.right:
            case terms.Read(name), terms.Constant(value):
                slot, key = self.slot(name), (name, term.operator, type(value), value)
                known = self._compared.get(key)
                if known is None or known[0] is not slot:
                    known = self._compared[key] = slot, self._comparison(term)
                return known[1]
            case _:
                return self._comparison(term)

    def _comparison(self, term: terms.Compare) -> Result:
        left, right = self.value(term.left), self.value(term.right)
        answer, mismatch = values.compare(term.operator, left.value, right.value)
        return Result(answer, any_of((left.error, right.error, mismatch)))

    def arithmetic(self, term: terms.Arithmetic) -> Result:
        """Return a sum, a difference or a product."""
        left, right = self.value(term.left), self.value(term.right)
        error = any_of((left.error, right.error))
        if term.operator == "*":
            return self._product(term, left.value, right.value, error)
        return moved(term, left.value, right.value, error)

    def _product(self, term: Term, left: Symbolic, right: Symbolic, error: Truth) -> Result:
        if isinstance(right, Amount):
            left, right = right, left
        factor, by = units(left), number(right)
        product = factor.times(by) or self._opened_product(term, factor, by)
        error = any_of((error, outside(product, term.type)))
        return Result(Amount(product, left.currency) if isinstance(left, Amount) else product, error)

    def _opened_product(self, term: Term, left: Number, right: Number) -> Number:
        scale = left.scale + right.scale
        source = f"{unparse(term)} #{len(self.loose)}" if self.locals else unparse(term)
        if source not in self.loose:
            units = z3.Int(f"«{source}»")
            self.loose[source] = Loose("product", source, units, (left.units, right.units), int.__mul__)
        return Number(self.loose[source].variable, scale)

    def apply(self, term: terms.Apply) -> Result:
        """Apply a function to its arguments."""
        found = [self.value(argument) for argument in term.arguments]
        error = any_of(result.error for result in found)
        match term.function, [result.value for result in found]:
            case "size", [items]:
                size = self.lexicon.size(items.code) if isinstance(items, Code) else lists.size(items)
                if isinstance(items, Code) and not isinstance(items.code, int):
                    self.inputs.always += self.lexicon.bounds(items.code)
                return Result(Number(size), error)
            case "sum" | "min" | "max" as function, [items]:
                return lists.gathered(self, term, function, items, error)
            case "min" | "max" as function, items:
                return lists.gathered(self, term, function, Listed(tuple(Item(True, item) for item in items)), error)
            case "percent", [of, share]:
                return self._percent(term, of, share, error)
            case "rounded", [of, _]:
                return self._rounded(term, of, error)
            case "currency", [amount]:
                return Result(Code(amount.currency if isinstance(amount, Amount) else -1), error)
            case "startsWith" | "endsWith" | "contains" as test, [text, part]:
                return Result(self._asked(term, test, code(text).code, code(part).code), error)
            case unit, [count]:
                length = Number(number(count).units * microseconds(timedelta(**{unit: 1})))
                return Result(length, any_of((error, outside(length, types.DURATION))))
            case function, _:
                raise AssertionError(f"the checker made a function `{function}` that nobody translates")

    def _asked(self, term: Term, test: str, of: Whole, part: Whole) -> Truth:
        lexicon = self.lexicon
        answer = lexicon.ask(test, of, part)
        if answer is not None:
            return answer
        return self.opened("text", term, types.YES_NO, (of, part), lambda *codes: lexicon.answer(test, *codes))

    def _percent(self, term: Term, of: Symbolic, share: Symbolic, error: Truth) -> Result:
        product = self._product(term, of, share, error)
        hundredth = Number(units(product.value).units, units(product.value).scale + 2)
        if isinstance(product.value, Amount):
            return Result(Amount(hundredth, product.value.currency), error)
        return Result(hundredth, error)

    def _rounded(self, term: terms.Apply, of: Symbolic, error: Truth) -> Result:
        mode = term.arguments[1]
        rounded = units(of).rounded(str(mode.value) if isinstance(mode, terms.Constant) else "")
        return Result(Amount(rounded, of.currency) if isinstance(of, Amount) else rounded, error)

    def lookup(self, term: terms.Lookup) -> Result:
        """Look up a table's entry; one that is not there is an error."""
        keys = [self.value(key) for key in term.keys]
        error = any_of(result.error for result in keys)
        found = self._entries(term, [result.value for result in keys], term.table.entries)
        return Result(found.value, any_of((error, found.error)))

    def _entries(self, term: terms.Lookup, keys: list[Symbolic], entries: Any) -> Result:
        if not keys:
            return Result(self.constant(entries))
        known: Result | None = None
        for key, inner in entries.items():
            here, below = self._is_key(keys[0], key), self._entries(term, keys[1:], inner)
            if known is None:
                known = Result(below.value, any_of((no(here), below.error)))
            else:
                known = Result(
                    values.choose_value(here, below.value, known.value), choose(here, below.error, known.error)
                )
        if known is None:
            raise AssertionError(f"the table `{term.table.name}` has no entries")
        return known

    def _is_key(self, value: Symbolic, key: str) -> Truth:
        if isinstance(value, Code):
            return value.code == self.lexicon.code(key)
        if isinstance(value, Number):
            try:
                return value.compared("==", Number.of(int(key)))
            except ValueError:
                return False
        return value if key == key_text(True) else no(value)

    def as_money(self, term: terms.AsMoney) -> Result:
        """Return a bare number as an amount; one with too many decimals is an error."""
        of = self.value(term.of)
        given = number(of.value)
        scaled = Number(given.units * 10 ** money.EXPONENTS[term.currency], given.scale)
        amount = Amount(scaled.rounded("down"), self.lexicon.code(term.currency))
        return Result(amount, any_of((of.error, no(scaled.is_whole()))))

    def day_of(self, term: terms.DayOf) -> Result:
        """Return the civil day of an instant: near the day in UTC, and exactly once the instant is known."""
        of, zone = self.value(term.of), term.zone
        instant = number(of.value).units
        if isinstance(instant, int):
            return Result(Number(civil_day(instant, zone)), of.error)
        day = self.opened("day", term, types.DATE, (instant,), lambda at: civil_day(at, zone))
        start = (number(day).units - EPOCH.toordinal()) * DAY
        self.inputs.always += [start - DAY <= instant, instant < start + 2 * DAY]
        return Result(day, of.error)

    def during(self, term: terms.During) -> Result:
        """Return whether an instant is within a calendar, which is known once the instant is."""
        of, name = self.value(term.of), self.value(term.calendar)
        instant, asked = number(of.value).units, code(name.value).code
        named = {calendar: asked == self.lexicon.code(calendar) for calendar in term.calendars}
        inside = any_of(
            all_of((here, self._inside(term, calendar, term.calendars[calendar], instant)))
            for calendar, here in named.items()
            if here is not False
        )
        return Result(inside, any_of((of.error, name.error, no(any_of(named.values())))))

    def _inside(self, term: terms.During, name: str, calendar: Calendar, instant: Any) -> Truth:
        zone = term.zone

        def actual(at: int) -> bool:
            """Return whether an instant is inside."""
            return calendar.contains(moment(at), zone)

        if isinstance(instant, int):
            return actual(instant)
        source = f"{unparse(term.of)} during {name}" + (f" #{len(self.loose)}" if self.locals else "")
        if source not in self.loose:
            stamp = zlib.crc32(
                repr((calendar, str(zone))).encode()
            )  # another version may have other hours under the name
            self.loose[source] = Loose("calendar", source, z3.Bool(f"«{source}» {stamp}"), (instant,), actual)
        return self.loose[source].variable


def joined(found: list[Result], deciding: bool) -> Result:
    """Return what `or` (deciding is yes) or `and` makes of its items."""
    decided = any_of(all_of((no(item.error), item.value if deciding else no(item.value))) for item in found)
    failed = all_of((no(decided), any_of(item.error for item in found)))
    return Result(decided if deciding else no(decided), failed)


def _negated(translation: Translation, term: terms.Negate) -> Result:
    of = translation.value(term.of)
    if isinstance(of.value, Amount):
        return Result(Amount(of.value.minor.negated(), of.value.currency), of.error)
    opposite = number(of.value).negated()
    return Result(opposite, any_of((of.error, outside(opposite, term.type))))


def _opposite(translation: Translation, term: terms.Not) -> Result:
    of = translation.value(term.of)
    return Result(no(of.value), of.error)


def _items(translation: Translation, term: terms.Items) -> Result:
    found = [translation.value(item) for item in term.items]
    return Result(Listed(tuple(Item(True, item.value) for item in found)), any_of(item.error for item in found))


_RULES: dict[type, Callable[[Translation, Any], Result]] = {
    terms.Constant: lambda translation, term: Result(translation.constant(term.value)),
    terms.Read: Translation.read,
    terms.Local: lambda translation, term: Result(translation.locals[term.name]),
    terms.Field: Translation.field,
    terms.Has: Translation.has,
    terms.Not: _opposite,
    terms.And: Translation.junction,
    terms.Or: Translation.junction,
    terms.Compare: Translation.compare,
    terms.In: lists.member,
    terms.Arithmetic: Translation.arithmetic,
    terms.Negate: _negated,
    terms.Items: _items,
    terms.Lookup: Translation.lookup,
    terms.Macro: lists.macro,
    terms.Apply: Translation.apply,
    terms.AsMoney: Translation.as_money,
    terms.DayOf: Translation.day_of,
    terms.During: Translation.during,
    terms.Part: lambda translation, term: translation.expression(term.expression),
}
