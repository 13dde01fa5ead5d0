"""Which optional values are certainly there when a condition is yes, or when it is no (SPEC L5).

The analysis reads the written tree, since an item of an `and` may rest on `has(...)` in any other item of it: an item
that is no outweighs one that cannot be evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce

from agentguard.core.language import terms, tree
from agentguard.core.language.terms import Expression, Term
from agentguard.core.language.tree import Node

Paths = frozenset[str]
_NOTHING: Paths = frozenset()


def dotted(node: Node) -> str | None:
    """Return a dotted name as it is written, or None if the node is none."""
    parts: list[str] = []
    while isinstance(node, tree.Member):
        parts.append(node.name)
        node = node.of
    if not isinstance(node, tree.Name):
        return None
    return ".".join([node.name, *reversed(parts)])


def path_of(term: Term) -> str | None:
    """Return the dotted path that a term reads, or None if it reads none."""
    match term:
        case terms.Read(name) | terms.Local(name):
            return name
        case terms.Field(of, name):
            inner = path_of(of)
            return None if inner is None else f"{inner}.{name}"
        case _:
            return None


def present_if(node: Node, *, holds: bool, names: Mapping[str, Expression]) -> Paths:
    """Return the paths that are there whenever a written condition is yes (`holds`) or is no."""
    match node:
        case tree.Not(of):
            return present_if(of, holds=not holds, names=names)
        case tree.And(items) | tree.Or(items):
            every = isinstance(node, tree.And) == holds
            return _joined((present_if(item, holds=holds, names=names) for item in items), every=every)
        case tree.Call("has", (argument,)) if holds:
            path = dotted(argument)
            return _NOTHING if path is None else frozenset({path})
        case tree.Name(name) if name in names:
            return present_if_term(names[name].tree, holds=holds)
        case _:
            return _NOTHING


def present_if_term(term: Term, *, holds: bool) -> Paths:
    """Return the paths that are there whenever a checked condition is yes (`holds`) or is no."""
    match term:
        case terms.Not(of):
            return present_if_term(of, holds=not holds)
        case terms.And(items) | terms.Or(items):
            every = isinstance(term, terms.And) == holds
            return _joined((present_if_term(item, holds=holds) for item in items), every=every)
        case terms.Has(of) if holds:
            path = path_of(of)
            return _NOTHING if path is None else frozenset({path})
        case terms.Part(expression):
            return present_if_term(expression.tree, holds=holds)
        case _:
            return _NOTHING


def _joined(parts: Iterable[Paths], *, every: bool) -> Paths:
    """Join what all items guarantee: everything if every item has this answer, else what they have in common."""
    found = list(parts)
    join: Callable[[Paths, Paths], Paths] = frozenset.union if every else frozenset.intersection
    return reduce(join, found) if found else _NOTHING
