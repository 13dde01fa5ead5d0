"""How the rules and the promises of two versions of a file differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from agentguard.analysis.changes.conditions import Moved, condition_text, moved, moved_beneath
from agentguard.analysis.changes.difference import Concern, Difference, Effect, Holds, effect_of, turned
from agentguard.core.english.parts import expression_words, guarantee_words, then_words
from agentguard.core.english.values import list_words
from agentguard.core.language.terms import Constant
from agentguard.core.money import Money
from agentguard.core.policy import Disclose, Guarantee, Place, Policy, Rule, Then, Verdict, Words

NEW, GONE = "new", "is governed here no longer"
"""What is said of an action that one version has alone."""


class Named(Protocol):
    """Something of a file that has an id and a place."""

    @property
    def id(self) -> str:
        """Its short id."""

    @property
    def place(self) -> Place:
        """Where it stands."""


Part = TypeVar("Part", bound=Named)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of a file, and what its differences are called by."""

    old: Policy
    new: Policy

    def told(
        self, part: str, item: Named, text: str, effect: Effect, concern: Concern = Concern.DECISIONS
    ) -> Difference:
        """Return a difference of a part that has an id."""
        return Difference(self.new.name, part, item.id, text, effect, concern, item.place.line)

    def said(self, part: str, name: str, text: str, effect: Effect, concern: Concern = Concern.DECISIONS) -> Difference:
        """Return a difference of something without a place."""
        return Difference(self.new.name, part, name, text, effect, concern)

    def told_action(self, action: str, text: str, effect: Effect) -> Difference:
        """Return a difference of which requests there can be."""
        spec = self.new.actions.get(action) or self.old.actions[action]
        concern = Concern.DECISIONS if text in (NEW, GONE) else Concern.REQUESTS
        return Difference(self.new.name, "action", action, text, effect, concern, spec.place.line)

    @property
    def otherwise(self) -> Verdict:
        """The stricter of what both versions say where nothing speaks."""
        return max(self.old.otherwise.verdict, self.new.otherwise.verdict)


def paired(
    old: Iterable[Part], new: Iterable[Part], content: Callable[[Part], object]
) -> tuple[list[tuple[Part, Part]], list[Part], list[Part]]:
    """Return what stands in both, by id or else by what it says; what came; and what went."""
    before: dict[str, Part] = {item.id: item for item in old}
    both: list[tuple[Part, Part]] = []
    come: list[Part] = []
    for item in new:
        if item.id in before:
            both.append((before.pop(item.id), item))
        else:
            come.append(item)
    for item in list(come):
        same = next((other for other in before.values() if content(other) == content(item)), None)
        if same is not None:
            both.append((before.pop(same.id), item))
            come.remove(item)
    return both, come, list(before.values())


def rule_differences(pair: Pair) -> Iterator[Difference]:
    """Yield what the rules say otherwise."""
    both, come, gone = paired(pair.old.rules, pair.new.rules, _content)
    for old, new in both:
        if old != new:
            yield from _changed(pair, old, new)
    for rules, holds, text in ((come, Holds.MORE, "new"), (gone, Holds.LESS, "removed")):
        for rule in rules:
            effect = effect_of(rule.then.verdict, holds, pair.otherwise)
            said = f"{text}: {then_words(rule.then)} when {expression_words(rule.when)}"
            yield pair.told("rule", rule, said, effect)


def _content(rule: Rule) -> object:
    return rule.on, rule.then, condition_text(rule.when)


def _changed(pair: Pair, old: Rule, new: Rule) -> Iterator[Difference]:
    if old.id != new.id:
        yield pair.told("rule", new, f"was called `{old.id}`", Effect.NEITHER, Concern.WORDS)
    if old.then != new.then:
        text = f"says {then_words(new.then)}, was {then_words(old.then)}"
        yield pair.told("rule", new, text, then_effect(pair, old.then, new.then))
    yield from on_differences(pair, "rule", old, new, new.then)
    for item in moved(old.when, new.when):
        effect = effect_of(new.then.verdict, item.holds, pair.otherwise)
        told = pair.told("rule", new, f"({then_words(new.then)}) {item.text}", effect)
        yield replace(told, argument=item.argument)
    if old.expires != new.expires:
        effect = Effect.EITHER if new.then.verdict is Verdict.ALLOW else Effect.NEITHER
        text = f"{_until(new)}, was {_until(old)}"
        yield pair.told("rule", new, text, effect)
    if old.review_by != new.review_by:
        text = f"is to be looked at again {_by(new.review_by)}, was {_by(old.review_by)}"
        yield pair.told("rule", new, text, Effect.NEITHER, Concern.CARE)
    yield from words_differences(pair, "rule", new, old.words, new.words)


def _until(rule: Rule) -> str:
    return f"expires on {rule.expires}" if rule.expires else "does not expire"


def _by(day: object) -> str:
    return f"by {day}" if day else "at no day"


def then_effect(pair: Pair, old: Then, new: Then) -> Effect:
    """Return what it does that something says another verdict, or escalates to another route."""
    if old.verdict is not new.verdict or old.route is None or new.route is None:
        silent = {old.verdict, new.verdict} == {Verdict.ALLOW, Verdict.ESCALATE} and pair.otherwise > Verdict.ESCALATE
        return Effect.EITHER if silent else turned(old.verdict, new.verdict)  # an allow is silent where it fails
    for routes in (pair.new.routes, pair.old.routes):
        if old.route in routes and new.route in routes:
            stronger = routes[new.route].strength > routes[old.route].strength
            return Effect.TIGHTENS if stronger else Effect.LOOSENS
    return Effect.EITHER


class Applying(Named, Protocol):
    """Something of a file that applies to some of its actions."""

    @property
    def on(self) -> frozenset[str]:
        """The actions."""


def on_differences(pair: Pair, part: str, old: Applying, new: Applying, then: Then) -> Iterator[Difference]:
    """Yield what it applies to now and no longer, of the actions that both versions have."""
    shared = pair.old.actions.keys() & pair.new.actions.keys()
    come, gone = sorted((new.on - old.on) & shared), sorted((old.on - new.on) & shared)
    if come:
        effect = effect_of(then.verdict, Holds.MORE, pair.otherwise)
        yield pair.told(part, new, f"also applies to {list_words(come)}", effect)
    if gone:
        effect = effect_of(then.verdict, Holds.LESS, pair.otherwise)
        yield pair.told(part, new, f"no longer applies to {list_words(gone)}", effect)


def words_differences(pair: Pair, part: str, item: Named, old: Words, new: Words) -> Iterator[Difference]:
    """Yield which of its words changed; none of them decides anything."""
    because = [words.because.source if words.because else None for words in (old, new)]
    if because[0] != because[1]:
        text = f"its reason for the record is {_quoted(because[1])}, was {_quoted(because[0])}"
        yield pair.told(part, item, text, Effect.NEITHER, Concern.WORDS)
    for text in say_differences(old.say, new.say):
        yield pair.told(part, item, text, Effect.NEITHER, Concern.WORDS)
    if old.disclose != new.disclose:
        text = f"the model may hear the {new.disclose}, was the {old.disclose}"
        effect = Effect.LOOSENS if new.disclose is Disclose.THRESHOLD else Effect.NEITHER
        yield pair.told(part, item, text, effect, Concern.CARE)


def say_differences(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    """Yield what the customer hears otherwise, by language."""
    for language in sorted({*old, *new}):
        was, now = (getattr(says.get(language), "source", None) for says in (old, new))
        if was != now:
            where = f" ({language})" if language else ""
            yield f"the customer hears{where} {_quoted(now)}, was {_quoted(was)}"


def _quoted(text: str | None) -> str:
    return "nothing" if text is None else f'"{text}"'


def guarantee_differences(pair: Pair) -> Iterator[Difference]:
    """Yield which promises are made otherwise; a promise decides nothing, and less of them is less care."""
    both, come, gone = paired(pair.old.guarantees, pair.new.guarantees, _promise)
    for old, new in both:
        if old.id != new.id:
            yield pair.told("guarantee", new, f"was called `{old.id}`", Effect.NEITHER, Concern.WORDS)
        if _promise(old) != _promise(new):
            text = f"promises {guarantee_words(new)}, was {guarantee_words(old)}"
            yield pair.told("guarantee", new, text, _promise_effect(old, new), Concern.CARE)
        for item in _meant(old, new):
            text = f"promises something else by the same words: {item.text}"
            yield pair.told("guarantee", new, text, _meant_effect(new, item), Concern.CARE)
    for guarantee in come:
        yield pair.told("guarantee", guarantee, f"new: {guarantee_words(guarantee)}", Effect.NEITHER, Concern.CARE)
    for guarantee in gone:
        text = f"is promised no longer: {guarantee_words(guarantee)}"
        yield pair.told("guarantee", guarantee, text, Effect.LOOSENS, Concern.CARE)


def _meant(old: Guarantee, new: Guarantee) -> Iterator[Moved]:
    """Yield what changed in the names and tables that a promise is written with in both versions."""
    yield from moved_beneath(old.when, new.when)
    if old.total is not None and new.total is not None:
        was, now = old.total, new.total
        both = (was.measure.keys() & now.measure.keys(), was.max.keys() & now.max.keys())
        yield from (item for key in sorted(both[0]) for item in moved_beneath(was.measure[key], now.measure[key]))
        yield from (item for key in sorted(both[1]) for item in moved_beneath(was.max[key], now.max[key]))
        for one, two in zip(was.per, now.per, strict=False):
            yield from moved_beneath(one, two)


def _meant_effect(new: Guarantee, item: Moved) -> Effect:
    """Return that a promise is no weaker that is about more requests."""
    if new.possible is not None:
        return Effect.NEITHER
    return {Holds.MORE: Effect.NEITHER, Holds.LESS: Effect.LOOSENS}.get(item.holds, Effect.EITHER)


def _promise_effect(old: Guarantee, new: Guarantee) -> Effect:
    """Return that a promise is no weaker where it is about more requests, more verdicts and more actions."""
    if new.possible is not None and new.possible is old.possible:
        return Effect.NEITHER
    if old.total is not None or new.total is not None:
        return Effect.NEITHER if _promises_less_money(old, new) else Effect.LOOSENS
    wider = old.never <= new.never and old.on <= new.on and new.possible is None
    more = all(item.holds is Holds.MORE for item in moved(old.when, new.when))
    return Effect.NEITHER if wider and more else Effect.LOOSENS


def _promises_less_money(old: Guarantee, new: Guarantee) -> bool:
    """Return whether the same sum is promised to stay below a smaller number, which promises no less."""
    if old.total is None or new.total is None or old.total.max.keys() != new.total.max.keys():
        return False
    alike = replace(old, id=new.id, place=new.place, total=replace(old.total, max=new.total.max))
    ends = [(old.total.max[code].tree, most.tree) for code, most in new.total.max.items()]
    return _promise(alike) == _promise(new) and all(
        isinstance(was, Constant) and isinstance(now, Constant) and _size(now) <= _size(was) for was, now in ends
    )


def _size(constant: Constant) -> int:
    value = constant.value
    return value.minor if isinstance(value, Money) else value if isinstance(value, int) else 0


def _promise(guarantee: Guarantee) -> object:
    return guarantee.on, guarantee.never, guarantee.possible, condition_text(guarantee.when), _total_words(guarantee)


def _total_words(guarantee: Guarantee) -> str:
    return "" if guarantee.total is None else guarantee_words(guarantee)


def moved_words(items: Iterable[Moved]) -> str:
    """Return what moved in a condition as one text."""
    return "; ".join(item.text for item in items)
