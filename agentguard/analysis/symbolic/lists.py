"""What is asked of lists in formulas: place by place where their items are written out, or only whether they are empty.

Of an open list nobody says what is in it; what is asked of its items may then come to anything, as long as an empty
list gives what it must.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from agentguard.analysis.symbolic import values
from agentguard.analysis.symbolic.inputs import Inputs
from agentguard.analysis.symbolic.logic import Truth, Whole, all_of, any_of, choose, follows, no, same, total
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.value import Amount, Item, Listed, Result, Symbolic, Unlisted, listed, units, unlisted
from agentguard.core.language import terms, types
from agentguard.core.language.terms import Term
from agentguard.core.language.types import Type


class Translating(Protocol):
    """What is needed of the translation here."""

    inputs: Inputs
    locals: dict[str, Symbolic]

    def value(self, term: Term) -> Result:
        """Return what a term comes to."""

    def opened(self, kind: str, term: Term, of: Type) -> Symbolic:
        """Return a variable for a term that no formula says exactly."""

    def constant(self, value: Any) -> Symbolic:
        """Return a written value."""


def size(items: Symbolic) -> Whole:
    """Return how many items a list has."""
    if isinstance(items, Unlisted):
        return items.size
    return total(choose(item.there, 1, 0) for item in listed(items).items)


def member(translation: Translating, term: terms.In) -> Result:
    """Return whether a list holds an equal item; amounts of two currencies cannot be compared."""
    item, items = translation.value(term.item), translation.value(term.items)
    error = any_of((item.error, items.error))
    if isinstance(items.value, Unlisted):
        return _open_answer(translation, term, items.value, error, when_empty=False)
    answers, mismatches = [], []
    for place in listed(items.value).items:
        equal, mismatch = values.compare("==", item.value, place.value)
        answers.append(all_of((place.there, equal)))
        mismatches.append(all_of((place.there, mismatch)))
    return Result(any_of(answers), any_of((error, *mismatches)))


def macro(translation: Translating, term: terms.Macro) -> Result:
    """Return `all`, `exists`, `filter` or `map`; `all` and `exists` absorb errors like `and` and `or`."""
    over = translation.value(term.over)
    if isinstance(over.value, Unlisted):
        return _open_macro(translation, term, over)
    places = listed(over.value).items
    found = [(place.there, _with_item(translation, term, place.value)) for place in places]
    if term.kind in ("map", "filter"):
        failed = any_of((over.error, *(all_of((there, body.error)) for there, body in found)))
        if term.kind == "map":
            return Result(Listed(tuple(Item(there, body.value) for there, body in found)), failed)
        kept = (
            Item(all_of((there, body.value)), place.value) for (there, body), place in zip(found, places, strict=True)
        )
        return Result(Listed(tuple(kept)), failed)
    deciding = term.kind == "exists"
    decided = any_of(
        all_of((there, no(body.error), body.value if deciding else no(body.value))) for there, body in found
    )
    failed = all_of((no(decided), any_of(all_of((there, body.error)) for there, body in found)))
    return Result(decided if deciding else no(decided), any_of((over.error, failed)))


def _with_item(translation: Translating, term: terms.Macro, item: Symbolic) -> Result:
    outer = translation.locals
    translation.locals = {**outer, term.variable: item}
    try:
        return translation.value(term.body)
    finally:
        translation.locals = outer


def _open_macro(translation: Translating, term: terms.Macro, over: Result) -> Result:
    items = unlisted(over.value)
    if term.kind in ("map", "filter"):
        made = unlisted(translation.opened("list", term, term.type))
        translation.inputs.always.append(made.size == items.size if term.kind == "map" else made.size <= items.size)
        return Result(made, any_of((over.error, all_of((items.size > 0, _may_fail(translation, term, items))))))
    if term.kind == "all":  # the same variable for what says the same
        body = term.body
        other = body.of if isinstance(body, terms.Not) else terms.Not(body, types.YES_NO, body.start, body.end)
        found = _open_macro(translation, replace(term, kind="exists", body=other), over)
        return Result(no(found.value), found.error)
    return _open_answer(translation, term, items, over.error, when_empty=False)


def _open_answer(
    translation: Translating, term: terms.Macro | terms.In, over: Unlisted, error: Truth, *, when_empty: bool
) -> Result:
    answer = translation.opened("list", term, types.YES_NO)
    translation.inputs.always.append(follows(over.size == 0, same(answer, when_empty)))
    failed = all_of((over.size > 0, _may_fail(translation, term, over)))
    return Result(answer, any_of((error, failed)))


def _may_fail(translation: Translating, term: terms.Macro | terms.In, over: Unlisted) -> Truth:
    """Return a variable that says whether a body failed for some item of an open list; no where none ever does."""
    if isinstance(term, terms.Macro):
        item = translation.inputs.value(f"some item of {over.name}", over.item)
        if _with_item(translation, term, item).error is False:
            return False
    failing = terms.Not(term, types.YES_NO, term.start, term.end)
    return translation.opened("list", failing, types.YES_NO)


def gathered(translation: Translating, term: terms.Apply, function: str, items: Symbolic, error: Truth) -> Result:
    """Return the sum, the least or the greatest of a list; of none there is no least, and an open sum is any."""
    if isinstance(items, Unlisted):
        made = translation.opened("list", term, _any_sign(term.type))
        empty = items.size == 0
        if function != "sum":
            return Result(made, any_of((error, empty)))
        translation.inputs.always.append(follows(empty, _is_zero(made)))
        return Result(made, error)
    places = listed(items)
    if function == "sum":
        return _sum(translation, term, places, error)
    if not places.items:
        return Result(translation.opened("list", term, _any_sign(term.type)), True)
    return _extreme(function, places, error)


def _any_sign(kind: Type) -> Type:
    if isinstance(kind, types.Money):
        return types.Money(kind.currencies, any_sign=True)
    return kind


def _is_zero(value: Symbolic) -> Truth:
    return units(value).units == 0


def _sum(translation: Translating, term: terms.Apply, items: Listed, error: Truth) -> Result:
    if isinstance(term.type, types.Money):
        return _money_sum(translation, term.type, items, error)
    numbers = [(item.there, item.value) for item in items.items if isinstance(item.value, Number)]
    scale = max((number.scale for _, number in numbers), default=0)
    return Result(Number(total(choose(there, number.at(scale), 0) for there, number in numbers), scale), error)


def _money_sum(translation: Translating, kind: types.Money, items: Listed, error: Truth) -> Result:
    amounts = [(item.there, item.value) for item in items.items if isinstance(item.value, Amount)]
    scale = max((amount.minor.scale for _, amount in amounts), default=0)
    minor = Number(total(choose(there, amount.minor.at(scale), 0) for there, amount in amounts), scale)
    if len(kind.currencies) == 1:
        code = translation.constant(kind.currencies[0])
        return Result(Amount(minor, getattr(code, "code", 0)), error)
    currency: Whole = -1
    for there, amount in reversed(amounts):
        currency = choose(there, amount.currency, currency)
    mixed = any_of(all_of((there, no(amount.currency == currency))) for there, amount in amounts)
    none = no(any_of(there for there, _ in amounts))
    return Result(Amount(minor, currency), any_of((error, mixed, none)))


def _extreme(function: str, items: Listed, error: Truth) -> Result:
    symbol = "<" if function == "min" else ">"
    found, best = items.items[0]
    mismatched: Truth = False
    for item in items.items[1:]:
        better, mismatch = values.compare(symbol, item.value, best)
        mismatched = any_of((mismatched, all_of((found, item.there, mismatch))))
        best = values.choose_value(all_of((item.there, any_of((no(found), better)))), item.value, best)
        found = any_of((found, item.there))
    return Result(best, any_of((error, no(found), mismatched)))
