"""Lint for deadlines that are compared with `now`, and so run out while a request waits for a person (SPEC P20.12)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentguard.core.language import terms, types, unparse
from agentguard.core.language.polarity import pulls
from agentguard.core.language.terms import Compare, Term
from agentguard.core.policy import Bundle, Place, Policy, Rule, Verdict

_DEADLINE = re.compile(r"(^|_)(until|deadline|last_day)$|(^|_)(return|returned|cancel|answer|reply|claim|send)_by$")
_GROWS = {"<": -1, "<=": -1, ">": 1, ">=": 1}
"""By operator: where its answer goes while the left side grows, 1 to yes and -1 to no."""


def check_deadlines(policy: Policy, bundle: Bundle) -> Iterator[tuple[Place, str, str]]:
    """Yield the rules that turn against the customer while a request waits."""
    for rule in policy.rules:
        if rule.when is None or rule.then.verdict is Verdict.ABSTAIN or not _may_wait(policy, bundle, rule):
            continue
        for comparison, towards in pulls(rule.when.tree):
            if towards is not None and _turns_against(
                comparison, loosens=(rule.then.verdict is Verdict.ALLOW) == towards
            ):
                clock = f"rule `{rule.id}`: the clock of `{unparse(comparison)}` runs on"
                message = f"{clock} while a request waits for a person: write `asked_at`, when the customer asked"
                yield rule.place, "now_for_asked_at", message
                break


def _may_wait(policy: Policy, bundle: Bundle, rule: Rule) -> bool:
    """Return whether a request for one of a rule's actions may wait for a person."""
    governing = {file.name: file for action in sorted(rule.on) for file in bundle.governing(action)}
    for file in governing.values():
        asked = [file.otherwise]
        asked += [other.then for other in file.rules if other.on & rule.on]
        asked += [limit.over for limit in file.limits if limit.on & rule.on]
        asked += [item.otherwise for item in file.requires if item.on & rule.on]
        if (file is policy or not file.shadow) and any(then.verdict is Verdict.ESCALATE for then in asked):
            return True
    return False


def _turns_against(comparison: Compare, *, loosens: bool) -> bool:
    """Return whether a deadline passes here while time does, to the customer's harm.

    Args:
        comparison: A part of a condition.
        loosens: Whether its yes is in the customer's favour.
    """
    goes = _GROWS.get(comparison.operator)
    parts = [*_summands(comparison.left, 1), *_summands(comparison.right, -1)]
    nows = [sign for sign, term in parts if _is_now(term)]
    if goes is None or len(nows) != 1:
        return False
    sign = nows[0]
    rest = [(sign * own, term) for own, term in parts if not _is_now(term)]
    return _is_deadline(rest) and (goes * sign > 0) != loosens


def _is_deadline(rest: list[tuple[int, Term]]) -> bool:
    """Return whether what `now` is compared with is the end of a time, and not something that takes place then.

    Args:
        rest: What stands beside `now` if everything is brought to its side, with the sign it has there.
    """
    moments = [(sign, term) for sign, term in rest if isinstance(term.type, types.Time | types.Date)]
    spans = [sign for sign, term in rest if isinstance(term.type, types.Duration)]
    if len(moments) != 1 or moments[0][0] > 0 or len(moments) + len(spans) != len(rest):
        return False
    if spans:
        return all(sign < 0 for sign in spans)  # now - delivered <= 30 days, not starts - now >= 2 hours
    moment = moments[0][1]
    if isinstance(moment, terms.DayOf):
        moment = moment.of
    if isinstance(moment, terms.Constant):
        return True
    return isinstance(moment, terms.Read | terms.Field) and _DEADLINE.search(moment.name.rpartition(".")[2]) is not None


def _is_now(term: Term) -> bool:
    match term:
        case terms.Read("now"):
            return True
        case terms.DayOf(of):
            return _is_now(of)
        case terms.Part(expression):
            return _is_now(expression.tree)
        case _:
            return False


def _summands(term: Term, sign: int) -> Iterator[tuple[int, Term]]:
    match term:
        case terms.Arithmetic("+" | "-" as operator, left, right):
            yield from _summands(left, sign)
            yield from _summands(right, sign if operator == "+" else -sign)
        case terms.Negate(of):
            yield from _summands(of, -sign)
        case terms.Part(expression):
            yield from _summands(expression.tree, sign)
        case _:
            yield sign, term
