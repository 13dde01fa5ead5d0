"""Whether what an application registered fits what its policies declare: every mismatch at once."""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

from agentguard.core import language
from agentguard.core.language import Type
from agentguard.core.money import Money
from agentguard.core.plan import Plan
from agentguard.core.policy import Bundle
from agentguard.engine.registry import INJECTED, Lookup, Registry, Tool

ALWAYS_KNOWN = frozenset({"on_behalf_of", "tenant", "agent", "context", "action", "now"})
"""What every lookup may take beside arguments, context and other facts."""

PYTHON_TYPES: dict[type[Any], tuple[type, ...]] = {
    language.Money: (Money,),
    language.Text: (str,),
    language.OneOf: (str,),
    language.Integer: (int,),
    language.Decimal_: (Decimal,),
    language.YesNo: (bool,),
    language.Date: (date,),
    language.Time: (datetime,),
    language.Duration: (timedelta,),
}
SCALARS = (Money, str, int, float, Decimal, bool, date, datetime, timedelta, bytes)


def mismatches(registry: Registry, bundle: Bundle, plans: Mapping[str, Plan]) -> list[str]:
    """Return everything that does not fit; empty if the guard may start.

    An action that a policy declares but this process has no tool for is no mismatch: another process may run it.
    """
    found: list[str] = []
    for action, tool in sorted(registry.tools.items()):
        plan = plans.get(action)
        if plan is None:
            known = ", ".join(bundle.actions()) or "none"
            found.append(f"tool `{action}` is governed by no policy in force; actions with a policy are: {known}")
            continue
        found += _tool_mismatches(tool, plan)
        found += _lookup_mismatches(registry, plan)
    return list(dict.fromkeys(found))


def roots(plan: Plan) -> frozenset[str]:
    """Return the first names of the facts that an action's rules read."""
    return frozenset(name.partition(".")[0] for name in plan.facts)


def _tool_mismatches(tool: Tool, plan: Plan) -> Iterator[str]:
    signature = tool.signature
    for name, declared in plan.arguments.items():
        if not signature.accepts(name):
            yield f"tool `{tool.action}` does not take `{name}`, which its policy declares; add the parameter"
        elif name in signature.hints and not _fits(declared.type, signature.hints[name]):
            shown = getattr(signature.hints[name], "__name__", signature.hints[name])
            yield f"tool `{tool.action}` takes `{name}` as `{shown}`, but its policy declares `{declared.type}`"
    for name in sorted(signature.required - set(plan.arguments) - INJECTED):
        yield f"tool `{tool.action}` needs `{name}`, which no policy declares; declare it or give it a default"


def _lookup_mismatches(registry: Registry, plan: Plan) -> Iterator[str]:
    pending = sorted(roots(plan))
    seen: set[str] = set()
    while pending:
        root = pending.pop(0)
        if root in seen:
            continue
        seen.add(root)
        lookup = registry.lookups.get(root)
        if lookup is None:
            reads = ", ".join(f"`{name}`" for name in sorted(plan.facts) if name.partition(".")[0] == root)
            yield f'rules of `{plan.action}` read {reads}, but no `@guard.fact("{root}")` is registered'
            continue
        pending += [name for name in lookup.signature.parameters if name in registry.lookups]
        yield from _parameter_mismatches(lookup, registry, plan)
    yield from _cycles(registry, seen)


def _parameter_mismatches(lookup: Lookup, registry: Registry, plan: Plan) -> Iterator[str]:
    context = {name.removeprefix("context.") for name in plan.context} | {"conversation"}
    known = {*plan.arguments, *ALWAYS_KNOWN, *context, *registry.lookups} - {lookup.root}
    for name in sorted(lookup.signature.required - known):
        yield (
            f"fact `{lookup.root}` needs `{name}` for `{plan.action}`, which is no argument, context or fact there; "
            "give the parameter a default"
        )
    ours = {*ALWAYS_KNOWN, *context, "channel", "language", *(registry.lookups.keys() - {lookup.root})}
    for name in sorted(ours.intersection(plan.arguments, lookup.signature.parameters)):
        yield (
            f"fact `{lookup.root}` takes `{name}`, which for `{plan.action}` is an argument of the model and something "
            "that the guard knows; rename the argument, or read the other one out of `context`"
        )


def _cycles(registry: Registry, names: set[str]) -> Iterator[str]:
    def depends(name: str, on: str, passed: frozenset[str]) -> bool:
        """Return whether a lookup needs another one, itself or by those that it needs."""
        lookup = registry.lookups.get(name)
        if lookup is None or name in passed:
            return False
        return on in lookup.signature.parameters or any(
            depends(other, on, passed | {name}) for other in lookup.signature.parameters if other in registry.lookups
        )

    for name in sorted(names):
        if depends(name, name, frozenset()):
            yield f"fact `{name}` needs itself through other facts; break the circle"


def _fits(declared: Type, hint: Any) -> bool:
    """Return False only where the annotation is certainly another type; what cannot be told is left to the tool."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(declared, item) for item in get_args(hint) if item is not type(None))
    if origin is Literal:
        return isinstance(declared, language.OneOf) and set(declared.values) <= set(get_args(hint))
    if isinstance(declared, language.ListOf | language.Record):
        return hint not in SCALARS
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return isinstance(declared, language.OneOf | language.Text) and issubclass(hint, str)
    if hint not in SCALARS:
        return True
    return hint in PYTHON_TYPES.get(type(declared), SCALARS)
