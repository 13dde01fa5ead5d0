"""Requirements as a file writes them: which settled action must come before, with the same values."""

from __future__ import annotations

from agentguard.core.language import Declared
from agentguard.core.policy import Requirement
from agentguard.policyfile import bounds
from agentguard.policyfile.model import CONFIRMED, PolicyModel, RequirementModel
from agentguard.policyfile.node import Scalar, shortened
from agentguard.policyfile.outline import Outline
from agentguard.policyfile.problems import Problems, suggestion
from agentguard.policyfile.rules import Ids, read_actions, read_when
from agentguard.policyfile.spelling import dotted_name, span, verdict, word
from agentguard.policyfile.words import read_words


def read_requirements(model: PolicyModel, outline: Outline, ids: Ids, problems: Problems) -> tuple[Requirement, ...]:
    """Return the requirements of a file."""
    items = model.requires or ()
    return tuple(made for item in items if (made := _requirement(item, outline, ids, problems)) is not None)


def _requirement(model: RequirementModel, outline: Outline, ids: Ids, problems: Problems) -> Requirement | None:
    what = f"requirement `{shortened(model.id.text)}`"
    name = ids.take(model.id, "requirement")
    on = read_actions(model.on, outline, problems, what)
    action, same = _before(model, on, outline, problems, what)
    within = span(model.within, problems, f"{what}: `within`", allow_calendar=False) if model.within else None
    refused = ("allow", "abstain")
    otherwise = verdict(model.else_, problems, f"{what}: `else`", routes=outline.routes, refused=refused)
    when, sound = read_when(model.when, on, outline, problems, what)
    words = read_words(model, outline.scope(on), problems, what, [when] if when else []) if on and sound else None
    late = model.within is not None and within is None
    if name is None or same is None or otherwise is None or words is None or late:
        return None
    return Requirement(
        id=name,
        on=on,
        action=action,
        same=same,
        within=within[0] if within else None,
        otherwise=otherwise,
        when=when,
        words=words,
        place=model.id.place,
    )


def _before(
    model: RequirementModel, on: frozenset[str], outline: Outline, problems: Problems, what: str
) -> tuple[str | None, tuple[str, ...] | None]:
    """Return the action that must come before and what must be the same; no action for the customer's yes."""
    if model.confirmed is not None:
        if model.action is not None or model.same is not None:
            message = f"{what}: `confirmed` stands alone: remove `action` and `same`, or write two requirements"
            problems.add(model.key("confirmed").place, "keys_conflict", message)
            return None, None
        said = word(model.confirmed, problems, f"{what}: `confirmed`", CONFIRMED)
        return None, None if said is None else ()
    if model.action is None or model.same is None:
        missing = " and ".join(f"`{key}`" for key in ("action", "same") if getattr(model, key) is None)
        message = f"{what}: {missing} is missing: write what must come before, or `confirmed: this request`"
        problems.add(model.id.place, "missing_key", message)
        return None, None
    action = dotted_name(model.action, problems, f"{what}: `action`", "identity.verify")
    return action, _same(model, model.action.text, on, outline, problems, what) if action is not None else None


def _same(
    model: RequirementModel, action: str, on: frozenset[str], outline: Outline, problems: Problems, what: str
) -> tuple[str, ...] | None:
    found: list[str] = []
    names = model.same or ()
    if not names or len(names) > bounds.PER:
        message = f"{what}: `same` must be 1 to {bounds.PER} names, got {len(names)}"
        problems.add(model.node.items["same"].place, "too_many", message)
        return None
    for scalar in names:
        if not _comparable(scalar, action, on, outline, problems, what):
            return None
        found.append(scalar.text)
    return tuple(dict.fromkeys(found))


def _comparable(
    scalar: Scalar, action: str, on: frozenset[str], outline: Outline, problems: Problems, what: str
) -> bool:
    """Return whether a value can be compared between this action and the one before."""
    name = scalar.text
    if name in ("on_behalf_of", "agent.id") or name in outline.context:
        return True
    arguments = [outline.arguments[other].get(name) for other in sorted(on)]
    if name in outline.facts:
        message = f"{what}: `same` cannot compare the fact `{name}`: use `on_behalf_of`, a context value or an argument"
        problems.add(scalar.place, "requirement_unmatched", message)
    elif all(declared is None for declared in arguments):
        if problems.is_broken("context", name.removeprefix("context.")):
            return False
        known = ["on_behalf_of", *outline.context, *(item for other in on for item in outline.arguments[other])]
        near = suggestion(name, known) or ": expected `on_behalf_of`, a context value or an argument"
        problems.add(scalar.place, "fact_unknown", f"{what}: `same` has the unknown name `{shortened(name)}`{near}")
    elif any(declared is None for declared in arguments) or not _alike(name, action, arguments, outline):
        message = (
            f"{what}: `same` compares `{name}`, which not all of these actions have alike: say `on`, or another name"
        )
        problems.add(scalar.place, "requirement_unmatched", message)
    else:
        return True
    return False


def _alike(name: str, action: str, arguments: list[Declared | None], outline: Outline) -> bool:
    """Return whether the action before has the argument with the same type, as far as this file knows it."""
    kinds = {str(declared.type) for declared in arguments if declared is not None}
    before = outline.arguments.get(action)
    if before is not None:
        kinds.add(str(before[name].type) if name in before else "missing")
    return len(kinds) == 1
