"""How the limits and the requirements of two versions of a file differ."""

from __future__ import annotations

from collections.abc import Iterator

from agentguard.analysis.changes.conditions import bounds, condition_text, moved
from agentguard.analysis.changes.difference import Concern, Difference, Effect, Holds
from agentguard.analysis.changes.rules import Pair, on_differences, paired, then_effect, words_differences
from agentguard.analysis.wording import (
    duration_words,
    expression_words,
    list_words,
    most_words,
    then_words,
    written_expression,
)
from agentguard.core.account import account_identity
from agentguard.core.policy import Limit, Requirement, Window, WindowKind

STRICT = {Holds.MORE: Effect.TIGHTENS, Holds.LESS: Effect.LOOSENS, Holds.OTHERS: Effect.EITHER}
"""What it does that a limit or a requirement speaks for more requests."""


def limit_differences(pair: Pair) -> Iterator[Difference]:
    """Yield what the limits say otherwise."""
    both, come, gone = paired(pair.old.limits, pair.new.limits, _content)
    for old, new in both:
        if old != new:
            yield from _limit(pair, old, new)
    for limit in come:
        yield pair.told("limit", limit, f"new: {limit_words(limit)}", Effect.TIGHTENS)
    for limit in gone:
        yield pair.told("limit", limit, f"removed: {limit_words(limit)}", Effect.LOOSENS)


def limit_words(limit: Limit) -> str:
    """Return a whole limit as words."""
    per = f" for each {list_words(expression_words(item) for item in limit.per)}" if limit.per else " for everybody"
    when = f", when {expression_words(limit.when)}" if limit.when else ""
    what = measure_words(limit)
    return (
        f"at most {most_words(limit)} of {what}{per}, {window_words(limit.window)}{when}; else {then_words(limit.over)}"
    )


def measure_words(limit: Limit) -> str:
    """Return what a limit counts."""
    said = {name: "actions" if item is None else expression_words(item) for name, item in limit.measure.items()}
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return list_words(f"{text} of {name}" for name, text in sorted(said.items()))


def window_words(window: Window) -> str:
    """Return over which time a limit counts."""
    match window.kind:
        case WindowKind.SLIDING if window.size is not None:
            return f"in {duration_words(window.size)}"
        case WindowKind.CALENDAR:
            return f"in a calendar {window.unit}"
        case WindowKind.CONVERSATION:
            return "in a conversation"
        case _:
            return "for ever"


def _content(limit: Limit) -> object:
    return limit.on, account_identity(limit), str(limit.window), _most(limit), limit.over


def _most(limit: Limit) -> dict[str, str]:
    return {code: written_expression(item) for code, item in limit.max.items()}


def _limit(pair: Pair, old: Limit, new: Limit) -> Iterator[Difference]:
    if old.id != new.id:
        text = f"was called `{old.id}`; what was used still counts"
        yield pair.told("limit", new, text, Effect.NEITHER, Concern.WORDS)
    if _most(old) != _most(new):
        text = f"lets through {most_words(new)}, was {most_words(old)}"
        yield pair.told("limit", new, text, _most_effect(old, new))
    if old.window != new.window:
        text = f"counts {window_words(new.window)}, was {window_words(old.window)}"
        yield pair.told("limit", new, text, _window_effect(old.window, new.window))
    if old.over != new.over:
        text = f"when it is passed: {then_words(new.over)}, was {then_words(old.over)}"
        yield pair.told("limit", new, text, then_effect(pair, old.over, new.over))
    for item in moved(old.when, new.when):
        yield pair.told("limit", new, item.text, STRICT[item.holds])
    yield from on_differences(pair, "limit", old, new, new.over)
    yield from _account(pair, old, new)
    yield from words_differences(pair, "limit", new, old.words, new.words)


def _most_effect(old: Limit, new: Limit) -> Effect:
    if old.max.keys() != new.max.keys():
        return Effect.EITHER
    found = {bounds(old.max[code], new.max[code]) for code in old.max if _most(old)[code] != _most(new)[code]}
    return {Holds.MORE: Effect.LOOSENS, Holds.LESS: Effect.TIGHTENS}.get(
        found.pop() if len(found) == 1 else Holds.OTHERS, Effect.EITHER
    )


def _window_effect(old: Window, new: Window) -> Effect:
    """Return what another window does: over a longer time more was used."""
    if WindowKind.FOREVER in (old.kind, new.kind):
        return Effect.TIGHTENS if new.kind is WindowKind.FOREVER else Effect.LOOSENS
    if old.size is None or new.size is None:
        return Effect.EITHER
    return Effect.TIGHTENS if new.size > old.size else Effect.LOOSENS


def _account(pair: Pair, old: Limit, new: Limit) -> Iterator[Difference]:
    """Yield what makes another account of it, so that it counts anew."""
    if measure_words(old) != measure_words(new):
        text = f"counts {measure_words(new)}, was {measure_words(old)}"
        yield pair.told("limit", new, text, Effect.EITHER)
    shared = [list_words(expression_words(item) for item in limit.per) for limit in (old, new)]
    if shared[0] != shared[1]:
        said = [text if limit.per else "everybody" for text, limit in zip(shared, (old, new), strict=True)]
        yield pair.told("limit", new, f"counts for each {said[1]}, was {said[0]}", Effect.EITHER)
    freed = [sorted(limit.freed_by) for limit in (old, new)]
    if freed[0] != freed[1]:
        text = f"what it counted is given back by {list_words(freed[1])}, was {list_words(freed[0])}"
        yield pair.told("limit", new, text, Effect.EITHER)
    if account_identity(old) != account_identity(new):
        how = "begins empty" if new.starts_now else "is filled from the log"
        yield pair.told("limit", new, f"counts on another account, which {how}", Effect.NEITHER, Concern.CARE)


def requirement_differences(pair: Pair) -> Iterator[Difference]:
    """Yield what the requirements say otherwise."""
    both, come, gone = paired(pair.old.requires, pair.new.requires, _needs)
    for old, new in both:
        if old != new:
            yield from _requirement(pair, old, new)
    for item in come:
        yield pair.told("requirement", item, f"new: {requirement_words(item)}", Effect.TIGHTENS)
    for item in gone:
        yield pair.told("requirement", item, f"removed: {requirement_words(item)}", Effect.LOOSENS)


def requirement_words(item: Requirement) -> str:
    """Return a whole requirement as words."""
    when = f", when {expression_words(item.when)}" if item.when else ""
    return f"{_what(item)} {_within(item)}{when}; else {then_words(item.otherwise)}"


def _needs(item: Requirement) -> object:
    return item.on, item.action, item.same, item.within, item.otherwise, condition_text(item.when)


def _what(item: Requirement) -> str:
    if item.action is None:
        return "the customer's yes to exactly this request"
    return f"`{item.action}` with the same {list_words(item.same)}"


def _within(item: Requirement) -> str:
    return "ever before" if item.within is None else f"at most {duration_words(item.within)} before"


def _requirement(pair: Pair, old: Requirement, new: Requirement) -> Iterator[Difference]:
    if old.id != new.id:
        yield pair.told("requirement", new, f"was called `{old.id}`", Effect.NEITHER, Concern.WORDS)
    if _what(old) != _what(new):
        same = set(old.same) <= set(new.same) and old.action == new.action
        text = f"asks for {_what(new)}, was {_what(old)}"
        yield pair.told("requirement", new, text, Effect.TIGHTENS if same else Effect.EITHER, Concern.REQUESTS)
    if old.within != new.within:
        shorter = new.within is not None and (old.within is None or new.within < old.within)
        text = f"has to have happened {_within(new)}, was {_within(old)}"
        yield pair.told("requirement", new, text, Effect.TIGHTENS if shorter else Effect.LOOSENS, Concern.REQUESTS)
    if old.otherwise != new.otherwise:
        text = f"where it did not happen: {then_words(new.otherwise)}, was {then_words(old.otherwise)}"
        yield pair.told("requirement", new, text, then_effect(pair, old.otherwise, new.otherwise))
    for item in moved(old.when, new.when):
        yield pair.told("requirement", new, item.text, STRICT[item.holds])
    yield from on_differences(pair, "requirement", old, new, new.otherwise)
    yield from words_differences(pair, "requirement", new, old.words, new.words)
