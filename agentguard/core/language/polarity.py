"""Which way each comparison of a condition pulls: towards yes, towards no, or neither for sure."""

from __future__ import annotations

from collections.abc import Iterator

from agentguard.core.language.terms import And, Compare, Macro, Not, Or, Part, Term, below


def pulls(term: Term, towards: bool | None = True) -> Iterator[tuple[Compare, bool | None]]:
    """Yield the comparisons of a condition, those of its names too, each with what its yes helps the whole to be.

    True where its yes helps the whole to yes, False where it helps it to no, None where that depends on the rest.
    """
    match term:
        case And(items) | Or(items):
            for item in items:
                yield from pulls(item, towards)
        case Not(of):
            yield from pulls(of, None if towards is None else not towards)
        case Part(expression):
            yield from pulls(expression.tree, towards)
        case Macro("all" | "exists", over, _, body):
            yield from pulls(body, towards)
            yield from pulls(over, None)
        case _:
            if isinstance(term, Compare):
                yield term, towards
            for item in below(term):
                yield from pulls(item, None)
