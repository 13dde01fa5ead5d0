"""The same request about somebody else: another order, another customer, as an agent would split by them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TypeVar

from agentguard.analysis.symbolic.search import Example
from agentguard.core.language import Declared, Value, types
from agentguard.core.plan import Plan

V = TypeVar("V")


def renamed(plan: Plan, example: Example, number: int, kept: Collection[Value]) -> Example:
    """Return a request with other texts in the place of its own, the same ones for the same.

    Whether it is decided alike is not said: a policy may have written some of these texts.

    Args:
        plan: What governs it; only what it declares as text is changed.
        example: The request.
        number: Tells the new texts from those of other requests.
        kept: Values that stay.
    """

    def other(name: str, value: V, declared: Mapping[str, Declared]) -> V:
        """Return what stands in the place of a value."""
        if not isinstance(value, str) or value in kept:
            return value
        is_text = name in declared and isinstance(declared[name].type, types.Text)
        return f"{value}-{number}" if is_text else value  # type: ignore[return-value]

    request, evidence = example.request, example.evidence
    facts = {name: replace(fact, value=other(name, fact.value, plan.facts)) for name, fact in evidence.facts.items()}
    changed = replace(
        request,
        on_behalf_of=other("on_behalf_of", request.on_behalf_of, {"on_behalf_of": Declared(types.TEXT)}),
        arguments={name: other(name, value, plan.asked) for name, value in request.arguments.items()},
        context={name: other(name, value, plan.context) for name, value in request.context.items()},
    )
    return Example(changed, replace(evidence, facts=facts), example.decision)
