"""A request with any value along an axis, everything else the same: in formulas, and as the tree walker has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import z3

from agentguard.analysis.axes import Axis, Band
from agentguard.analysis.symbolic.logic import Truth, all_of, any_of, no
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Example
from agentguard.analysis.symbolic.translation import Translation
from agentguard.analysis.symbolic.value import Amount, Slot, number, units
from agentguard.core import money
from agentguard.core.asked import Asked
from agentguard.core.language import evaluate
from agentguard.core.plan import Environment, Plan, PlannedRule, environment
from agentguard.core.request import Fact, FactStatus
from agentguard.errors import EvaluationError


class Along:
    """The formulas of rules for any value along an axis, everything else the same."""

    def __init__(self, requests: Requests, axis: Axis) -> None:
        self._axis = axis
        self._translation = requests.translation
        value = requests.translation.slot(axis.name).value
        self.any: Any = value.minor.units if isinstance(value, Amount) else number(value).units
        self._real: Truth = True
        if axis.is_computed:
            real, self.any = self.any, z3.Int(f"any {axis.name}")
            self._real = self.any == real
            free = Number(self.any, units(value).scale)
            free_value = Amount(free, value.currency) if isinstance(value, Amount) else free
            known = {**requests.translation.environment, axis.name: Slot(free_value)}
            self._translation = Translation(requests.inputs, known, requests.translation.slot)

    def speaks(self, planned: PlannedRule, at: Any) -> Truth:
        """Return that a rule speaks for a value."""
        return self._at(planned, at, fails=False)

    def some(self, bands: Iterable[Band], at: Any) -> Truth:
        """Return that some rule speaks for a value."""
        return any_of(self.speaks(band.planned, at) for band in bands)

    def ends(self, planned: PlannedRule, at: int, step: int) -> Truth:
        """Return that a rule speaks for a value and not one step on."""
        return all_of((self._known(), self.speaks(planned, at), no(self.speaks(planned, at + step))))

    def silent(self, rules: Iterable[PlannedRule]) -> Truth:
        """Return that no rule speaks for the request's own value, and each can be evaluated."""
        return all_of((self._known(), self._real, *(no(self._at(planned, self.any, fails=True)) for planned in rules)))

    def is_at(self, at: int) -> Truth:
        """Return that the request's own value is this one."""
        return all_of((self._real, self.any == at))

    def exists(self, at: Any) -> Truth:
        """Return that there is such a value."""
        return True if self._axis.least is None else at >= self._axis.least

    def _known(self) -> Truth:
        """Return that everything is known: what is said of bands is about values, and not about lookups that failed."""
        return all_of(slot.known for slot in self._translation.environment.values())

    def _at(self, planned: PlannedRule, at: Any, *, fails: bool) -> Truth:
        if planned.rule.when is None:
            return True
        found = self._translation.expression(planned.rule.when)
        holds = any_of((found.error, found.value)) if fails else all_of((no(found.error), found.value))
        if isinstance(holds, bool) or at is self.any:
            return holds
        return z3.substitute(holds, (self.any, z3.IntVal(at) if isinstance(at, int) else at))


class Beside:
    """A request that was found, and the same with other values along an axis.

    Attributes:
        at: Its own value, in steps; None where it has none of this currency.
    """

    def __init__(self, plan: Plan, axis: Axis, example: Example) -> None:
        self._plan = plan
        self._axis = axis
        self._example = example
        self._known: dict[int, Environment] = {}
        self.at = _steps(environment(plan, example.request, example.evidence.facts, example.evidence.now), axis)

    def speaks(self, planned: PlannedRule, at: int) -> bool:
        """Return whether a rule speaks for the request with another value."""
        if planned.rule.when is None:
            return True
        if at not in self._known:
            self._known[at] = self._values(at)
        try:
            return evaluate(planned.rule.when, self._known[at]) is True
        except EvaluationError:
            return False  # it is silent, or counts against the request, and speaks of no value

    def _values(self, at: int) -> Environment:
        """Return what conditions read of the request with another value; what rests on it follows."""
        name, value = self._axis.name, self._axis.value(at)
        request, evidence = self._example.request, self._example.evidence
        if name in self._plan.asked:
            request = replace(request, arguments={**request.arguments, name: value})
        elif not self._axis.is_computed:
            evidence = replace(evidence, facts={**evidence.facts, name: Fact(FactStatus.VALUE, value)})
        return {**Asked(self._plan, request, evidence).values(), name: value}


def _steps(values: Environment, axis: Axis) -> int | None:
    """Return the value that a request has along an axis, in steps."""
    match values.get(axis.name):
        case money.Money(minor, currency):
            return minor if currency == axis.currency else None
        case bool():
            return None
        case int(number):
            return number
        case Decimal() as number:
            return int(number.scaleb(money.MAX_FRACTION_DIGITS, money.EXACT))
        case _:
            return None
