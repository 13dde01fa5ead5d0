"""What a file declares before anything reads it: record types, actions with arguments, facts, context, segments, names.

All of them and the tables share one namespace with the words that the language keeps; a collision is an error.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentguard.core.language import Declared, Expression, Record, parse_type
from agentguard.core.language import types as kinds
from agentguard.core.language.tokens import KEYWORDS
from agentguard.core.policy import ActionSpec
from agentguard.core.request import FOR_PEOPLE
from agentguard.errors import LanguageError
from agentguard.policyfile import bounds
from agentguard.policyfile.condition import check_condition, checked, read_text
from agentguard.policyfile.model import PolicyModel
from agentguard.policyfile.node import Mapping as Block
from agentguard.policyfile.node import Node, Scalar, shape, shortened
from agentguard.policyfile.outline import Outline, written_names
from agentguard.policyfile.problems import Problems, suggestion
from agentguard.policyfile.spelling import dotted_name, simple_name, texts

RESERVED = frozenset(
    {"key", "deadline", "intent", "now", "asked_at", "on_behalf_of", "tenant", "agent", "context", *KEYWORDS}
)
"""Words that nothing in a file can be named (SPEC P5.5)."""

_ACTION_EXAMPLE = "refund.issue"


def declare(model: PolicyModel, outline: Outline, problems: Problems) -> None:
    """Fill an outline with the declarations of a file, names excepted."""
    _records(model, outline, problems)
    taken = _Taken(problems)
    facts = _declared_values(model, "facts", outline, problems)
    for name in facts:
        taken.take_fact(name, model)
    outline.facts.update(facts)
    outline.context.update(_context(model, outline, problems))
    arguments: dict[str, Scalar] = {}
    for action, entries in model.actions.items():
        outline.arguments[action] = _arguments(action, entries, model, outline, problems)
        block = model.node.section("actions").section(action)
        for name in entries:
            arguments.setdefault(name, block.keys[name])
    for name, key in arguments.items():
        taken.take(name, key, "an argument")
    _bound(model, outline, problems)
    for kind, what in (("tables", "a table"), ("names", "a name")):
        for name, key in model.node.section(kind).keys.items():
            taken.take(name, key, what)
    outline.segments = _segments(model, outline, problems)


class _Taken:
    """The one namespace of a file; the first to take a word keeps it."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.words: dict[str, str] = {}
        self.facts: list[str] = []

    def take(self, name: str, key: Scalar, what: str) -> None:
        """Take a word, or report who has it."""
        if name in RESERVED:
            message = f"`{name}` is a word of the language: call it something else"
            self.problems.add(key.place, "name_taken", message)
        elif name in self.words:
            message = f"`{name}` is already {self.words[name]}: call it something else"
            self.problems.add(key.place, "name_taken", message)
        else:
            self.words[name] = what

    def take_fact(self, name: str, model: PolicyModel) -> None:
        """Take the first word of a dotted fact; facts may share it, but none may be inside another."""
        key = model.node.section("facts").keys[name]
        first = name.split(".", maxsplit=1)[0]
        if first in RESERVED:
            message = f"`{first}` is a word of the language: call the fact `{name}` something else"
            self.problems.add(key.place, "name_taken", message)
            return
        for other in self.facts:
            if name.startswith(other + ".") or other.startswith(name + "."):
                message = f"`{name}` and `{other}` would be read alike: call one of them something else"
                self.problems.add(key.place, "name_taken", message)
                return
        self.facts.append(name)
        self.words.setdefault(first, f"the first word of the fact `{name}`")


def _records(model: PolicyModel, outline: Outline, problems: Problems) -> None:
    section = model.node.section("types")
    for name, entries in (model.types or {}).items():
        key, block = section.keys[name], section.section(name)
        if simple_name(key, problems, "the name of a type") is None:
            problems.broken.add(("types", name))
            continue
        fields: dict[str, Declared] = {}
        for field_name, notation in entries.items():
            if simple_name(block.keys[field_name], problems, "the name of a field") is None:
                continue
            declared = read_type(notation, outline, problems)
            if declared is None:
                problems.broken.add(("types", name))
            elif declared.computed or declared.personal or declared.max_age:
                message = f"a field of `{name}` can be optional, but not personal, aged or computed: say it on the fact"
                problems.add(notation.place, "type_malformed", message)
            else:
                fields[field_name] = declared
        if not entries:
            problems.add(key.place, "too_many", f"type `{name}` must have at least one field, got none")
        outline.records[name] = Record(name, fields)


def read_type(notation: Scalar | Node, outline: Outline, problems: Problems) -> Declared | None:
    """Return the type that a notation or a list of values says, or None after its problem was told."""
    try:
        if isinstance(notation, Scalar):
            return parse_type(notation.text, outline.records, outline.currencies)
        values = texts(notation, problems, "the values")
        return parse_type([value.text for value in values], outline.records, outline.currencies)
    except LanguageError as error:
        for offset, code, message in error.problems:
            if code == "no_currency":
                if ("currency", "*") in problems.broken:
                    continue
                problems.broken.add(("currency", "*"))
            if code == "type_unknown" and isinstance(notation, Scalar) and _broken_type(notation.text, problems):
                continue
            place = notation.at(offset) if isinstance(notation, Scalar) else notation.place
            problems.add(place, code, message)
        return None


def _broken_type(text: str, problems: Problems) -> bool:
    return any(section == "types" and (name == "*" or name in text) for section, name in problems.broken)


def _declared_values(model: PolicyModel, section: str, outline: Outline, problems: Problems) -> dict[str, Declared]:
    """Return the facts of a file by their full names."""
    found: dict[str, Declared] = {}
    node = model.node.section(section)
    for name, notation in (model.facts or {}).items():
        key = node.keys[name]
        declared = read_type(notation, outline, problems)
        if dotted_name(key, problems, "the name of a fact", "order.total") is None or declared is None:
            problems.broken.add((section, name))
        elif declared.computed:
            problems.broken.add((section, name))
            problems.add(notation.place, "type_malformed", "only arguments can be `computed as`: use a name instead")
        else:
            found[name] = declared
    return found


def _context(model: PolicyModel, outline: Outline, problems: Problems) -> dict[str, Declared]:
    found: dict[str, Declared] = {}
    node = model.node.section("context")
    for name, notation in (model.context or {}).items():
        declared = read_type(notation, outline, problems)
        if simple_name(node.keys[name], problems, "the name of a context value") is None or declared is None:
            problems.broken.add(("context", name))
        elif declared.computed or declared.max_age:
            problems.broken.add(("context", name))
            problems.add(notation.place, "type_malformed", "a context value cannot be computed or aged: remove it")
        elif f"context.{name}" in FOR_PEOPLE:
            problems.broken.add(("context", name))
            message = f"`{name}` is for people and no rule reads it: the host gives it undeclared; remove it here"
            problems.add(node.keys[name].place, "name_taken", message)
        else:
            found[f"context.{name}"] = declared
    return found


def _arguments(
    action: str, entries: Mapping[str, Scalar | Node], model: PolicyModel, outline: Outline, problems: Problems
) -> dict[str, Declared]:
    section = model.node.section("actions")
    block = section.section(action)
    dotted_name(section.keys[action], problems, "the name of an action", _ACTION_EXAMPLE)
    found: dict[str, Declared] = {}
    for name, notation in entries.items():
        declared = read_type(notation, outline, problems)
        if simple_name(block.keys[name], problems, "the name of an argument") is None or declared is None:
            problems.broken.add(("arguments", name))
        elif declared.max_age:
            problems.broken.add(("arguments", name))
            problems.add(notation.place, "type_malformed", "only facts have a `max_age`: remove it")
        else:
            found[name] = declared
    if len(entries) > bounds.ARGUMENTS:
        message = f"action `{action}` has at most {bounds.ARGUMENTS} arguments, got {len(entries)}"
        problems.add(block.place, "too_many", message)
    return found


def _bound(model: PolicyModel, outline: Outline, problems: Problems) -> None:
    """Refuse sections with more entries than allowed, and a file without actions."""
    most = {
        "types": bounds.TYPES,
        "actions": bounds.ACTIONS,
        "facts": bounds.FACTS,
        "context": bounds.FACTS,
        "names": bounds.NAMES,
        "tables": bounds.TABLES,
        "calendars": bounds.CALENDARS,
        "escalations": bounds.ROUTES,
        "rules": bounds.RULES,
        "limits": bounds.LIMITS,
        "requires": bounds.REQUIREMENTS,
        "guarantees": bounds.GUARANTEES,
    }
    for section, bound in most.items():
        node = model.node.items.get(section)
        count = len(node.items) if node is not None and not isinstance(node, Scalar) else 0
        if node is not None and count > bound:
            message = f"expected at most {bound:,} entries under `{section}`, got {count:,}: split the file"
            problems.add(model.key(section).place, "too_many", message)
    broken = any(section == "actions" for section, _ in problems.broken)
    if not outline.arguments and not broken:
        message = "expected at least one action under `actions`, like `refund.issue: {amount: money}`"
        problems.add(model.node.items["actions"].place, "too_many", message)


def _segments(model: PolicyModel, outline: Outline, problems: Problems) -> tuple[str, ...]:
    found: list[str] = []
    for scalar in model.segments or ():
        name = scalar.text
        if name in found:
            problems.add(scalar.place, "duplicate_id", f"segment `{name}` stands twice in the list: remove one")
        elif name in outline.facts:
            if isinstance(outline.facts[name].type, kinds.Record | kinds.ListOf):
                message = f"segment `{name}` must be a single value, got a {outline.facts[name].type}"
                problems.add(scalar.place, "fact_unknown", message)
            found.append(name)
        elif ("facts", name) not in problems.broken and ("facts", "*") not in problems.broken:
            near = suggestion(name, outline.facts) or ": declare it under `facts`"
            problems.add(scalar.place, "fact_unknown", f"segment `{shortened(name)}` is not a fact{near}")
    return tuple(found)


def read_names(model: PolicyModel, outline: Outline, problems: Problems) -> None:
    """Read the named expressions into the outline, each after those it is made of (SPEC P6.1)."""
    node = model.node.section("names")
    written = {}
    for name, scalar in (model.names or {}).items():
        if (
            simple_name(node.keys[name], problems, "a name") is None
            or (condition := read_text(scalar, problems)) is None
        ):
            problems.broken.add(("names", name))
        else:
            written[name] = condition
    needs = {name: written_names(condition.tree) & set(written) for name, condition in written.items()}
    while needs:
        ready = [name for name, others in needs.items() if not others - set(outline.names)]
        for name in ready:
            outline.names[name] = written[name]
            del needs[name]
        if not ready:
            _cycle(needs, node, problems)
            return


def _cycle(needs: Mapping[str, set[str]], node: Block, problems: Problems) -> None:
    """Report one circle of names; whatever rests on it is broken."""
    path = [next(iter(needs))]
    following = path[0]
    while following not in path[:-1]:
        following = next(name for name in sorted(needs[path[-1]]) if name in needs)
        path.append(following)
    circle = path[path.index(following) : -1]
    shown = " -> ".join([*circle, circle[0]])
    first = min(circle, key=lambda name: node.keys[name].place.line)
    problems.add(node.keys[first].place, "name_cycle", f"names are made of each other: {shown}: write one of them out")
    problems.broken.update(("names", name) for name in needs)


def check_names(outline: Outline, problems: Problems) -> dict[str, Expression]:
    """Return the names as the first action sees them that has what they read; tell about those that none can use."""
    found: dict[str, Expression] = {}
    actions = sorted(outline.actions)
    scopes = [outline.scope(frozenset({action})) for action in actions]
    for name, condition in outline.names.items():
        fitting = next((scope for scope in scopes if name in scope.names), None)
        if fitting is not None:
            found[name] = fitting.names[name]
            continue
        others = set(outline.names) & written_names(condition.tree)
        if scopes and not any(("names", other) in problems.broken for other in others):
            nearest = min(scopes, key=lambda scope: (len(checked(condition, scope, None)[1]), -len(scope.values)))
            check_condition(condition, nearest, problems, None)
        problems.broken.add(("names", name))
    return found


def action_specs(model: PolicyModel, outline: Outline, problems: Problems) -> dict[str, ActionSpec]:
    """Return the actions with the expressions of their computed arguments."""
    section = model.node.section("actions")
    specs: dict[str, ActionSpec] = {}
    for action, arguments in outline.arguments.items():
        block = section.section(action)
        computed: dict[str, Expression] = {}
        for name, declared in arguments.items():
            if declared.computed:
                expression = _computed(action, name, declared, block.items[name], outline, problems)
                if expression is not None:
                    computed[name] = expression
        specs[action] = ActionSpec(action, arguments, computed, section.keys[action].place)
    return specs


def _computed(
    action: str, name: str, declared: Declared, notation: Node, outline: Outline, problems: Problems
) -> Expression | None:
    if not isinstance(notation, Scalar) or declared.computed is None:
        raise TypeError(f"a computed argument is written as text, got {shape(notation)}")
    wanted = declared.computed
    place = notation.at(notation.text.rfind(wanted))
    if ("names", wanted) in problems.broken:
        return None
    if wanted not in outline.names:
        near = suggestion(wanted, outline.names) or ": declare it under `names`"
        problems.add(place, "name_unreadable", f"argument `{name}`: no name `{wanted}` under `names`{near}")
        return None
    condition = read_text(Scalar(wanted, place), problems)
    if condition is None:
        return None
    scope = outline.scope(frozenset({action}), "computing")
    return check_condition(condition, scope, problems, declared.type)
