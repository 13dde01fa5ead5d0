"""Why a decision came out as it did, and what would have had to change: from the same trees that decided.

For the record, the reviewer and the customer's letter. Never for the model, which could split a refund by it (law 15).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from agentguard.core.asked import Asked, From, Input
from agentguard.core.decision import Decision
from agentguard.core.language import Comparison, Expression, OneOf, Value, evaluate, trace
from agentguard.core.language.terms import reads
from agentguard.core.plan import Environment, Plan, PlannedRule
from agentguard.core.policy import Place, Then, Verdict
from agentguard.core.request import Evidence, Request
from agentguard.core.scale import size
from agentguard.core.turning import Turn, Turning
from agentguard.errors import EvaluationError


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
        about: The request, with what the decision rested on.
        hidden: Names whose values are not to be seen.
        rules: Every rule that applies to the action, in the order of the files.
        closest: The allow rule with the fewest comparisons in its way, where none matched.
        automatic_up_to: An argument and the largest value tried below the one asked for that would have been
            allowed as everything else stood, as the real `decide` says; None if there is none.
    """

    decision: Decision
    about: Asked
    hidden: frozenset[str]
    rules: tuple[RuleExplanation, ...]
    closest: RuleExplanation | None
    automatic_up_to: tuple[str, Value] | None

    def may_show(self, name: str, value: Value | None) -> bool:
        """Return whether a value may be seen; whatever names the customer may not where the customer may not."""
        return name not in self.hidden and not _names_customer(self.about.request, self.hidden, value)

    def turns(self) -> tuple[tuple[Input, tuple[Turn, ...]], ...]:
        """Return, for each input that may be seen, the nearest values with which it would have come out otherwise."""
        return tuple(
            (item, tuple(turn for turn in turns if self.may_show(item.name, turn.value)))
            for item, turns in self.turning().every()
            if self.may_show(item.name, item.value)
        )

    def turning(self) -> Turning:
        """Return what looks for such values."""
        return Turning(self.about, self.decision, self.hidden)


def explain(plan: Plan, request: Request, evidence: Evidence, *, hidden: frozenset[str] = frozenset()) -> Explanation:
    """Decide again and return the decision with every comparison and what would have changed it.

    Args:
        plan: What governs the action.
        request: What was asked for.
        evidence: What the decision rested on.
        hidden: Names whose values are not to be seen: where a comparison reads one, it stands without them.
    """
    about = Asked(plan, request, evidence)
    decision, values = about.decision(), about.values()
    rules = tuple(_explained(planned, values, request, hidden) for file in plan.enforced for planned in file.rules)
    turning = None if decision.verdict is Verdict.ALLOW else Turning(about, decision, hidden)
    return Explanation(
        decision=decision,
        about=about,
        hidden=hidden,
        rules=rules,
        closest=_closest(rules),
        automatic_up_to=None if turning is None else _automatic_up_to(turning, about),
    )


def _explained(planned: PlannedRule, values: Environment, request: Request, hidden: frozenset[str]) -> RuleExplanation:
    rule = planned.rule
    if rule.when is None:
        return RuleExplanation(planned.id, rule.place, rule.then, holds=True, comparisons=())
    comparisons = tuple(_without(item, request, hidden) for item in trace(rule.when, values))
    return RuleExplanation(planned.id, rule.place, rule.then, _holds(rule.when, values), comparisons)


def _without(comparison: Comparison, request: Request, hidden: frozenset[str]) -> Comparison:
    """Return a comparison whose operands have no values where one of them reads a hidden name, or is the customer."""
    names = any(_names_customer(request, hidden, item.value) for item in comparison.operands)
    if hidden.isdisjoint(reads(comparison.term)) and not names:
        return comparison
    return replace(comparison, operands=tuple(replace(item, value=None) for item in comparison.operands))


def _names_customer(request: Request, hidden: frozenset[str], value: Value | None) -> bool:
    if "on_behalf_of" not in hidden or not request.on_behalf_of:
        return False
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else ()
    return value == request.on_behalf_of or any(_names_customer(request, hidden, item) for item in inside)


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


def _automatic_up_to(turning: Turning, about: Asked) -> tuple[str, Value] | None:
    for item in about.inputs():
        asked = size(item.value)
        if item.source is not From.ARGUMENT or asked is None:
            continue
        for turn in turning.allowing(item):
            found = size(turn.value)
            if turn.value is not None and found is not None and found < asked:
                return item.name, turn.value
    return None


def allowed_choices(
    plan: Plan, request: Request, evidence: Evidence, names: Iterable[str]
) -> Iterator[tuple[str, Value]]:
    """Yield other values of enumerated arguments, one changed at a time, that the real `decide` would have allowed."""
    about, wanted = Asked(plan, request, evidence), frozenset(names)
    turning = Turning(about, about.decision())
    for item in about.inputs():
        if item.source is From.ARGUMENT and item.name in wanted and isinstance(item.type, OneOf):
            yield from ((item.name, turn.value) for turn in turning.allowing(item) if turn.value is not None)
