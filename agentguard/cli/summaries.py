"""One policy in plain words: what it allows, what waits for people, what it refuses, and how much."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from rich.text import Text

from agentguard.cli.output import Output, verdict_text
from agentguard.core.calendar import DAY_END, Calendar, Hours
from agentguard.core.english.parts import guarantee_words
from agentguard.core.policy import Contest, Guarantee, Limit, Policy, Requirement, Route, Rule, Template, Then
from agentguard.core.prose import span
from agentguard.core.reviews import Sampling

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PLAIN = (
    (r"\bhas\(([\w.]+)\)", r"\1 is known"),
    (r"\s*<=\s*", " is at most "),
    (r"\s*>=\s*", " is at least "),
    (r"\s*!=\s*", " is not "),
    (r"\s*==\s*", " is "),
    (r"\s*<\s*", " is less than "),
    (r"\s*>\s*", " is more than "),
)


def show(output: Output, policy: Policy) -> None:
    """Print a policy, the strictest rules first, since the strictest verdict wins."""
    shadow = ", in shadow: recorded, and changes nothing" if policy.shadow else ""
    output.heading(f"{policy.name} version {policy.version}{shadow}")
    if policy.description:
        output.prose(policy.description)
    output.prose(f"answered for by {policy.owner or 'nobody named'}; governs {', '.join(policy.actions)}")
    output.line()
    rules = sorted(policy.rules, key=lambda rule: -rule.then.verdict)
    for rule in rules:
        _print_rule(output, rule.then, rule.id, _rule_parts(policy, rule))
    _print_rule(output, policy.otherwise, "otherwise", [("when", "no rule matches"), *_heard(policy.say_otherwise)])
    joins = ("joins", "when something could not be looked up or worked out")
    _print_rule(output, policy.on_error, "on_error", [joins, *_heard(policy.say_on_error)])
    _print_part(output, "names", ((name, plain_words(item.source)) for name, item in policy.names.items()))
    _print_part(output, "calendars", ((name, calendar_text(policy, item)) for name, item in policy.calendars.items()))
    _print_part(output, "limits", _with_words((item, limit_text(policy, item)) for item in policy.limits))
    required = ((item, _requirement_text(policy, item)) for item in policy.requires)
    _print_part(output, "has to happen first", _with_words(required))
    _print_part(output, "who decides", ((item.id, _route_text(item)) for item in policy.routes.values()))
    _print_part(output, "a denial may be contested", [] if policy.contest is None else [_contest_text(policy.contest)])
    _print_part(
        output, "looked at afterwards", [] if policy.review is None else [("share", review_text(policy.review))]
    )
    _print_part(output, "promises", ((item.id, _guarantee_text(item)) for item in policy.guarantees))


def document(policy: Policy) -> dict[str, Any]:
    """Return a policy in words as JSON."""
    return {
        "policy": policy.name,
        "version": policy.version,
        "owner": policy.owner,
        "description": policy.description,
        "shadow": policy.shadow,
        "actions": list(policy.actions),
        "otherwise": str(policy.otherwise),
        "on_error": str(policy.on_error),
        "rules": [
            {"id": rule.id, "then": str(rule.then), "when": condition_text(rule), "line": rule.place.line}
            for rule in policy.rules
        ],
        "calendars": {name: calendar_text(policy, item) for name, item in policy.calendars.items()},
        "limits": {item.id: limit_text(policy, item) for item in policy.limits},
        "requires": {item.id: _requirement_text(policy, item) for item in policy.requires},
        "escalations": {item.id: _route_text(item) for item in policy.routes.values()},
        "review": None if policy.review is None else review_text(policy.review),
        "contest": None if policy.contest is None else ": ".join(_contest_text(policy.contest)),
        "guarantees": {item.id: _guarantee_text(item) for item in policy.guarantees},
    }


def plain_words(condition: str) -> str:
    """Return a condition with words for its operators; texts in quotes stay as they are."""
    parts = re.split(r"(\"[^\"]*\"|'[^']*')", " ".join(condition.split()))
    for number, part in enumerate(parts):
        if number % 2 == 0:
            for pattern, words in PLAIN:
                part = re.sub(pattern, words, part)  # noqa: PLW2901
            parts[number] = part
    return "".join(parts)


def condition_text(rule: Rule) -> str:
    """Return a rule's condition in plain words."""
    return "always" if rule.when is None else plain_words(rule.when.source)


def limit_text(policy: Policy, limit: Limit) -> str:
    """Return a limit as a sentence."""
    most = " or ".join(
        f"{plain_words(item.source)}{f' {currency}' if currency else ''}" for currency, item in limit.max.items()
    )
    measured = sorted({" ".join(item.source.split()) for item in limit.measure.values() if item is not None})
    per = " and ".join(" ".join(item.source.split()) for item in limit.per)
    whose = f"per {per}" if per else "for everybody together"
    window = {"forever": "for ever", "conversation": "in one conversation"}.get(str(limit.window), f"in {limit.window}")
    text = f"at most {most} actions {whose}, {window}"
    if measured:
        text = f"{' or '.join(measured)} adds up to at most {most} {whose}, {window}"
    when = "" if limit.when is None else f", when {plain_words(limit.when.source)}"
    return f"{text}{when}{_on(policy, limit.on)}; over that: {limit.over}{_freed_by(limit)}"


def _freed_by(limit: Limit) -> str:
    """Return which actions give back what an earlier one counted."""
    freed = [
        f"{name} gives back {'all of it' if amount is None else f'at most {plain_words(amount.source)}'}"
        for name, amount in limit.freed_by.items()
    ]
    return f"; {' and '.join(freed)}" if freed else ""


def calendar_text(policy: Policy, calendar: Calendar) -> str:
    """Return a calendar as a sentence: on which days, from when to when, and when not."""
    parts = [f"{days} {_hours(hours)}" for days, hours in _weekdays(calendar)]
    parts += [f"every day {_hours(calendar.daily)}"] if calendar.daily else []
    parts += [f"from {_civil(span.start)} to {_civil(span.end)}" for span in calendar.spans]
    closed = f"; closed on {', '.join(str(day) for day in sorted(calendar.closed))}" if calendar.closed else ""
    return f"{', '.join(parts) or 'never'}{closed} ({calendar.zone or policy.zone})"


def _weekdays(calendar: Calendar) -> Iterator[tuple[str, tuple[Hours, ...]]]:
    """Yield days with the same hours together, `mon-fri`."""
    for hours, days in groupby(range(7), key=lambda day: calendar.week[day]):
        first, *more = days
        if hours:
            yield f"{DAYS[first]}-{DAYS[more[-1]]}" if more else DAYS[first], hours


def _hours(hours: tuple[Hours, ...]) -> str:
    return " and ".join(
        f"{item.start:%H:%M}-{'24:00' if item.end == DAY_END else f'{item.end:%H:%M}'}" for item in hours
    )


def _civil(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _rule_parts(policy: Policy, rule: Rule) -> list[tuple[str, str]]:
    parts = [("when", f"{condition_text(rule)}{_on(policy, rule.on)}")]
    if rule.expires is not None:
        parts.append(("until", str(rule.expires)))
    if rule.words.because is not None:
        parts.append(("because", _words(rule.words.because)))
    return [*parts, *_heard(rule.words.say)]


def _print_rule(output: Output, then: Then, name: str, parts: list[tuple[str, str]]) -> None:
    verdict = verdict_text(str(then))
    output.console.print(Text.assemble(verdict, "  ", (name, "bold")), soft_wrap=True)
    output.pairs(parts, indent=2)


def _requirement_text(policy: Policy, item: Requirement) -> str:
    within = "" if item.within is None else f" in the last {span(item.within.total_seconds())}"
    if item.action is None:
        within = "" if item.within is None else f" in the {span(item.within.total_seconds())} before it was asked"
    what = "the customer's yes to exactly this request" if item.action is None else item.action
    same = f" with the same {' and '.join(item.same)}" if item.same else ""
    when = "" if item.when is None else f", when {plain_words(item.when.source)}"
    return f"{what}{same}{within}{when}{_on(policy, item.on)}; else: {item.otherwise}"


def _route_text(route: Route) -> str:
    people = "1 person" if route.people == 1 else f"{route.people} people"
    hours = f" of {route.within.calendar}" if route.within.calendar else ""
    late = f"then {route.if_late}" if route.if_late else "then denied"
    return f"{people} of {' or '.join(route.who)} within {span(route.within.duration.total_seconds())}{hours}, {late}"


def _contest_text(item: Contest) -> tuple[str, str]:
    """Return the route of a contest, and in words how long it is open and how long people have."""
    hours = f" of {item.within.calendar}" if item.within is not None and item.within.calendar else ""
    within = f", and they have {span(item.within.duration.total_seconds())}{hours}" if item.within is not None else ""
    return item.to, f"within {span(item.open_for.total_seconds())}, by people who have not seen the case{within}"


def review_text(item: Sampling) -> str:
    """Return what people look at afterwards as a sentence."""
    share = f"{Decimal(item.share) / 1_000:f} % of what is decided without a person"
    least = f", at least {item.least} a {item.period}" if item.least else ""
    kinds = f" for each {' and '.join(item.by)}" if item.by and least else f", told by {' and '.join(item.by)}"
    return f"{share}{least}{kinds if item.by else ''}"


def _guarantee_text(item: Guarantee) -> str:
    if item.total is not None:
        return guarantee_words(item)
    when = "" if item.when is None else f" when {plain_words(item.when.source)}"
    if item.possible is not None:
        return f"{item.possible} is possible{when}"
    return f"never {' or '.join(str(verdict) for verdict in sorted(item.never))}{when}"


def _on(policy: Policy, on: frozenset[str]) -> str:
    """Return which actions something is about, where it is not about all of the file's."""
    return "" if on == frozenset(policy.actions) else f" (only {', '.join(sorted(on))})"


def _words(template: Template) -> str:
    return " ".join(template.source.split())


def _said(say: Mapping[str, Template]) -> str:
    return next((_words(say[tag]) for tag in ("", "en", *say) if tag in say), "")


def _heard(say: Mapping[str, Template]) -> list[tuple[str, str]]:
    said = _said(say)
    return [("customer hears", said)] if said else []


def _with_words(items: Iterable[tuple[Limit | Requirement, str]]) -> Iterator[tuple[str, str]]:
    """Yield each with its text, and below it why it is there and what the customer hears."""
    for item, text in items:
        yield item.id, text
        if item.words.because is not None:
            yield item.id, f"because: {_words(item.words.because)}"
        if said := _said(item.words.say):
            yield item.id, f"customer hears: {said}"


def _print_part(output: Output, title: str, pairs: Iterable[tuple[str, str]]) -> None:
    listed = list(pairs)
    if listed:
        output.line()
        output.line(title, style="bold")
        output.pairs(listed, indent=2)
