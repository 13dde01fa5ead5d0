"""How the limits and the requirements of two versions of a file differ."""

from __future__ import annotations

from collections.abc import Iterator

from agentguard.analysis.changes.conditions import bounds, condition_text, moved
from agentguard.analysis.changes.difference import Concern, Difference, Effect, Holds
from agentguard.analysis.changes.rules import Pair, on_differences, paired, then_effect, words_differences
from agentguard.analysis.wording import written_expression
from agentguard.core.account import account_identity
from agentguard.core.english.parts import (
    ago_words,
    limit_words,
    measure_words,
    most_words,
    per_words,
    required_words,
    requirement_words,
    then_words,
    window_words,
)
from agentguard.core.english.values import list_words
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
    if per_words(old) != per_words(new):
        yield pair.told("limit", new, f"counts {per_words(new)}, was {per_words(old)}", Effect.EITHER)
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


def _needs(item: Requirement) -> object:
    return item.on, item.action, item.same, item.within, item.otherwise, condition_text(item.when)


def _requirement(pair: Pair, old: Requirement, new: Requirement) -> Iterator[Difference]:
    if old.id != new.id:
        yield pair.told("requirement", new, f"was called `{old.id}`", Effect.NEITHER, Concern.WORDS)
    if required_words(old) != required_words(new):
        same = set(old.same) <= set(new.same) and old.action == new.action
        text = f"asks for {required_words(new)}, was {required_words(old)}"
        yield pair.told("requirement", new, text, Effect.TIGHTENS if same else Effect.EITHER)
    if old.within != new.within:
        shorter = new.within is not None and (old.within is None or new.within < old.within)
        text = f"has to have happened {ago_words(new)}, was {ago_words(old)}"
        yield pair.told("requirement", new, text, Effect.TIGHTENS if shorter else Effect.LOOSENS)
    if old.otherwise != new.otherwise:
        text = f"where it did not happen: {then_words(new.otherwise)}, was {then_words(old.otherwise)}"
        yield pair.told("requirement", new, text, then_effect(pair, old.otherwise, new.otherwise))
    for item in moved(old.when, new.when):
        yield pair.told("requirement", new, item.text, STRICT[item.holds])
    yield from on_differences(pair, "requirement", old, new, new.otherwise)
    yield from words_differences(pair, "requirement", new, old.words, new.words)
