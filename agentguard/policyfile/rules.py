"""Rules as a file writes them, and what they share with everything else that has an id, actions and a condition."""

from __future__ import annotations

from agentguard.core.language import Expression, YesNo
from agentguard.core.policy import Place, Rule, Witnessed
from agentguard.policyfile.condition import check_condition, read_condition
from agentguard.policyfile.model import PolicyModel, RuleModel
from agentguard.policyfile.node import Node, Scalar, Sequence, shortened
from agentguard.policyfile.outline import Outline
from agentguard.policyfile.problems import Problems, suggestion
from agentguard.policyfile.spelling import day, identifier, texts, verdict
from agentguard.policyfile.words import read_words


class Ids:
    """The ids of rules, limits, requirements and guarantees of a file: one namespace, since reasons name them alike."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.places: dict[str, Place] = {}

    def take(self, scalar: Scalar, what: str) -> str | None:
        """Return an id that nothing else in the file has."""
        name = identifier(scalar, self.problems, f"the id of a {what}")
        if name is None:
            return None
        if name in ("otherwise", "on_error"):
            message = f"the id `{name}` is a word of the format: call the {what} something else"
            self.problems.add(scalar.place, "name_taken", message)
            return None
        if name in self.places:
            message = (
                f"the id `{name}` is already used on line {self.places[name].line}: call one of them something else"
            )
            self.problems.add(scalar.place, "duplicate_id", message)
            return None
        self.places[name] = scalar.place
        return name


def read_actions(node: Scalar | Sequence | None, outline: Outline, problems: Problems, what: str) -> frozenset[str]:
    """Return the actions that something is for; all of the file when it does not say."""
    if node is None:
        return outline.actions
    found = set()
    for scalar in texts(node, problems, f"{what}: `on`"):
        if scalar.text in outline.actions:
            found.add(scalar.text)
        elif not any(section == "actions" for section, _ in problems.broken):
            near = suggestion(scalar.text, outline.actions) or ": declare it under `actions`"
            message = f"{what}: `on` names no action of this file, got `{shortened(scalar.text)}`{near}"
            problems.add(scalar.place, "action_unknown", message)
    if isinstance(node, Sequence) and not node.items:
        problems.add(node.place, "too_many", f"{what}: `on` must name at least one action: leave it out for all")
    return frozenset(found)


def read_when(
    node: Node | None, on: frozenset[str], outline: Outline, problems: Problems, what: str, purpose: str = ""
) -> tuple[Expression | None, bool]:
    """Return a condition as an expression, and whether it is sound; None and True where there is none."""
    if node is None:
        return None, True
    condition = read_condition(node, problems, f"{what}: `when`")
    if condition is None or not on:
        return None, False
    expression = check_condition(condition, outline.scope(on, purpose), problems, YesNo())
    return expression, expression is not None


def read_rules(model: PolicyModel, outline: Outline, ids: Ids, problems: Problems) -> tuple[Rule, ...]:
    """Return the rules of a file."""
    return tuple(rule for item in model.rules or () if (rule := _rule(item, outline, ids, problems)) is not None)


def _rule(model: RuleModel, outline: Outline, ids: Ids, problems: Problems) -> Rule | None:
    what = f"rule `{shortened(model.id.text)}`"
    name = ids.take(model.id, "rule")
    then = verdict(model.then, problems, f"{what}: `then`", routes=outline.routes)
    on = read_actions(model.on, outline, problems, what)
    when, sound = read_when(model.when, on, outline, problems, what)
    words = None
    if on and sound:
        words = read_words(model, outline.scope(on), problems, what, [when] if when else [])
    expires = day(model.expires, problems, f"{what}: `expires`") if model.expires else None
    review_by = day(model.review_by, problems, f"{what}: `review_by`") if model.review_by else None
    if name is None or then is None or words is None:
        return None
    return Rule(name, on, then, when, words, expires, review_by, model.id.place)


def read_witness(model: PolicyModel, outline: Outline, problems: Problems) -> Witnessed | None:
    """Return what waits for a witness before its effect, or None where nothing does."""
    if model.witness is None:
        return None
    on = read_actions(model.witness.on, outline, problems, "`witness`")
    condition = read_condition(model.witness.before_effect, problems, "`witness`: `before_effect`")
    if condition is None or not on:
        return None
    when = check_condition(condition, outline.scope(on), problems, YesNo())
    return None if when is None else Witnessed(on, when, model.witness.key("before_effect").place)
