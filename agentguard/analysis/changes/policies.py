"""How the policy files of two bundles differ: which came and went, and what each says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agentguard.analysis.changes.conditions import Moved, moved, moved_beneath
from agentguard.analysis.changes.declarations import declaration_differences
from agentguard.analysis.changes.difference import Concern, Difference, Effect, Holds, turned
from agentguard.analysis.changes.limits import limit_differences, requirement_differences
from agentguard.analysis.changes.routes import route_differences
from agentguard.analysis.changes.rules import (
    Pair,
    guarantee_differences,
    rule_differences,
    say_differences,
    then_effect,
)
from agentguard.core.english.parts import contest_words, expression_words, then_words
from agentguard.core.english.values import list_words
from agentguard.core.policy import Bundle, Contest, Policy, WindowKind
from agentguard.core.retention import Retention
from agentguard.core.reviews import Sampling

NOTHING = Bundle((), "")
_A_WEEK = {"day": 7, "week": 1}


def differences(old: Bundle, new: Bundle) -> tuple[Difference, ...]:
    """Return what two bundles say otherwise, file by file, as their files say it."""
    return tuple(_differences(old, new))


def pairs(old: Bundle, new: Bundle) -> list[tuple[Policy | None, Policy | None]]:
    """Return which file is which in the other bundle: by name, or as the only one left over for its actions."""
    before = {policy.name: policy for policy in old.policies}
    found: list[tuple[Policy | None, Policy | None]] = []
    come = []
    for policy in new.policies:
        if policy.name in before:
            found.append((before.pop(policy.name), policy))
        else:
            come.append(policy)
    for policy in come:
        renamed = [item for item in before.values() if item.actions.keys() == policy.actions.keys()]
        found.append((before.pop(renamed[0].name) if len(renamed) == 1 else None, policy))
    found += [(policy, None) for policy in before.values()]
    return sorted(found, key=lambda pair: (pair[1] or pair[0]).name)  # type: ignore[union-attr]  # one is there


def _differences(old: Bundle, new: Bundle) -> Iterator[Difference]:
    shorter = _kept_shorter(old, new)
    for before, after in pairs(old, new):
        if before is not None and after is not None:
            if before.digest != after.digest:
                yield from _of_file(Pair(before, after), shorter)
        elif after is not None:
            yield _whole(after, "new", Effect.EITHER)
            yield from _kept(Pair(_without_care(after), _caring(after)), shorter)
        elif before is not None:
            yield _whole(before, "not in force any more", Effect.EITHER)
            yield from _care(Pair(_caring(before), _without_care(before)), shorter)


def _whole(policy: Policy, text: str, effect: Effect) -> Difference:
    said = f"{text}: it governs {list_words(sorted(policy.actions))}"
    effect = Effect.NEITHER if policy.shadow else effect
    return Difference(policy.name, "policy", "", said, effect)


def _without_care(policy: Policy) -> Policy:
    """Return what is left of a file where nobody takes the care around decisions that it asks for."""
    return replace(policy, guarantees=(), witness=None, contest=None, review=None, retention=None)


def _caring(policy: Policy) -> Policy:
    """Return a file with the care that it takes: none in shadow mode."""
    return _without_care(policy) if policy.shadow else policy


def _of_file(pair: Pair, shorter: frozenset[str]) -> Iterator[Difference]:
    """Yield what one file says otherwise; one in shadow mode decides nothing."""
    shadow = pair.old.shadow and pair.new.shadow
    found = [
        *_settings(pair),
        *rule_differences(pair),
        *limit_differences(pair),
        *requirement_differences(pair),
        *route_differences(pair),
        *declaration_differences(pair),
        *_care(pair if shadow else Pair(_caring(pair.old), _caring(pair.new)), shorter),
        *_words(pair),
    ]
    for item in found:
        decides = item.concern in (Concern.DECISIONS, Concern.CARE)
        silent = shadow and decides and item.effect is not Effect.NEITHER
        yield (
            Difference(item.policy, item.part, item.id, item.text, Effect.NEITHER, item.concern, item.line)
            if silent
            else item
        )


def _settings(pair: Pair) -> Iterator[Difference]:
    old, new = pair.old, pair.new
    if old.name != new.name:
        yield _about(pair, f"was called `{old.name}`", Effect.NEITHER, Concern.WORDS)
    if old.shadow != new.shadow:
        said = [("in shadow mode: it decides nothing" if item.shadow else "enforced") for item in (old, new)]
        yield _about(pair, f"is {said[1]}, was {said[0]}", Effect.EITHER)
    for what, was, now in (("otherwise", old.otherwise, new.otherwise), ("on error", old.on_error, new.on_error)):
        if was != now:
            effect = turned(was.verdict, now.verdict) if was.verdict is not now.verdict else then_effect(pair, was, now)
            yield _about(pair, f"{what}: {then_words(now)}, was {then_words(was)}", effect)
    if old.currencies != new.currencies:
        text = f"is about {list_words(new.currencies)}, was {list_words(old.currencies)}"
        yield _about(pair, text, Effect.EITHER, Concern.REQUESTS)
    if old.zone_name != new.zone_name:
        days = any(limit.window.kind is WindowKind.CALENDAR for limit in new.limits)
        concern = Concern.REQUESTS if days else Concern.DECISIONS  # a proof knows no day on which something was used
        yield _about(pair, f"days are those of {new.zone_name}, was {old.zone_name}", Effect.EITHER, concern)
    if old.expires != new.expires:
        said = [f"on {item.expires}" if item.expires else "never" for item in (old, new)]
        yield _about(pair, f"what it allows expires {said[1]}, was {said[0]}", Effect.EITHER)


def _about(pair: Pair, text: str, effect: Effect, concern: Concern = Concern.DECISIONS) -> Difference:
    return pair.said("policy", "", text, effect, concern)


def _care(pair: Pair, shorter: frozenset[str]) -> Iterator[Difference]:
    yield from guarantee_differences(pair)
    for text, effect in (*_witness(pair.old, pair.new), *_followed(pair.old, pair.new)):
        yield _about(pair, text, effect, Concern.CARE)
    yield from _kept(pair, shorter)


def _witness(old: Policy, new: Policy) -> Iterator[tuple[str, Effect]]:
    strict = {Holds.MORE: Effect.TIGHTENS, Holds.LESS: Effect.LOOSENS, Holds.OTHERS: Effect.EITHER}
    if old.witness is None or new.witness is None:
        if new.witness is not None:
            yield f"waits for a witness when {expression_words(new.witness.when)}", Effect.TIGHTENS
        elif old.witness is not None:
            yield f"waits for no witness any more, was when {expression_words(old.witness.when)}", Effect.LOOSENS
        return
    conditions = old.witness.when, new.witness.when
    found: tuple[Moved, ...] = (*moved(*conditions), *moved_beneath(*conditions))
    for item in found:
        yield f"waits for a witness: {item.text}", strict[item.holds]
    if old.witness.on != new.witness.on:
        yield f"waits for a witness before {list_words(sorted(new.witness.on))}", Effect.EITHER


def _followed(old: Policy, new: Policy) -> Iterator[tuple[str, Effect]]:
    """Yield what happens otherwise after decisions, and who answers for the file."""
    was, now = (contest_words(item.contest) for item in (old, new))
    if was != now:
        yield f"{now}; was: {was}", _contest_effect(old.contest, new.contest)
    reviewed = [item.review.source if item.review else "nothing" for item in (old, new)]
    if reviewed[0] != reviewed[1]:
        yield f"people look afterwards at {reviewed[1]}, was {reviewed[0]}", _reviewed_effect(old.review, new.review)
    if old.segments != new.segments:
        yield f"reports tell apart {list_words(new.segments)}, was {list_words(old.segments)}", Effect.NEITHER
    if old.review_by != new.review_by:
        said = [f"by {item.review_by}" if item.review_by else "at no day" for item in (old, new)]
        yield f"is to be looked at again {said[1]}, was {said[0]}", Effect.NEITHER
    if old.owner != new.owner:
        yield f"is owned by {new.owner or 'nobody'}, was {old.owner or 'nobody'}", Effect.NEITHER


def _contest_effect(old: Contest | None, new: Contest | None) -> Effect:
    """Return that it is less care if a refused customer has less time to contest; whether others are is not known."""
    if new is None or (old is not None and new.open_for < old.open_for):
        return Effect.LOOSENS
    return Effect.NEITHER if old is None or old.to == new.to else Effect.EITHER


def _reviewed_effect(old: Sampling | None, new: Sampling | None) -> Effect:
    """Return that it is less care if fewer are looked at, of all or at least, of each kind or of all kinds together."""
    was, now = ((0, 0) if item is None else (item.share, item.least * _A_WEEK[item.period]) for item in (old, new))
    kinds = old is None or new is None or not old.least or set(old.by) <= set(new.by)
    return Effect.NEITHER if now[0] >= was[0] and now[1] >= was[1] and kinds else Effect.LOOSENS


def _kept(pair: Pair, shorter: frozenset[str]) -> Iterator[Difference]:
    was, now = (_kept_words(item.retention) for item in (pair.old, pair.new))
    if was != now:
        effect = Effect.NEITHER if shorter.isdisjoint(pair.old.actions) else Effect.LOOSENS
        yield _about(pair, f"records are kept {now}, was {was}", effect, Concern.CARE)


def _kept_shorter(old: Bundle, new: Bundle) -> frozenset[str]:
    """Return the actions whose records are kept for a shorter time, which is less care: the longest of all files."""
    found = set()
    for action in {*old.actions()} & {*new.actions()}:
        was, now = (_days_kept(bundle, action) for bundle in (old, new))
        if now is not None and (was is None or now < was):
            found.add(action)
    return frozenset(found)


def _days_kept(bundle: Bundle, action: str) -> int | None:
    files = (policy for policy in bundle.governing(action) if policy.retention is not None and not policy.shadow)
    said = (file.retention.of(action) for file in files if file.retention is not None)
    return max((period.least_days for period in said if period is not None), default=None)


def _kept_words(retention: Retention | None) -> str:
    if retention is None:
        return "as long as no file says how long"
    said = [f"{period} of {action}" for action, period in sorted(retention.by_action.items())]
    said += [f"{retention.otherwise} otherwise"] if retention.otherwise else []
    said += [f"{retention.least} at least"] if retention.least else []
    return list_words(said)


def _words(pair: Pair) -> Iterator[Difference]:
    old, new = pair.old, pair.new
    if old.description != new.description:
        yield _about(pair, f'is described as "{new.description}"', Effect.NEITHER, Concern.WORDS)
    for when, was, now in (
        ("where no rule speaks", old.say_otherwise, new.say_otherwise),
        ("where something is not known", old.say_on_error, new.say_on_error),
    ):
        for text in say_differences(was, now):
            yield _about(pair, f"{when} {text}", Effect.NEITHER, Concern.WORDS)
