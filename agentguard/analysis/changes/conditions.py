"""How one condition differs from another: which of its parts came, went, or moved from one value to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from agentguard.analysis.changes.difference import Holds
from agentguard.analysis.wording import constant, written
from agentguard.core.english.speaker import Speaker, compares
from agentguard.core.english.values import value_words
from agentguard.core.language import Expression, Term, terms
from agentguard.core.language.meaning import rests_on
from agentguard.core.language.polarity import leanings
from agentguard.core.language.types import Value, YesNo
from agentguard.core.money import Money

_SPEAKER = Speaker()
_UPPER, _LOWER = ("<", "<="), (">", ">=")
_Leaning: TypeAlias = tuple[Expression, bool | None]


@dataclass(frozen=True, slots=True)
class Moved:
    """One part of a condition that changed.

    Attributes:
        holds: What it does to how often the whole condition holds.
        argument: The full name that is compared, where a comparison with a written value moved; else empty.
    """

    text: str
    holds: Holds
    argument: str = ""


@dataclass(frozen=True, slots=True)
class _Item:
    """One part: its term, with the source that its places are in, and its canonical spelling."""

    term: Term
    source: str
    text: str


def moved(old: Expression | None, new: Expression | None) -> tuple[Moved, ...]:
    """Return what changed from one condition to another, one after another; names stand for themselves."""
    return tuple(_moved(list(_items(old, terms.And)), list(_items(new, terms.And)), terms.And))


def moved_beneath(old: Expression | None, new: Expression | None) -> Iterator[Moved]:
    """Yield what changed in the names, tables, calendars and zones that both versions of a condition rest on."""
    if old is None or new is None:
        return
    was, now = rests_on(old), rests_on(new)
    before, after = _named(old), _named(new)
    for key in (key for key in now if key in was and was[key] != now[key]):
        yield from _meant(key, before.get(key, []), after.get(key, []))


def _meant(key: str, old: list[_Leaning], new: list[_Leaning]) -> Iterator[Moved]:
    """Yield what changed in something that conditions rest on, and what that does to them where it is a condition."""
    helps = {towards for _, towards in (*old, *new)}
    if old and new and all(isinstance(inner.type, YesNo) for inner, _ in (*old, *new)) and None not in helps:
        for item in moved(old[0][0], new[0][0]):
            holds = item.holds if helps == {True} else item.holds.opposite if helps == {False} else Holds.OTHERS
            yield Moved(f"{key}: {item.text}", holds)
    else:
        yield Moved(f"{key} means something else", Holds.OTHERS)


def _named(expression: Expression) -> dict[str, list[_Leaning]]:
    """Return the expressions of names wherever a condition is written with them, with what their yes helps it to be."""
    found: dict[str, list[_Leaning]] = {}
    for term, towards in leanings(expression.tree):
        if isinstance(term, terms.Part) and term.name is not None:
            found.setdefault(f"name `{term.name}`", []).append((term.expression, towards))
    return found


def condition_text(expression: Expression | None) -> str:
    """Return the canonical spelling of a condition, with its names and without what joins its parts."""
    return " and ".join(sorted(item.text for item in _items(expression, terms.And)))


def parts_named(expression: Expression | None) -> Iterator[str]:
    """Yield the names that a condition needs to hold, each a part of its own."""
    for item in _items(expression, terms.And):
        if isinstance(item.term, terms.Part) and item.term.name:
            yield item.term.name


def _items(expression: Expression | None, kind: type[terms.And | terms.Or]) -> Iterator[_Item]:
    if expression is not None:
        yield from _flat(expression.tree, expression.source, kind)


def _flat(term: Term, source: str, kind: type[terms.And | terms.Or]) -> Iterator[_Item]:
    if isinstance(term, terms.Part) and term.name is None:
        yield from _flat(term.expression.tree, term.expression.source, kind)
    elif isinstance(term, kind):
        for item in term.items:
            yield from _flat(item, source, kind)
    else:
        yield _Item(term, source, written(term, source))


def _moved(old: list[_Item], new: list[_Item], kind: type[terms.And | terms.Or]) -> Iterator[Moved]:
    gone, come = _unmatched(old, new), _unmatched(new, old)
    for before in list(gone):
        after = next((item for item in come if _subject(item) is not None and _subject(item) == _subject(before)), None)
        found = None if after is None else _shifted(before, after)
        if after is not None and found is not None:
            gone.remove(before)
            come.remove(after)
            yield found
    if len(gone) == len(come) == 1:
        inner = _inside(gone[0], come[0])
        if inner is not None:
            yield from inner
            return
    needs = kind is terms.And
    for item in gone:
        said = _SPEAKER.clause(item.term).bracketed()
        yield Moved(f"no longer {'needs' if needs else 'suffices'} that {said}", Holds.MORE if needs else Holds.LESS)
    for item in come:
        said = _SPEAKER.clause(item.term).bracketed()
        yield Moved(f"now also {'needs' if needs else 'suffices'} that {said}", Holds.LESS if needs else Holds.MORE)


def _unmatched(items: Sequence[_Item], others: Sequence[_Item]) -> list[_Item]:
    left = Counter(item.text for item in others)
    found = []
    for item in items:
        if left[item.text]:
            left[item.text] -= 1
        else:
            found.append(item)
    return found


def _inside(old: _Item, new: _Item) -> list[Moved] | None:
    """Return what moved inside of two parts of the same shape; None where they have nothing in common."""
    match old.term, new.term:
        case (terms.Or(), _) | (_, terms.Or()):
            pairs = [list(_flat(item.term, item.source, terms.Or)) for item in (old, new)]
            both = isinstance(old.term, terms.Or) and isinstance(new.term, terms.Or)
            shared = both or len(_unmatched(pairs[0], pairs[1])) < len(pairs[0])
            return list(_moved(pairs[0], pairs[1], terms.Or)) if shared else None
        case terms.Not(before), terms.Not(after):
            pairs = [list(_flat(term, item.source, terms.And)) for term, item in ((before, old), (after, new))]
            found = list(_moved(pairs[0], pairs[1], terms.And))
            return [Moved(f"not: {item.text}", item.holds.opposite, item.argument) for item in found]
        case _:
            return None


def _subject(item: _Item) -> tuple[str, str] | None:
    """Return what is compared with a written value, and from which side; None where nothing is."""
    match item.term:
        case terms.Compare(operator, left, right) if constant(right) is not None:
            side = "up" if operator in _UPPER else "down" if operator in _LOWER else operator
            return written(left, item.source), side
        case terms.In(of, items) if constant(items) is not None:
            return written(of, item.source), "in"
        case _:
            return None


def _shifted(old: _Item, new: _Item) -> Moved | None:
    match old.term, new.term:
        case terms.In(_, before), terms.In(of, after):
            return _listed(_SPEAKER.noun(of), constant(before), constant(after), _name(of))
        case terms.Compare(one, _, before), terms.Compare(two, left, after):
            was, now = constant(before), constant(after)
            if was is None or now is None:
                return None
            said = "" if one == two else f"{compares(one, left.type).removeprefix('is ')} "
            text = f"{_SPEAKER.noun(left)} {compares(two, left.type)} {value_words(now)}, was {said}{value_words(was)}"
            return Moved(text, _bound(one, was, two, now), _name(left))
        case _:
            return None


def _name(term: Term) -> str:
    return term.name if isinstance(term, terms.Read) and ":" not in term.name else ""


def _bound(one: str, was: Value, two: str, now: Value) -> Holds:
    """Return whether a bound lets more through than another: a larger one from above, a smaller one from below."""
    before, after = _size(was), _size(now)
    if one not in (*_UPPER, *_LOWER) or before is None or after is None or before[0] != after[0]:
        return Holds.OTHERS
    upper = two in _UPPER
    if before[1] == after[1]:
        return Holds.MORE if two in ("<=", ">=") else Holds.LESS
    return Holds.MORE if (after[1] > before[1]) == upper else Holds.LESS


def _size(value: Value) -> tuple[str, Any] | None:
    """Return what sizes can be compared with, and the size; None for what has none."""
    match value:
        case bool():
            return None
        case Money():
            return value.currency, value.minor
        case int() | Decimal():
            return "number", Decimal(value)
        case timedelta() | datetime() | date():
            return type(value).__name__, value
        case _:
            return None


def bounds(old: Expression, new: Expression) -> Holds:
    """Return whether an amount lets more through than another, where both are written values."""
    was, now = constant(old.tree), constant(new.tree)
    return Holds.OTHERS if was is None or now is None else _bound("<=", was, "<=", now)


def _listed(what: str, was: Value | None, now: Value | None, name: str) -> Moved:
    before, after = (value if isinstance(value, tuple) else () for value in (was, now))
    come, gone = (tuple(item for item in one if item not in two) for one, two in ((after, before), (before, after)))
    said = [f"also {value_words(come)}"] if come else []
    said += [f"no longer {value_words(gone)}"] if gone else []
    if not said:  # the same values in another order
        return Moved(f"{what} is one of the same, in another order", Holds.OTHERS, name)
    holds = Holds.OTHERS if come and gone else Holds.MORE if come else Holds.LESS
    return Moved(f"{what} is one of: {', '.join(said)}", holds, name)
