"""What a decision must be told beside the facts: accounts to read and events to look for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from agentguard.core.digest import encode
from agentguard.core.language import UNKNOWN
from agentguard.core.limits import AccountNeed, account_need
from agentguard.core.plan import Environment, Plan, PlannedRequirement, environment
from agentguard.core.request import Fact, Request
from agentguard.errors import EvaluationError

CONFIRMED = "request"
"""Under which name a customer's yes keeps what it is to."""


@dataclass(frozen=True, slots=True)
class RequirementNeed:
    """The settled action, or the customer's yes, that one requirement looks for.

    Attributes:
        action: None for a customer's yes, which is used once.
        values: What must be the same, by name, encoded; the store sees keyed digests of them.
        since: How old it may be at most; None for any age.
    """

    requirement: str
    action: str | None
    values: Mapping[str, Any]
    since: datetime | None


class Needs(NamedTuple):
    """By qualified id; what could not be evaluated is not here, and `decide` counts that against the request.

    Attributes:
        values: What conditions can read at this moment, so that `decide` need not work it out again.
    """

    accounts: Mapping[str, AccountNeed]
    requirements: Mapping[str, RequirementNeed]
    values: Environment


def needs(plan: Plan, request: Request, facts: Mapping[str, Fact], now: datetime) -> Needs:
    """Return the accounts, windows and events that `decide` will ask for at this moment."""
    return needs_of(plan, request, environment(plan, request, facts, now), now)


def needs_of(plan: Plan, request: Request, values: Environment, now: datetime) -> Needs:
    """Return the same from an environment that is already there."""
    accounts: dict[str, AccountNeed] = {}
    requirements: dict[str, RequirementNeed] = {}
    for file in plan.files:
        for limit in file.limits:
            try:
                accounts[limit.id] = account_need(limit, request, values, now)
            except EvaluationError:
                continue  # law 9: `decide` finds no usage for it and counts that against the request
        for requirement in file.requires:
            wanted = _requirement_need(requirement, request, values, now)
            if wanted is not None:
                requirements[requirement.id] = wanted
    return Needs(accounts, requirements, values)


def what_is_asked(action: str, on_behalf_of: str, encoded: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes a request this very one: a repeated key must ask the same, a customer's yes is to the same."""
    return {"action": action, "on_behalf_of": on_behalf_of, "arguments": encoded}


def _requirement_need(
    planned: PlannedRequirement, request: Request, values: Environment, now: datetime
) -> RequirementNeed | None:
    if planned.requirement.action is None:
        return _confirmation_need(planned, request)
    same = {name: values.get(name, UNKNOWN) for name in planned.requirement.same}
    if any(value is UNKNOWN for value in same.values()):
        return None
    within = planned.requirement.within
    return RequirementNeed(
        requirement=planned.id,
        action=planned.requirement.action,
        values={name: encode(value) for name, value in same.items()},
        since=None if within is None else now - within,
    )


def _confirmation_need(planned: PlannedRequirement, request: Request) -> RequirementNeed:
    within = planned.requirement.within
    encoded = {name: encode(value) for name, value in request.arguments.items()}
    asked = what_is_asked(request.action, request.on_behalf_of, encoded)
    # Its time ends with the asking: a customer who said yes in time does not say it again while people think.
    since = None if within is None else request.asked_at - within
    return RequirementNeed(planned.id, None, {CONFIRMED: asked}, since)
