"""Limits that nothing can ever reach, because another limit denies first; needs the extra `prove` (SPEC P20.19).

What counts is what agents ask for and people approve: what is recorded as done elsewhere may go past any limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agentguard.analysis.finding import Finding
from agentguard.analysis.symbolic.logic import Truth, all_of, any_of, no
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Search
from agentguard.analysis.windows import covers
from agentguard.core import money
from agentguard.core.language import Expression, unparse
from agentguard.core.language.evaluate import evaluate
from agentguard.core.language.operations import show
from agentguard.core.policy import Bundle, Limit, Policy, Verdict
from agentguard.errors import EvaluationError

CODE = "limit_out_of_reach"


def limits_out_of_reach(bundle: Bundle, searches: Mapping[str, Search]) -> Iterator[Finding]:
    """Yield the limits that other limits and the rules keep from ever being reached."""
    for policy in (policy for policy in bundle.policies if not policy.shadow):
        for limit in policy.limits:
            if _counts_nothing(policy, limit, searches):
                message = (
                    f"limit `{limit.id}` counts nothing: whatever its `when` holds for is denied; change or remove it"
                )
                yield Finding(limit.place, CODE, message)
                continue
            firsts = (other for other in policy.limits if other is not limit and _comes_first(other, limit))
            why = next(filter(None, (_stopped(policy, limit, first, searches) for first in firsts)), "")
            if why:
                message = f"limit `{limit.id}` is out of reach: {why}; lower its `max`, or remove it"
                yield Finding(limit.place, CODE, message)


def _comes_first(first: Limit, limit: Limit) -> bool:
    """Return whether a limit denies, and counts at least whatever another one counts, for at least as many, as long."""
    per = {unparse(key.tree) for key in limit.per}
    return (
        first.over.verdict is Verdict.DENY
        and first.on >= limit.on
        and not first.freed_by
        and all(unparse(key.tree) in per for key in first.per)
        and (first.when is None or (limit.when is not None and unparse(first.when.tree) == unparse(limit.when.tree)))
        and covers(first.window, limit.window)
    )


def _stopped(policy: Policy, limit: Limit, first: Limit, searches: Mapping[str, Search]) -> str:
    """Return in words why a limit that comes first keeps another one from being reached; empty if it does not."""
    most, stop = _most(limit), _most(first)
    if most is None or stop is None:
        return ""
    counts = {action: measure for action, measure in first.measure.items() if action in limit.on}
    if all(_same(measure, limit.measure[action]) for action, measure in counts.items()):
        alike = stop == most and policy.limits.index(first) < policy.limits.index(limit)
        return f"`{first.id}` counts the same and stops at {_shown(first)}" if stop < most or alike else ""
    if any(measure is not None for measure in counts.values()):
        return ""
    if all(_never_as_much(searches[action], policy.qualified(limit.id), stop, most) for action in sorted(limit.on)):
        return f"`{first.id}` stops after {_shown(first)}, which never come to more than {_shown(limit)}"
    return ""


def _counts_nothing(policy: Policy, limit: Limit, searches: Mapping[str, Search]) -> bool:
    """Return whether a limit's `when` holds for nothing at all that is let through."""
    name = policy.qualified(limit.id)
    found = [searches[action] for action in sorted(limit.on) if name in searches[action].requests.counted]
    return limit.when is not None and all(
        search.never(lambda among: all_of((among.counted[name].applies, _let_through(among, name)))) for search in found
    )


def _never_as_much(search: Search, limit: str, times: int, most: int) -> bool:
    """Return whether so many requests, each as large as one can be that nothing else denies, stay within a limit."""

    def too_much(among: Requests) -> Truth:
        """Return that so many of this request would pass the limit, and nothing but the limit denies it."""
        counted = among.counted[limit]
        amount = Number(counted.amount.units * times, counted.amount.scale)
        passes = amount.compared(">", Number(most))
        return all_of((counted.applies, no(counted.unknown), _let_through(among, limit), passes))

    return limit not in search.requests.counted or search.never(too_much)


def _let_through(among: Requests, limit: str) -> Truth:
    """Return that nothing but a limit denies a request."""
    return no(any_of(asks.when for asks in among.asks if asks.then.verdict is Verdict.DENY and asks.source != limit))


def _most(limit: Limit) -> int | None:
    """Return a limit's written maximum as a whole number; None where it rests on something, or on the currency."""
    value = _value(limit)
    return value.minor if isinstance(value, money.Money) else value


def _value(limit: Limit) -> money.Money | int | None:
    written = list(limit.max.values())
    if len(written) != 1 or written[0].reads:
        return None
    try:
        value = evaluate(written[0], {})
    except EvaluationError:
        return None
    return value if isinstance(value, money.Money) or type(value) is int else None


def _shown(limit: Limit) -> str:
    value = _value(limit)
    return "" if value is None else show(value)


def _same(one: Expression | None, other: Expression | None) -> bool:
    return one is other or (one is not None and other is not None and unparse(one.tree) == unparse(other.tree))
