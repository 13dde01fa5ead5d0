"""Which way each comparison of a condition pulls: towards yes, towards no, or neither for sure."""

from __future__ import annotations

from collections.abc import Iterator

from agentguard.core.language.terms import And, Compare, Macro, Not, Or, Part, Term, below


def pulls(term: Term, towards: bool | None = True) -> Iterator[tuple[Compare, bool | None]]:
    """Yield the comparisons of a condition, those of its names too, each with what its yes helps the whole to be.

    True where its yes helps the whole to yes, False where it helps it to no, None where that depends on the rest.
    """
    for inner, helps in leanings(term, towards):
        if isinstance(inner, Compare):
            yield inner, helps


def leanings(term: Term, towards: bool | None = True) -> Iterator[tuple[Term, bool | None]]:
    """Yield every term of a condition, the condition itself first, with the same of each."""
    yield term, towards
    match term:
        case And(items) | Or(items):
            for item in items:
                yield from leanings(item, towards)
        case Not(of):
            yield from leanings(of, None if towards is None else not towards)
        case Part(expression):
            yield from leanings(expression.tree, towards)
        case Macro("all" | "exists", over, _, body):
            yield from leanings(body, towards)
            yield from leanings(over, None)
        case _:
            for item in below(term):
                yield from leanings(item, None)
