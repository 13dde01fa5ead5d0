"""What a promise sums up of requests, as formulas of all of them and as numbers of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agentguard.analysis.symbolic.logic import Truth, all_of, any_of
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Example
from agentguard.core.language import Expression, compile_expression
from agentguard.core.limits import COUNT
from agentguard.core.money import Money
from agentguard.core.plan import Environment, Plan, environment
from agentguard.core.policy import Guarantee, Policy, Total, Verdict, WindowKind
from agentguard.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class Summed:
    """What requests add to a sum, and how much it may be at most, as formulas.

    Attributes:
        unknown, no_most: Whether nobody knows the one, or the other.
    """

    amount: Number
    currency: Any
    unknown: Truth
    most: Number | None
    no_most: Truth


@dataclass(slots=True)
class Sum:
    """The sum of a promise, for the requests of one action.

    Attributes:
        policy: The file that promises.
    """

    plan: Plan
    policy: Policy
    guarantee: Guarantee
    total: Total = field(init=False)
    _known: dict[int, tuple[Requests, Summed]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.guarantee.total is not None  # noqa: S101 - the caller has seen to it
        self.total = self.guarantee.total

    @property
    def counts(self) -> bool:
        """Whether requests are counted, and nothing of them is added up."""
        return self.total.measure[self.plan.action] is None

    def of(self, requests: Requests) -> Summed:
        """Return what requests add, as formulas."""
        known = self._known.get(id(requests))
        if known is None:
            amount, currency, unknown = requests.measured(self.total.measure[self.plan.action])
            most, no_most = requests.maximum(self.total.max, currency)
            known = self._known[id(requests)] = requests, Summed(amount, currency, unknown, most, no_most)
        return known[1]

    def allowed(self, requests: Requests) -> Truth:
        """Return that a request counts and is allowed; what cannot be evaluated may count."""
        summed = self.of(requests)
        counts = any_of((summed.unknown, summed.amount.compared(">", Number(0))))
        when = self.guarantee.when
        if when is not None:
            found = requests.translation.expression(when)
            counts = all_of((counts, any_of((found.error, found.value))))
        return all_of((requests.verdicts[Verdict.ALLOW], counts))

    def measured(self, example: Example) -> tuple[int, str] | None:
        """Return what one request adds, and in which unit; None where that cannot be evaluated."""
        measure = self.total.measure[self.plan.action]
        return (1, COUNT) if measure is None else self._amount(measure, example)

    def keys(self, example: Example) -> tuple[Any, ...] | None:
        """Return what one request is summed up by; None where that cannot be evaluated."""
        request, read = example.request, self._values(example)
        try:
            found: list[Any] = [compile_expression(expression)(read) for expression in self.total.per]
        except EvaluationError:
            return None
        if self.total.window.kind is WindowKind.CONVERSATION:
            found.append(request.context.get("context.conversation"))
        return (request.tenant, *found)

    def most(self, example: Example, unit: str) -> int | None:
        """Return how much it may be at most, as one request shows it; None where that cannot be evaluated."""
        most = self._amount(self.total.max.get(unit) or self.total.max[""], example)
        return None if most is None else most[0]

    def _amount(self, expression: Expression, example: Example) -> tuple[int, str] | None:
        try:
            value: Any = compile_expression(expression)(self._values(example))
        except EvaluationError:
            return None
        return (value.minor, value.currency) if isinstance(value, Money) else (int(value), COUNT)

    def _values(self, example: Example) -> Environment:
        return environment(self.plan, example.request, example.evidence.facts, example.evidence.now)
