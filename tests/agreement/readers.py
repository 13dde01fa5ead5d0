"""Four readers of the same policy: generated code, the tree walker, the naive reference, and the solver's formulas.

The first two decide for real, with what `plan_action` compiles and with every expression walked instead. The formulas
are evaluated by the solver at one request, definition by definition, which is what it does when it checks a model.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import z3

from agentguard.analysis.symbolic.lexicon import Lexicon
from agentguard.analysis.symbolic.requests import Requests
from agentguard.core.language import Expression, evaluate
from agentguard.core.plan import Plan, PlannedLimit, PlannedPolicy
from agentguard.core.policy import Verdict
from agentguard.errors import EvaluationError
from tests.core.reference import (
    ABSENT,
    FAILED,
    PolicyData,
    World,
    policy_text,
    random_atom,
    random_policy,
    random_world,
    reference,
)
from tests.core.test_decide import bundle, decided, seen

Seen = tuple[str, frozenset[str]]
"""A verdict, and the qualified ids of all that asked for one."""


@dataclass(frozen=True)
class Disagreement:
    """A policy and a request that two readers read differently."""

    seed: int
    policies: list[PolicyData]
    world: World
    said: Mapping[str, Seen]

    def __str__(self) -> str:
        files = "\n---\n".join(policy_text(policy) for policy in self.policies)
        told = "\n".join(f"{name}: {verdict} by {', '.join(sorted(by))}" for name, (verdict, by) in self.said.items())
        return f"seed {self.seed}\n{files}\n{self.world}\n{told}"


def cases(seed: int, worlds: int) -> tuple[list[PolicyData], list[World]]:
    """Return one or two random policy files, and random requests with what is known and used."""
    source = random.Random(seed)
    policies = [random_policy(source, name) for name in ("first", "second")[: source.randint(1, 2)]]
    for policy in policies:
        for rule in policy.rules:
            rule.either = [random_atom(source) for _ in range(source.choice([0, 0, 1, 2]))]
        for limit in policy.limits:
            limit.when = random_atom(source) if source.random() < 0.3 else None
    return policies, [_of_one_past(policies, random_world(source, policies)) for _ in range(worlds)]


def disagreements(seed: int, worlds: int) -> Iterator[Disagreement | None]:
    """Yield for each random request of a seed what its readers disagree on, or None."""
    policies, situations = cases(seed, worlds)
    plan = bundle(policies)
    walking, formulas = by_walking(plan), Formulas(plan)
    for world in situations:
        said = {
            "generated code": _seen(seen(decided(plan, world))),
            "tree walker": _seen(seen(decided(walking, world))),
            "reference": _seen(reference(policies, world)),
            "formulas": formulas.seen(world),
        }
        yield Disagreement(seed, policies, world, said) if len(set(said.values())) > 1 else None


def _of_one_past(policies: list[PolicyData], world: World) -> World:
    """Return a world in which limits that share an account hold the same, and count no less over more days."""
    held: dict[tuple[bool, str], int] = {}
    settled: dict[tuple[bool, str], dict[int, int]] = {}
    named = {}
    for policy in policies:
        for days, limit in enumerate(policy.limits):
            name, account = f"{policy.name}/{limit.id}", (limit.money, limit.when.text() if limit.when else "")
            named[name] = account, days
            held.setdefault(account, world.used[name][0])
            settled.setdefault(account, {}).setdefault(days, world.used[name][1])
    counted = {
        account: dict(zip(sorted(found), sorted(found.values()), strict=True)) for account, found in settled.items()
    }
    used = {name: (held[account], counted[account][days]) for name, (account, days) in named.items()}
    verified = any(world.happened.values())  # every requirement asks for the same
    return replace(world, used=used, happened=dict.fromkeys(world.happened, verified))


def _seen(found: tuple[str, set[tuple[str, str, str]], set[str]]) -> Seen:
    verdict, reasons, _ = found
    return verdict, frozenset(source for _, source, _ in reasons if "/" in source)


def by_walking(plan: Plan) -> Plan:
    """Return a plan whose expressions are walked and not run."""
    made = {id(file): _walking_file(file) for file in plan.files}
    parts = {name: tuple(made[id(file)] for file in getattr(plan, name)) for name in ("enforced", "shadowed", "files")}
    return replace(plan, **parts, table={})


def _walking_file(file: PlannedPolicy) -> PlannedPolicy:
    conditions = [planned.rule.when for planned in file.rules]

    def fire(values: Mapping[str, Any]) -> list[Any]:
        return [True if condition is None else _answer(condition, values) for condition in conditions]

    requires = tuple(replace(planned, when=_walked(planned.requirement.when)) for planned in file.requires)
    return replace(file, fire=fire, limits=tuple(map(_walking_limit, file.limits)), requires=requires)


def _walking_limit(planned: PlannedLimit) -> PlannedLimit:
    limit = planned.limit
    [measure] = {id(item): item for item in limit.measure.values()}.values()
    return replace(
        planned,
        when=_walked(limit.when),
        measure=_walked(measure),
        per=tuple(_walked(item) for item in limit.per),
        max={code: _walked(item) for code, item in limit.max.items()},
    )


def _walked(expression: Expression | None) -> Callable[[Mapping[str, Any]], Any] | None:
    return None if expression is None else lambda values: evaluate(expression, values)


def _answer(condition: Expression, values: Mapping[str, Any]) -> Any:
    try:
        return evaluate(condition, values)
    except EvaluationError as error:
        return error


class Formulas:
    """The formulas of a plan, read at one request after the other."""

    def __init__(self, plan: Plan) -> None:
        self.requests = Requests(plan, 2, Lexicon())
        for name in ("order.total", "customer.score", "customer.level", "customer.tier"):
            self.requests.translation.slot(name)
        always = [item for item in self.requests.inputs.always if not isinstance(item, bool)]
        self.definitions = [item.children() for item in always if _is_definition(item)]
        self.others = [item for item in always if not _is_definition(item)]

    def seen(self, world: World) -> Seen:
        """Return what the formulas say of a request, which has to be one that they allow for."""
        model = z3.Model()
        for variable, value in self._values(world):
            if not isinstance(variable, bool | int):
                model.update_value(variable, z3.BoolVal(value) if isinstance(value, bool) else z3.IntVal(value))
            else:
                assert variable == value, world

        def holds(truth: Any) -> bool:
            return truth if isinstance(truth, bool) else z3.is_true(model.eval(truth, model_completion=True))

        for variable, truth in self.definitions:
            model.update_value(variable, z3.BoolVal(holds(truth)))
        assert all(map(holds, (*self.others, *self.requests.lexicon.facts()))), world
        [verdict] = [verdict for verdict in Verdict if holds(self.requests.verdicts.get(verdict, False))]
        return str(verdict), frozenset(asks.source for asks in self.requests.asks if holds(asks.when))

    def _values(self, world: World) -> Iterator[tuple[Any, Any]]:
        """Yield the variables of the formulas with their values."""
        environment, code = self.requests.translation.environment, self.requests.lexicon.code
        for name, value in world.values.items():
            slot = environment[name]
            there = value not in (ABSENT, FAILED)
            missing = value == ABSENT and isinstance(slot.present, bool)  # it has to be there: as if nobody knew
            if name != "amount":
                yield slot.known, value != FAILED and not missing
                if not isinstance(slot.present, bool):
                    yield slot.present, value != ABSENT
            units = getattr(slot.value, "code", None)
            if units is None:
                yield getattr(slot.value, "minor", slot.value).units, value if there else 1
            else:
                yield units, code(value if there else "standard")
        for limit, counted in self.requests.counted.items():
            yield from zip((counted.held, counted.settled), world.used[limit], strict=True)
        for requirement, happened in self.requests.happened.items():
            yield happened, world.happened[requirement]
        yield environment["on_behalf_of"].known, True
        yield environment["agent.kind"].value.code, code("agent")


def _is_definition(item: Any) -> bool:
    return z3.is_eq(item) and z3.is_const(item.arg(0)) and z3.is_bool(item.arg(0))
