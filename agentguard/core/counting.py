"""Past actions as the limits of today count them: the values of then, in the types of now.

What was not recorded then, or does not fit what is declared now, is unknown: it is never guessed, and a limit that
reads it cannot count that action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from agentguard.core.account import account_identity
from agentguard.core.digest import canonical_bytes, digest
from agentguard.core.language import UNKNOWN, Declared, Value, conform
from agentguard.core.limits import AccountNeed, account_need, applies
from agentguard.core.plan import BUILT_IN, Environment, Plan, PlannedLimit, environment
from agentguard.core.policy import Limit, WindowKind
from agentguard.core.request import Fact, Request
from agentguard.errors import ConformError, EvaluationError


@dataclass(frozen=True, slots=True)
class PastAction:
    """One action as it was decided, with what really happened.

    Attributes:
        plan: What governed it then.
        now: The ledger's time of its decision.
        real: Values of arguments that differed when it was done.
        told: Full names of context that is recorded wherever it is given, declared or not.
        erased: Full names whose values cannot be read any more.
    """

    plan: Plan
    request: Request
    facts: Mapping[str, Fact]
    now: datetime
    real: Mapping[str, Value]
    told: frozenset[str] = frozenset()
    erased: frozenset[str] = frozenset()


def identity_of(limit: Limit) -> str:
    """Return the digest of what makes a limit's accounts, beside tenant, unit and values."""
    return digest(canonical_bytes(account_identity(limit)))


def past_values(plan: Plan, past: PastAction) -> Environment:
    """Return what a plan's limits can read of a past action.

    Arguments that the policy fills in have the value that they had then, whatever would be filled in now.
    """
    before = replace(
        past.plan, computed={name: how for name, how in past.plan.computed.items() if name not in past.real}
    )
    request = replace(past.request, arguments={**past.request.arguments, **past.real})
    then = environment(before, request, past.facts, past.now, past.erased)
    values: Environment = {name: then[name] for name in BUILT_IN | past.told if name in then}
    _take(values, then, plan.arguments, past.plan.arguments)
    _take(values, then, plan.context, {**past.plan.context, **dict.fromkeys(past.told)})
    _take(values, then, plan.facts, past.plan.facts)
    return values


def _take(
    values: Environment, then: Environment, declared: Mapping[str, Declared], known: Mapping[str, object]
) -> None:
    for name, now in declared.items():
        if name not in known:
            values[name] = UNKNOWN
        elif name in then:
            values[name] = _as_declared(now, then[name])


def _as_declared(declared: Declared, value: object) -> object:
    if value is UNKNOWN:
        return UNKNOWN
    try:
        return conform(declared.type, value)
    except ConformError:
        return UNKNOWN


def counted(planned: PlannedLimit, past: PastAction, values: Environment) -> AccountNeed | None:
    """Return where and how much a limit counts for a past action, or None if it does not count it.

    Args:
        planned: The limit.
        past: The action.
        values: What `past_values` gave for both.

    Raises:
        EvaluationError: What it reads was not recorded, was erased, or cannot be evaluated.
    """
    if not applies(planned, values):
        return None
    try:
        need = account_need(planned, past.request, values, past.now)
    except ConformError as error:
        raise EvaluationError("not_recorded", str(error)) from error
    return need if need.amount > 0 else None


def names_read(planned: PlannedLimit, past: Plan) -> frozenset[str]:
    """Return the full names that counting a past action reads, those behind its computed arguments included."""
    limit = planned.limit
    expressions = [limit.when, limit.measure[past.action], *limit.per]
    names = frozenset[str]().union(*(item.reads for item in expressions if item is not None))
    if limit.window.kind is WindowKind.CONVERSATION:
        names |= {"context.conversation"}
    computed = [
        expression.reads
        for file in past.files
        for name, expression in file.policy.actions[past.action].computed.items()
        if name in names
    ]
    return names.union(*computed)
