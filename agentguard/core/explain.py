"""Why a decision came out as it did, and what would have had to change: from the same trees that decided.

For the record, the reviewer and the customer's letter. Never for the model, which could split a refund by it (law 15).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from agentguard.core.decide import decide
from agentguard.core.decision import Decision
from agentguard.core.language import Comparison, Expression, OneOf, Value, evaluate, trace
from agentguard.core.language.terms import reads
from agentguard.core.limits import COUNT, in_unit, usage_values
from agentguard.core.money import Money
from agentguard.core.needs import needs_of
from agentguard.core.plan import Environment, Plan, PlannedRule, environment
from agentguard.core.policy import Place, Then, Verdict
from agentguard.core.request import Evidence, Request
from agentguard.core.words import value_text
from agentguard.errors import EvaluationError

MAX_TRIALS = 40


@dataclass(frozen=True, slots=True)
class RuleExplanation:
    """One rule as it was evaluated.

    Attributes:
        holds: Whether its condition held; None where it could not be evaluated.
        comparisons: Every comparison with its values, in the order they are written; empty for an unconditional rule.
    """

    id: str
    place: Place
    then: Then
    holds: bool | None
    comparisons: tuple[Comparison, ...]

    @property
    def blocking(self) -> tuple[Comparison, ...]:
        """The comparisons that would have to come out otherwise for the rule to match."""
        return tuple(item for item in self.comparisons if item.blocking)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with everything that led to it.

    Attributes:
        rules: Every rule that applies to the action, in the order of the files.
        closest: The allow rule with the fewest comparisons in its way, where none matched.
        changes: What would have had to be different for the action to be automatic, one sentence each.
        automatic_up_to: An argument and the largest value tried below the one asked for that would have been
            allowed as everything else stood, as the real `decide` says; None if there is none.
    """

    decision: Decision
    rules: tuple[RuleExplanation, ...]
    closest: RuleExplanation | None
    changes: tuple[str, ...]
    automatic_up_to: tuple[str, Value] | None


def explain(plan: Plan, request: Request, evidence: Evidence, *, hidden: frozenset[str] = frozenset()) -> Explanation:
    """Decide again and return the decision with every comparison and what would have changed it.

    Args:
        plan: What governs the action.
        request: What was asked for.
        evidence: What the decision rested on.
        hidden: Names whose values are not to be seen: where a comparison reads one, it stands without them.
    """
    decision = decide(plan, request, evidence)
    values = environment(plan, request, evidence.facts, evidence.now)
    wanted = needs_of(plan, request, values, evidence.now)
    values.update(usage_values(wanted.accounts, evidence.usage))
    rules = tuple(_explained(planned, values, hidden) for file in plan.enforced for planned in file.rules)
    closest = _closest(rules)
    allowed = decision.verdict is Verdict.ALLOW
    return Explanation(
        decision=decision,
        rules=rules,
        closest=closest,
        changes=() if allowed else tuple(_changes(decision, rules, closest)),
        automatic_up_to=None if allowed else _automatic_up_to(plan, request, evidence, decision, rules),
    )


def _explained(planned: PlannedRule, values: Environment, hidden: frozenset[str]) -> RuleExplanation:
    rule = planned.rule
    if rule.when is None:
        return RuleExplanation(planned.id, rule.place, rule.then, holds=True, comparisons=())
    comparisons = tuple(_without(item, hidden) for item in trace(rule.when, values))
    return RuleExplanation(planned.id, rule.place, rule.then, _holds(rule.when, values), comparisons)


def _without(comparison: Comparison, hidden: frozenset[str]) -> Comparison:
    """Return a comparison whose operands have no values where one of them reads a hidden name."""
    if hidden.isdisjoint(reads(comparison.term)):
        return comparison
    return replace(comparison, operands=tuple(replace(item, value=None) for item in comparison.operands))


def _holds(condition: Expression, values: Environment) -> bool | None:
    try:
        return evaluate(condition, values) is True
    except EvaluationError:
        return None  # the comparisons beside it say which value was not known


def _closest(rules: tuple[RuleExplanation, ...]) -> RuleExplanation | None:
    allowing = [rule for rule in rules if rule.then.verdict is Verdict.ALLOW]
    if any(rule.holds for rule in allowing):
        return None
    return min(allowing, key=lambda rule: len(rule.blocking), default=None)


def _changes(decision: Decision, rules: tuple[RuleExplanation, ...], closest: RuleExplanation | None) -> Iterator[str]:
    matched = {reason.source for reason in decision.reasons if reason.code in ("rule_matched", "cannot_evaluate")}
    if closest is not None:
        wanted = "; ".join(_otherwise(item) for item in closest.blocking)
        yield f"`{closest.id}` would have allowed it, but: {wanted}"
    for rule in rules:
        if rule.id in matched and rule.then.verdict > Verdict.ALLOW:
            because = "; ".join(str(item) for item in rule.comparisons) or "it always applies"
            yield f"`{rule.id}` says {rule.then} because: {because}"
    for check in decision.limits:
        if not check.fits and check.max is not None:
            left = in_unit(max(check.max - check.used, 0), check.unit)
            shown = f"{left} more" if check.unit == COUNT else str(left)
            yield f"limit `{check.limit}` had room for {shown}, and this is {in_unit(check.amount, check.unit)}"
    for requirement in decision.requirements:
        if requirement.entry is None:
            yield f"what `{requirement.requirement}` asks for had to happen first"


def _otherwise(comparison: Comparison) -> str:
    return f"{comparison} (it had to be {'no' if comparison.result else 'yes'})"


def _automatic_up_to(
    plan: Plan, request: Request, evidence: Evidence, decision: Decision, rules: tuple[RuleExplanation, ...]
) -> tuple[str, Value] | None:
    """Try the values at which some comparison or limit turns, largest first, in the real `decide`."""
    for name, value in request.arguments.items():
        tried = sorted(set(_turning_points(name, value, decision, rules)), reverse=True)
        for smaller in tried[:MAX_TRIALS]:
            other = replace(request, arguments={**request.arguments, name: _like(value, smaller)})
            if decide(plan, other, evidence).verdict is Verdict.ALLOW:
                return name, _like(value, smaller)
    return None


def _turning_points(name: str, value: Value, decision: Decision, rules: tuple[RuleExplanation, ...]) -> Iterator[int]:
    """Yield, in minor units or whole numbers, values below the one asked for at which something may turn."""
    asked, unit = _amount(value)
    if asked is None:
        return
    found = [check.max - check.used for check in decision.limits if check.unit == unit and check.max is not None]
    for rule in rules:
        for comparison in rule.comparisons:
            if any(operand.text == name for operand in comparison.operands):
                found += [
                    amount
                    for operand in comparison.operands
                    if operand.value is not None and (amount := _amount(operand.value)[0]) is not None
                ]
    for point in found:
        for candidate in (point, point - 1):
            if 0 < candidate < asked:
                yield candidate


def _amount(value: Value) -> tuple[int | None, str]:
    if isinstance(value, Money):
        return value.minor, value.currency
    if isinstance(value, int) and not isinstance(value, bool):
        return value, COUNT
    return None, ""


def _like(value: Value, amount: int) -> Value:
    return Money(amount, value.currency) if isinstance(value, Money) else amount


def allowed_choices(
    plan: Plan, request: Request, evidence: Evidence, names: Iterable[str]
) -> Iterator[tuple[str, Value]]:
    """Yield other values of enumerated arguments, one changed at a time, that the real `decide` would have allowed."""
    trials = MAX_TRIALS
    for name in names:
        kind = plan.asked[name].type if name in plan.asked else None
        for value in kind.values if isinstance(kind, OneOf) else ():
            if value == request.arguments.get(name) or not trials:
                continue
            trials -= 1
            other = replace(request, arguments={**request.arguments, name: value})
            if decide(plan, other, evidence).verdict is Verdict.ALLOW:
                yield name, value


def sentence(explanation: Explanation) -> str:
    """Return the counterfactual as one sentence for a person, or empty."""
    if explanation.automatic_up_to is None:
        return ""
    name, value = explanation.automatic_up_to
    return f"would have been automatic with `{name}` up to {value_text(value)}"
