"""Whether a decided case keeps the guarantees of its policies; proving them for every request is elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agentguard.core.decision import Decision
from agentguard.core.language import Value, evaluate
from agentguard.core.limits import usage_values
from agentguard.core.needs import needs_of
from agentguard.core.plan import Plan, environment
from agentguard.core.policy import Guarantee, Policy
from agentguard.core.request import Evidence, Request
from agentguard.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class Promise:
    """One guarantee that speaks of a case.

    Attributes:
        id: Qualified id of the guarantee.
        text: What it promises, as the file says it.
        kept: False if the decision breaks it. A promise that something is possible is not broken by one case.
        shown: True if the case is an example of it: the condition holds and, for `possible`, the verdict came out.
    """

    id: str
    text: str
    kept: bool
    shown: bool


def promises(plan: Plan, request: Request, evidence: Evidence, decision: Decision) -> tuple[Promise, ...]:
    """Return the guarantees whose condition holds for a decided request."""
    values = environment(plan, request, evidence.facts, evidence.now)
    accounts = needs_of(plan, request, values, evidence.now).accounts
    values.update(usage_values(accounts, evidence.usage))
    return tuple(
        _promise(file.policy, guarantee, decision)
        for file in plan.files
        for guarantee in _speaking(file.policy, plan.action, values)
    )


def _speaking(policy: Policy, action: str, values: Mapping[str, Value]) -> Iterator[Guarantee]:
    for guarantee in policy.guarantees:
        if guarantee.total is not None:
            continue  # no single request keeps or breaks what is said of all of them together
        if action in guarantee.on and (guarantee.when is None or _holds(guarantee, values)):
            yield guarantee


def _holds(guarantee: Guarantee, values: Mapping[str, Value]) -> bool:
    try:
        return guarantee.when is not None and evaluate(guarantee.when, values) is True
    except EvaluationError:
        return False  # nothing is promised about a request of which the condition's values are not known


def _promise(policy: Policy, guarantee: Guarantee, decision: Decision) -> Promise:
    name = policy.qualified(guarantee.id)
    if guarantee.possible is not None:
        return Promise(name, f"possible: {guarantee.possible}", kept=True, shown=decision.verdict is guarantee.possible)
    text = "never: " + ", ".join(str(verdict) for verdict in sorted(guarantee.never))
    return Promise(name, text, kept=decision.verdict not in guarantee.never, shown=True)
