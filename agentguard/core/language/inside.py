"""What is in a checked expression, with the expressions that its names stand for."""

from __future__ import annotations

from collections.abc import Iterator

from agentguard.core.language.scope import walk
from agentguard.core.language.terms import Part, Read, Term


def terms_in(term: Term) -> Iterator[Term]:
    """Yield every term of a tree, the tree itself first, and those of its named parts too."""
    for inner in walk(term):
        yield inner
        if isinstance(inner, Part):
            yield from terms_in(inner.expression.tree)


def names_in(term: Term) -> frozenset[str]:
    """Return the full names that a term reads."""
    found: set[str] = set()
    for inner in walk(term):
        if isinstance(inner, Part):
            found |= inner.expression.reads
        elif isinstance(inner, Read):
            found.add(inner.name)
    return frozenset(found)
