"""One request with everything that its decision rests on, and the same with one of its inputs changed."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from agentguard.core.decide import decide
from agentguard.core.decision import Decision
from agentguard.core.language import Integer, Money, Type, Value, YesNo
from agentguard.core.limits import COUNT, in_unit, usage_values
from agentguard.core.money import Money as Amount
from agentguard.core.needs import Needs, needs
from agentguard.core.plan import Environment, Plan
from agentguard.core.request import Evidence, Fact, FactStatus, Request, Usage


class From(enum.StrEnum):
    """Where an input comes from."""

    ARGUMENT = "argument"
    FACT = "fact"
    CONTEXT = "context"
    LIMIT = "limit"
    REQUIREMENT = "requirement"


@dataclass(frozen=True, slots=True)
class Input:
    """Something that a decision rests on.

    Attributes:
        name: The full name of a value, or the qualified id of a limit (what was used of it) or of a requirement
            (whether it happened).
        value: None where it is not there.
    """

    source: From
    name: str
    type: Type
    value: Value | None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under a plan, with its evidence."""

    plan: Plan
    request: Request
    evidence: Evidence

    def decision(self) -> Decision:
        """Return what `decide` says."""
        return decide(self.plan, self.request, self.evidence)

    def needs(self) -> Needs:
        """Return which accounts and events count."""
        return needs(self.plan, self.request, self.evidence.facts, self.evidence.now)

    def values(self) -> Environment:
        """Return what conditions read, with what is used and held of limits."""
        wanted = self.needs()
        return {**wanted.values, **usage_values(wanted.accounts, self.evidence.usage)}

    def inputs(self) -> Iterator[Input]:
        """Yield everything that could be otherwise; what could not be looked up is left out."""
        plan, request, evidence = self.plan, self.request, self.evidence
        for name, declared in plan.asked.items():
            yield Input(From.ARGUMENT, name, declared.type, request.arguments.get(name), declared.optional)
        for name, declared in plan.facts.items():
            fact = evidence.facts.get(name)
            if fact is not None and fact.status is not FactStatus.FAILED and name not in plan.segments:
                yield Input(From.FACT, name, declared.type, fact.value, declared.optional)
        for name, declared in plan.context.items():
            yield Input(From.CONTEXT, name, declared.type, request.context.get(name), declared.optional)
        accounts = self.needs().accounts
        for name, usage in evidence.usage.items():
            if name in accounts:
                unit = accounts[name].unit
                kind: Type = Integer() if unit == COUNT else Money((unit,), any_sign=True)
                yield Input(From.LIMIT, name, kind, in_unit(usage.used, unit))
        for name, entry in evidence.history.items():
            yield Input(From.REQUIREMENT, name, YesNo(), entry is not None)

    def changed(self, item: Input, value: Value | None) -> Asked:
        """Return the same with another value of one input; None takes it away."""
        request, evidence = self.request, self.evidence
        match item.source:
            case From.ARGUMENT:
                request = replace(request, arguments=_with(request.arguments, item.name, value))
            case From.CONTEXT:
                request = replace(request, context=_with(request.context, item.name, value))
            case From.FACT:
                before = evidence.facts[item.name]
                status = FactStatus.ABSENT if value is None else FactStatus.VALUE
                fact = Fact(status, value, before.source, before.read_at or evidence.now)
                evidence = replace(evidence, facts={**evidence.facts, item.name: fact})
            case From.LIMIT:
                used = value.minor if isinstance(value, Amount) else value
                held = min(evidence.usage[item.name].held, used)  # type: ignore[type-var]
                usage = Usage(held, used - held)  # type: ignore[operator,arg-type]
                evidence = replace(evidence, usage={**evidence.usage, item.name: usage})
            case From.REQUIREMENT:
                history = {**evidence.history, item.name: 0 if value is True else None}
                evidence = replace(evidence, history=history)
        return Asked(self.plan, request, evidence)


def _with(values: Mapping[str, Value], name: str, value: Value | None) -> dict[str, Value]:
    changed = {**values, name: value}
    return {known: item for known, item in changed.items() if item is not None}
