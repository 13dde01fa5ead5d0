"""Lint for what an agent names and nothing ties to the customer: anybody's order would do (SPEC P20.11)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentguard.core.language import Expression, Term, Text, types
from agentguard.core.language.inside import names_in
from agentguard.core.language.scope import walk
from agentguard.core.language.terms import Compare, In, Local
from agentguard.core.policy import Bundle, Place, Policy, Rule, Verdict
from agentguard.policyfile.reading import terms_of
from agentguard.policyfile.trust import given_arguments

_OWNER = re.compile(
    r"(customer|owner|user|patient|guest|member|holder|client|buyer|subscriber|account|passenger|employee|student)(_id)?"
    r"|belongs_to"
)
_THINGS = re.compile(
    r"order|booking|reservation|appointment|account|subscription|invoice|payment|ticket|case|parcel|shipment|return|"
    r"contract|claim|visit|delivery|profile|card"
)
"""What people have one of their own of; a product or a free place is everybody's."""


def check_belonging(policy: Policy, bundle: Bundle) -> Iterator[tuple[Place, str, str]]:
    """Yield the things that an allow is about and that need not be the customer's, each once."""
    told: set[str] = set()
    for rule in policy.rules:
        if rule.then.verdict is not Verdict.ALLOW:
            continue
        for action in sorted(rule.on):
            for argument, thing in _named(policy, bundle, action):
                if thing not in told and not _tied(policy, bundle, action, rule, argument, thing):
                    told.add(thing)
                    message = (
                        f"rule `{rule.id}` allows `{action}` on whatever {thing} the agent names: "
                        f"deny what does not belong to `on_behalf_of`"
                    )
                    yield rule.place, "order_of_anybody", message


def _named(policy: Policy, bundle: Bundle, action: str) -> Iterator[tuple[str, str]]:
    """Yield the arguments that name a thing with an owner, of which something here is looked up."""
    read = {name for file in bundle.governing(action) for _, when in _conditions(file, action) for name in when.reads}
    for argument, kind in given_arguments(policy, frozenset({action})).items():
        thing = argument.removesuffix("_id").removesuffix("_number")
        known = [name for name in policy.facts if name.startswith(f"{thing}.")]
        if not isinstance(kind, Text | types.Integer) or not any(name in read for name in known):
            continue
        if _THINGS.fullmatch(thing) or any(_is_owner(name) for name in known):
            yield argument, thing


def _tied(policy: Policy, bundle: Bundle, action: str, rule: Rule, argument: str, thing: str) -> bool:
    """Return whether an allow says itself whose the thing must be, or something speaks against another's."""
    for file in bundle.governing(action):
        owners = {name for name in file.facts if name.startswith(f"{thing}.") and _is_owner(name)}
        own = (owners or {name for name in file.facts if name.startswith(f"{thing}.")}) | {f"{thing}.id", argument}
        given = set(given_arguments(file, frozenset({action})))
        for other, when in _conditions(file, action):
            stops = other.then.verdict in (Verdict.DENY, Verdict.ESCALATE) and (file is policy or not file.shadow)
            if (stops or other is rule) and any(_ties(term, own, thing, given) for term in terms_of(when)):
                return True
    return False


def _ties(term: Term, own: set[str], thing: str, given: set[str]) -> bool:
    """Return whether a term compares whose a thing is with what the agent cannot choose."""
    match term:
        case Compare("==" | "!=", left, right) | In(left, right):
            return any(
                names_in(one) & own and _is_known(other, thing, given) for one, other in ((left, right), (right, left))
            )
        case _:
            return False


def _is_known(term: Term, thing: str, given: set[str]) -> bool:
    """Return whether a term is of what our own systems know of something else than this thing."""
    known = {name for name in names_in(term) if name not in given and not name.startswith(f"{thing}.")}
    return bool(known) or any(isinstance(inner, Local) for inner in walk(term))


def _conditions(policy: Policy, action: str) -> Iterator[tuple[Rule, Expression]]:
    yield from ((rule, rule.when) for rule in policy.rules if action in rule.on and rule.when is not None)


def _is_owner(name: str) -> bool:
    return _OWNER.fullmatch(name.rpartition(".")[2]) is not None
