"""How what two versions of a file declare differs: actions, arguments, facts, types, names, tables and calendars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from agentguard.analysis.changes.conditions import Moved, moved, moved_beneath, parts_named
from agentguard.analysis.changes.difference import Concern, Difference, Effect, effect_of, together
from agentguard.analysis.changes.rules import GONE, NEW, Pair, moved_words
from agentguard.analysis.wording import written_expression
from agentguard.core.calendar import Calendar, Hours
from agentguard.core.english.values import list_words, value_words
from agentguard.core.language import Declared, Expression, OneOf, Table, YesNo
from agentguard.core.language.terms import Part, Term, below
from agentguard.core.language.types import Value
from agentguard.core.values import duration_words

PERSONAL = "is kept encrypted for each customer"
PERSONAL_NO_MORE = "is no longer kept encrypted for each customer"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def declaration_differences(pair: Pair) -> Iterator[Difference]:
    """Yield what is declared otherwise."""
    old, new = pair.old, pair.new
    for action in sorted({*old.actions, *new.actions}):
        if action not in old.actions:
            yield pair.told_action(action, NEW, Effect.EITHER)
        elif action not in new.actions:
            yield pair.told_action(action, GONE, Effect.EITHER)
        else:
            before, after = old.actions[action], new.actions[action]
            for name, text, effect in _declared(before.arguments, after.arguments):
                yield pair.told_action(action, f"argument `{name}` {text}", effect)
            for name in sorted(before.computed.keys() & after.computed.keys()):
                yield from _computed(pair, name, before.computed[name], after.computed[name])
    for kind, were, are in (("fact", old.facts, new.facts), ("context", old.context, new.context)):
        for name, text, effect in _declared(were, are):
            yield pair.said(kind, name, text, _known_effect(text, effect), Concern.REQUESTS)
    for name in sorted(old.records.keys() & new.records.keys()):
        for field, text, effect in _declared(old.records[name].fields, new.records[name].fields):
            yield pair.said("type", name, f"field `{field}` {text}", effect, Concern.REQUESTS)
    yield from _names(pair)
    yield from _tables(pair)
    yield from _calendars(pair)


def _known_effect(text: str, effect: Effect) -> Effect:
    """Return what it does that a fact is another: a new one nothing, and of no value is known whom it serves."""
    if text in ("new", "removed"):  # what reads it shows what it does
        return Effect.NEITHER
    return effect if effect is Effect.NEITHER or text == PERSONAL_NO_MORE else Effect.EITHER


def _computed(pair: Pair, name: str, old: Expression, new: Expression) -> Iterator[Difference]:
    """Yield what a tool is given otherwise, which may be more money though every decision stays as it was."""
    was, now = written_expression(old), written_expression(new)
    if was != now:
        yield pair.said("name", name, f"is computed as `{now}`, was `{was}`", Effect.EITHER, Concern.REQUESTS)
    for item in moved_beneath(old, new):
        yield pair.said("name", name, f"is computed otherwise: {item.text}", Effect.EITHER, Concern.REQUESTS)


def _declared(old: Mapping[str, Declared], new: Mapping[str, Declared]) -> Iterator[tuple[str, str, Effect]]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield name, "new", Effect.LOOSENS if new[name].optional else Effect.EITHER
        elif name not in new:
            yield name, "removed", Effect.TIGHTENS if old[name].optional else Effect.EITHER
        else:
            for text, effect in _redeclared(old[name], new[name]):
                yield name, text, effect


def _redeclared(old: Declared, new: Declared) -> Iterator[tuple[str, Effect]]:
    if str(old.type) != str(new.type) or _signed(old) != _signed(new):
        if isinstance(old.type, OneOf) and isinstance(new.type, OneOf):
            yield _choices(old.type, new.type)
        else:
            yield f"is {_type(new)}, was {_type(old)}", Effect.EITHER
    if old.optional != new.optional:
        yield f"{'may be' if new.optional else 'is never'} missing", Effect.EITHER
    if old.personal != new.personal:
        yield (PERSONAL, Effect.NEITHER) if new.personal else (PERSONAL_NO_MORE, Effect.LOOSENS)
    if old.max_age != new.max_age:
        said = [duration_words(item.max_age) if item.max_age else "any time" for item in (old, new)]
        yield f"counts for {said[1]}, was {said[0]}", Effect.EITHER
    if old.computed != new.computed:
        yield f"is {'computed by the policy' if new.computed else 'given by the agent'}", Effect.EITHER


def _signed(declared: Declared) -> bool:
    return bool(getattr(declared.type, "any_sign", False))


def _type(declared: Declared) -> str:
    return f"{declared.type}, any sign" if _signed(declared) else str(declared.type)


def _choices(old: OneOf, new: OneOf) -> tuple[str, Effect]:
    come = [value for value in new.values if value not in old.values]
    gone = [value for value in old.values if value not in new.values]
    said = [f"may also be {list_words(come, 'or')}"] if come else []
    said += [f"is no longer {list_words(gone, 'or')}"] if gone else []
    effects = [Effect.LOOSENS] * bool(come) + [Effect.TIGHTENS] * bool(gone)
    return " and ".join(said) or "has its choices in another order", together(effects)


def _names(pair: Pair) -> Iterator[Difference]:
    """Yield which named expressions changed, in the order of the file; what uses them stands unchanged in it."""
    old, new = pair.old.names, pair.new.names
    for name in (*new, *(name for name in old if name not in new)):
        if name not in old or name not in new:
            text = f"new: `{new[name].source}`" if name in new else "removed"
            yield pair.said("name", name, text, Effect.NEITHER, Concern.WORDS)
            continue
        was, now = written_expression(old[name]), written_expression(new[name])
        if was != now:
            condition = isinstance(new[name].type, YesNo) and isinstance(old[name].type, YesNo)
            items = moved(old[name], new[name]) if condition else ()
            text = moved_words(items) or f"stands for `{now}`, was `{was}`"
            yield pair.said("name", name, text, _name_effect(pair, name, items))


def _name_effect(pair: Pair, name: str, items: tuple[Moved, ...]) -> Effect:
    """Return what a changed name does, where it stands only as a whole part of the conditions of rules."""
    rules = [rule for rule in pair.new.rules if rule.when is not None and name in _named(rule.when.tree)]
    limits = [item.when for item in pair.new.limits]
    elsewhere = [*pair.new.names.values(), *limits, *(item.when for item in pair.new.requires)]
    others = any(item is not None and name in _named(item.tree) for item in elsewhere)
    if others or not rules or any(name not in parts_named(rule.when) for rule in rules) or not items:
        return Effect.EITHER
    return together(effect_of(rule.then.verdict, item.holds, pair.otherwise) for rule in rules for item in items)


def _named(term: Term) -> set[str]:
    """Return the names that a condition is written with."""
    found: set[str] = set()
    waiting = [term]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Part):
            found.update(filter(None, [item.name]))
            waiting.append(item.expression.tree)
        waiting.extend(below(item))
    return found


def _tables(pair: Pair) -> Iterator[Difference]:
    old, new = pair.old.tables, pair.new.tables
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            text = "new" if name in new else "removed"
            yield pair.said("table", name, text, Effect.NEITHER, Concern.WORDS)
            continue
        was, now = _entries(old[name]), _entries(new[name])
        for keys in (*now, *(keys for keys in was if keys not in now)):
            if was.get(keys) != now.get(keys):
                said = [value_words(found[keys]) if keys in found else "nothing" for found in (was, now)]
                text = f"{', '.join(keys)}: {said[1]}, was {said[0]}"
                yield pair.said("table", name, text, Effect.EITHER)


def _entries(table: Table) -> dict[tuple[str, ...], Value]:
    found: dict[tuple[str, ...], Value] = {}
    waiting: list[tuple[tuple[str, ...], object]] = [((), table.entries)]
    while waiting:
        keys, item = waiting.pop()
        if len(keys) < table.levels and isinstance(item, Mapping):
            waiting += [((*keys, key), found_below) for key, found_below in reversed(list(item.items()))]
        else:
            found[keys] = item  # type: ignore[assignment]  # what is at the last level is a value
    return found


def _calendars(pair: Pair) -> Iterator[Difference]:
    old, new = pair.old.calendars, pair.new.calendars
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            text = "new" if name in new else "removed"
            yield pair.said("calendar", name, text, Effect.NEITHER, Concern.WORDS)
        else:
            for text in _hours(old[name], new[name]):
                yield pair.said("calendar", name, text, Effect.EITHER)


def _hours(old: Calendar, new: Calendar) -> Iterator[str]:
    for day, was, now in zip(WEEKDAYS, old.week, new.week, strict=True):
        if was != now:
            yield f"{day} {_open(now)}, was {_open(was)}"
    yield from _days("closed on", new.closed - old.closed)
    yield from _days("no longer closed on", old.closed - new.closed)
    for said, spans in (("also", set(new.spans) - set(old.spans)), ("no longer", set(old.spans) - set(new.spans))):
        for span in sorted(spans, key=lambda item: item.start):
            yield f"{said} from {span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M}"
    if old.daily != new.daily:
        yield f"every day {_open(new.daily)}, was {_open(old.daily)}"
    if old.zone != new.zone:
        yield f"in the time of {new.zone or 'the policy'}, was {old.zone or 'the policy'}"


def _open(hours: tuple[Hours, ...]) -> str:
    return list_words(f"{item.start:%H:%M}-{item.end:%H:%M}" for item in hours) if hours else "closed"


def _days(said: str, days: frozenset[date]) -> Iterator[str]:
    if days:
        yield f"{said} {list_words(str(day) for day in sorted(days))}"
