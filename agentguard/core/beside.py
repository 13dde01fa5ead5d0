"""What the version of a canary that does not decide an action counts of it, on accounts that only that version has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from agentguard.core.counting import identity_of, names_read
from agentguard.core.plan import Plan, PlannedLimit


@dataclass(frozen=True, slots=True)
class Beside:
    """The limits of the other version that count an action on accounts of their own.

    Attributes:
        plan: What governs the action there.
        limits: Those whose accounts the deciding version does not count on.
        looking: What governs the action here, with the facts that these limits read as well.
    """

    plan: Plan
    limits: tuple[PlannedLimit, ...]
    looking: Plan


def beside(here: Plan, there: Plan) -> Beside:
    """Return what counts an action beside the plan that decides it."""
    own = {identity_of(planned.limit) for planned in _enforced(here)}
    found: dict[str, PlannedLimit] = {}
    for planned in _enforced(there):
        found.setdefault(identity_of(planned.limit), planned)
    limits = tuple(planned for identity, planned in found.items() if identity not in own)
    return Beside(there, limits, _looking(here, there, limits))


def _enforced(plan: Plan) -> Iterator[PlannedLimit]:
    return (planned for file in plan.enforced for planned in file.limits)


def _looking(here: Plan, there: Plan, limits: tuple[PlannedLimit, ...]) -> Plan:
    """Return a plan that looks up what a decision reads, and what limits of the other version read beside it."""
    names = frozenset[str]().union(*(names_read(planned, there) for planned in limits))
    more = {name: kind for name, kind in there.facts.items() if name in names and name not in here.facts}
    if not more:
        return here
    roots = {root: dict(facts) for root, facts in here.roots.items()}
    for name, kind in more.items():
        roots.setdefault(name.partition(".")[0], {})[name] = kind
    # What decides comes first: a lookup that hangs, and that only the other version needs, takes none of its time.
    return replace(here, facts={**here.facts, **more}, roots=roots)
