"""Lint for what an agent could talk its way around: arguments are untrusted, by name.

Each check is a heuristic over what the expressions read; SPEC P20.1 to P20.4 say what it looks at.
"""

from __future__ import annotations

from collections.abc import Iterator

from agentguard.core.language import Expression, Money, Text
from agentguard.core.language.inside import names_in
from agentguard.core.language.scope import walk
from agentguard.core.language.terms import Arithmetic, Compare, Term
from agentguard.core.policy import Limit, Place, Policy, Rule, Verdict
from agentguard.policyfile.reading import comparisons_of, terms_of

Found = Iterator[tuple[Place, str, str]]

_ORDERED = ("<", "<=", ">", ">=")


def check_trust(policy: Policy) -> Found:
    """Yield what in a file rests on the agent's word."""
    yield from _allow_on_arguments(policy)
    yield from _amount_unsummed(policy)
    yield from _limit_keyed_by_argument(policy)
    yield from _deny_without_held(policy)


def given_arguments(policy: Policy, on: frozenset[str]) -> dict[str, object]:
    """Return the types of the arguments that the agent itself gives; computed ones are not among them."""
    return {
        name: declared.type
        for action in sorted(on)
        for name, declared in policy.actions[action].arguments.items()
        if declared.computed is None
    }


def _allow_on_arguments(policy: Policy) -> Found:
    for rule in policy.rules:
        if rule.then.verdict is not Verdict.ALLOW:
            continue
        given = given_arguments(policy, rule.on)
        if rule.when is None or not rule.when.reads:
            amounts = frozenset(name for name, kind in given.items() if isinstance(kind, Money))
            if amounts:
                message = (
                    f"rule `{rule.id}` allows whatever the agent asks ({_listed(amounts)}): add a condition on a fact"
                )
                yield rule.place, "allow_on_arguments", message
        elif rule.when.reads and rule.when.reads - {"now", "asked_at"} <= set(given) and rule.when.reads & set(given):
            message = (
                f"rule `{rule.id}` allows on what the agent says alone ({_listed(rule.when.reads & set(given))}): "
                "add a condition on a fact"
            )
            yield rule.place, "allow_on_arguments", message


def _amount_unsummed(policy: Policy) -> Found:
    told: set[str] = set()
    for rule in policy.rules:
        for name in _thresholds(policy, rule):
            open_actions = sorted(
                action
                for action in rule.on
                if name in policy.actions[action].arguments
                and not any(_sums(policy, limit, action, name) for limit in policy.limits)
            )
            if open_actions and name not in told:
                told.add(name)
                message = (
                    f"rule `{rule.id}` has a threshold on `{name}`, and no limit of `{open_actions[0]}` sums it: "
                    f"the agent could split it; add a limit with `sum: {name}`"
                )
                yield rule.place, "amount_unsummed", message
        for name, action in _unlimited(policy, rule):
            if name not in told:
                told.add(name)
                message = (
                    f"rule `{rule.id}` allows `{name}` up to a fact, each time anew, and no limit counts `{action}`: "
                    f"the agent could ask again; add a limit with `sum: {name}`"
                )
                yield rule.place, "amount_unsummed", message


def _unlimited(policy: Policy, rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield the amounts that a rule allows up to a fact, for actions which no limit counts at all, with the action."""
    if rule.then.verdict is Verdict.ALLOW:
        unlimited = [action for action in sorted(rule.on) if not any(action in limit.on for limit in policy.limits)]
        for name in (name for name, written in _bounded(policy, rule) if not written):
            yield from ((name, action) for action in unlimited if name in given_arguments(policy, frozenset({action})))


def _thresholds(policy: Policy, rule: Rule) -> list[str]:
    """Return the amounts among the arguments that a rule compares by order with something written.

    One that the policy fills in rests on what the agent says as well.
    """
    return [name for name, written in _bounded(policy, rule) if written]


def _bounded(policy: Policy, rule: Rule) -> Iterator[tuple[str, bool]]:
    """Yield the amounts among the arguments that a rule compares by order, and whether with something written."""
    if rule.when is None:
        return
    kinds = {name: said.type for action in sorted(rule.on) for name, said in policy.actions[action].arguments.items()}
    for comparison in comparisons_of(rule.when):
        if comparison.operator in _ORDERED:
            for side, other in ((comparison.left, comparison.right), (comparison.right, comparison.left)):
                names = (name for name in sorted(names_in(side)) if isinstance(kinds.get(name), Money))
                yield from ((name, not names_in(other)) for name in names)


def _sums(policy: Policy, limit: Limit, action: str, name: str) -> bool:
    """Return whether a limit sums an amount, or what the policy makes it of."""
    measure, computed = limit.measure.get(action), policy.actions[action].computed.get(name)
    made_of = frozenset() if computed is None else computed.reads
    return action in limit.on and measure is not None and not measure.reads.isdisjoint({name} | made_of)


def _limit_keyed_by_argument(policy: Policy) -> Found:
    for limit in policy.limits:
        given = given_arguments(policy, limit.on)
        for key in limit.per:
            names = [name for name in sorted(key.reads) if isinstance(given.get(name), Text)]
            if names:
                message = (
                    f"limit `{limit.id}` is kept per `{names[0]}`, which the agent writes as it likes "
                    "(`A-17`, `a-17`): use the fact that was looked up by it"
                )
                yield limit.place, "limit_keyed_by_argument", message


def _deny_without_held(policy: Policy) -> Found:
    for rule in policy.rules:
        if rule.then.verdict is not Verdict.DENY or rule.when is None:
            continue
        given = given_arguments(policy, rule.on)
        for comparison in comparisons_of(rule.when):
            if comparison.operator in _ORDERED and _rests_on_what_is_left(comparison, policy, given):
                message = (
                    f"rule `{rule.id}` compares with what is left by our own systems, which does not know of actions "
                    'that are running: subtract `held("…")` of a limit that sums it'
                )
                yield rule.place, "deny_without_held", message
                break


def _rests_on_what_is_left(comparison: Compare, policy: Policy, given: dict[str, object]) -> bool:
    """Return whether an amount asked for is compared with a difference of facts, or one of any sign, without `held`."""
    reads = names_in(comparison)
    if any(name.startswith(("held:", "used:")) for name in reads):
        return False
    for side, other in ((comparison.left, comparison.right), (comparison.right, comparison.left)):
        asked = any(isinstance(given.get(name), Money) for name in names_in(side))
        facts = [name for name in names_in(other) if name in policy.facts]
        if asked and facts and (_subtracts(other) or any(_any_sign(policy, name) for name in facts)):
            return True
    return False


def _any_sign(policy: Policy, name: str) -> bool:
    kind = policy.facts[name].type
    return isinstance(kind, Money) and kind.any_sign


def _subtracts(term: Term) -> bool:
    inner = [*walk(term)]
    parts: list[Expression] = [item.expression for item in inner if hasattr(item, "expression")]
    every = [*inner, *(item for part in parts for item in terms_of(part))]
    return any(isinstance(item, Arithmetic) and item.operator == "-" for item in every)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
