"""A tree of nodes to the models: what is unknown, missing or of another shape becomes a problem, the rest goes on.

A wrong entry is taken out and the others are looked at again, so that one file's problems are told at once; names of
what was taken out are remembered, so that nobody reports a reference to them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agentguard.policyfile.model import RESERVED, Closed
from agentguard.policyfile.node import Mapping, Node, Scalar, Sequence, shortened
from agentguard.policyfile.problems import Problems, one_of, suggestion

M = TypeVar("M", bound=Closed)

Location = tuple[int | str, ...]
_KINDS = {
    "rules": "rule",
    "escalations": "route",
    "limits": "limit",
    "requires": "requirement",
    "guarantees": "guarantee",
    "cases": "case",
    "users": "person",
}
_PLACEHOLDERS = {"agentguard": "1", "version": "1", "policy": "unnamed", "people": "1", "test": "unnamed"}
_ROUNDS = 6


def checked(model: type[M], root: Mapping, problems: Problems) -> M | None:
    """Return a file as its model, without what was wrong in it; None when nothing is left to look at."""
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(root)
        except ValidationError as error:
            wrong = error.errors(include_url=False)
            for item in wrong:
                _report(model, root, item["loc"], str(item["type"]), item.get("ctx") or {}, problems)
            required = {field.alias or name for name, field in model.model_fields.items() if field.is_required()}
            root = _without(root, [(item["loc"], str(item["type"])) for item in wrong], required, problems)
    return None


def _report(
    model: type[BaseModel], root: Mapping, location: Location, kind: str, details: dict[str, Any], problems: Problems
) -> None:
    """Add the problem of one validation error."""
    if kind == "missing":
        holder, subject = _at(root, location[:-1]), _subject(root, location[:-1])
        if holder.place in problems.torn:
            return
        problems.add(holder.place, "missing_key", f"{subject}key `{location[-1]}` is missing: add it")
        return
    subject = _subject(root, location[:-1] if kind == "extra_forbidden" else location)
    if kind == "extra_forbidden":
        holder = _at(root, location[:-1])
        name = str(location[-1])
        place = holder.keys[name].place if isinstance(holder, Mapping) else holder.place
        kind_of = _KINDS.get(str(location[0]), "policy") if len(location) > 1 else "policy"
        if name in RESERVED.get(kind_of, ()):
            problems.add(place, "reserved", f"{subject}`{name}` is reserved and not yet part of format 1: remove it")
            return
        known = tuple(_keys(model, location))
        near = suggestion(name, known)
        fix = near or (f": expected {one_of(known)}" if known else ": remove it")
        problems.add(place, "unknown_key", f"{subject}unknown key `{shortened(name)}`{fix}")
        return
    node = _at(root, location)
    key = f"`{location[-1]}` " if location and isinstance(location[-1], str) else ""
    empty = isinstance(node, Scalar) and not node.text
    fix = ": write a value or remove the key" if empty else ""
    expected, got = details.get("expected", "another value"), details.get("got", "something else")
    problems.add(node.place, "wrong_shape", f"{subject}{key}must be {expected}, got {got}{fix}")


def _keys(model: type[BaseModel], location: Location) -> Iterable[str]:
    """Return the keys accepted where an unknown one was found: at the top, or in an entry of a section."""
    found: type[BaseModel] | None = model
    for step in location[:-1:2]:  # between them stand the names and numbers of entries
        fields = found.model_fields.items() if found is not None else ()
        field = next((item for name, item in fields if (item.alias or name) == step), None)
        found = _inner_model(field.annotation) if field is not None else None
    return [item.alias or name for name, item in found.model_fields.items()] if found is not None else ()


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as a list of it or an optional one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _inner_model(part)
        if found:
            return found
    return None


def _at(root: Node, location: Location) -> Node:
    """Return the node at a location, or the last one on the way to it."""
    node = root
    for step in location:
        if isinstance(node, Mapping) and str(step) in node.items:
            node = node.items[str(step)]
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    return node


def _subject(root: Mapping, location: Location) -> str:
    """Return ``rule `x`: `` for what a location is inside of."""
    if len(location) < 2:
        return ""
    kind = _KINDS.get(str(location[0]))
    if kind is None:
        return ""
    entry = _at(root, location[:2])
    if isinstance(location[1], int):
        name = entry.items.get("id") or entry.items.get("name") if isinstance(entry, Mapping) else None
        if not isinstance(name, Scalar) or not name.text:
            return f"{kind} {location[1] + 1}: "
        return f"{kind} `{shortened(name.text)}`: "
    return f"{kind} `{shortened(location[1])}`: "


def _without(root: Mapping, wrong: list[tuple[Location, str]], required: set[str], problems: Problems) -> Mapping:
    """Return the tree without its wrong entries, and with placeholders for keys that the top level needs."""
    dropped: dict[str, set[int | str]] = {}
    items, keys = dict(root.items), dict(root.keys)
    extras: dict[tuple[str, int | str], set[str]] = {}
    for location, kind in wrong:
        section = str(location[0])
        if len(location) == 1:
            items.pop(section, None)
            if kind != "extra_forbidden" and section in required:
                _placeholder(section, items, keys, root)
            problems.broken.add((section, "*"))
        elif kind == "extra_forbidden" and len(location) == 3:
            extras.setdefault((section, location[1]), set()).add(str(location[2]))
        else:
            dropped.setdefault(section, set()).add(location[1])
    for section in {*dropped, *(section for section, _ in extras)}:
        if section in items:
            unwanted = {step: names for (where, step), names in extras.items() if where == section}
            items[section] = _pruned(items[section], section, dropped.get(section, set()), unwanted, problems)
    return Mapping(items, keys, root.place, root.flow)


def _placeholder(key: str, items: dict[str, Node], keys: dict[str, Scalar], root: Mapping) -> None:
    """Stand in for a key that the file needs, so that the rest can be looked at."""
    place = root.keys[key].place if key in root.keys else root.place
    if key in _PLACEHOLDERS:
        items[key] = Scalar(_PLACEHOLDERS[key], place)
    else:
        items[key] = Sequence([], place) if key == "cases" else Mapping({}, {}, place)
    keys.setdefault(key, Scalar(key, place))


def _pruned(
    node: Node, section: str, gone: set[int | str], extras: dict[int | str, set[str]], problems: Problems
) -> Node:
    """Return a section without the entries that are gone and without unknown keys in the others."""
    if isinstance(node, Sequence):
        kept: list[Node] = []
        for index, item in enumerate(node.items):
            if index not in gone:
                kept.append(_less(item, extras.get(index, set()), problems))
            elif isinstance(item, Mapping) and isinstance(name := item.items.get("id"), Scalar):
                problems.broken.add((section, name.text))
        return Sequence(kept, node.place, node.flow)
    if isinstance(node, Mapping):
        problems.broken.update((section, str(name)) for name in gone)
        left = {
            name: _less(item, extras.get(name, set()), problems)
            for name, item in node.items.items()
            if name not in gone
        }
        return Mapping(left, node.keys, node.place, node.flow)
    return node


def _less(node: Node, names: set[str], problems: Problems) -> Node:
    if not isinstance(node, Mapping) or not names:
        return node
    problems.misspelt.add(node.place)
    return Mapping(
        {name: item for name, item in node.items.items() if name not in names}, node.keys, node.place, node.flow
    )
