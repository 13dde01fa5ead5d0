"""How every part of the conditions of a policy came out in a case: each comparison by itself, yes or no."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agentguard.core.language import Comparison, Expression, Value, trace
from agentguard.core.limits import usage_values
from agentguard.core.needs import needs_of
from agentguard.core.plan import Plan, environment
from agentguard.core.policy import Limit, Policy, Requirement, Rule
from agentguard.core.request import Evidence, Request


@dataclass(frozen=True, slots=True)
class Compared:
    """One part of a condition that is yes or no by itself.

    Attributes:
        id: Qualified id of the rule, limit or requirement that it belongs to.
        text: What is written there.
        names: The named expressions that it was reached through, outermost first.
        source, start: The whole text that it is a part of, and where.
        result: None where it could not be evaluated.
    """

    id: str
    text: str
    names: tuple[str, ...]
    source: str
    start: int
    result: bool | None = field(default=None, compare=False)


def compared(plan: Plan, request: Request, evidence: Evidence) -> tuple[Compared, ...]:
    """Return how every part of every condition of an action came out."""
    values = environment(plan, request, evidence.facts, evidence.now)
    values.update(usage_values(needs_of(plan, request, values, evidence.now).accounts, evidence.usage))
    return tuple(
        part
        for file in plan.files
        for name, condition, on in _conditions(file.policy)
        if plan.action in on
        for part in _parts(name, condition, values)
    )


def parts_of(policy: Policy) -> Iterator[Compared]:
    """Yield every part of every condition of a file, in its order."""
    for name, condition, _ in _conditions(policy):
        yield from _parts(name, condition, {})


def _conditions(policy: Policy) -> Iterator[tuple[str, Expression, frozenset[str]]]:
    everything: tuple[Rule | Limit | Requirement, ...] = (*policy.rules, *policy.limits, *policy.requires)
    for said in everything:
        if said.when is not None:
            yield policy.qualified(said.id), said.when, said.on


def _parts(name: str, condition: Expression, values: Mapping[str, Value]) -> Iterator[Compared]:
    return (_part(name, comparison) for comparison in trace(condition, values))


def _part(name: str, found: Comparison) -> Compared:
    return Compared(name, found.text, found.names, found.source, found.start, found.result)
