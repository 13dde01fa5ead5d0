"""What an expression takes off: where such a value gets smaller, the whole gets larger."""

from __future__ import annotations

from collections.abc import Iterator

from agentguard.core.language.terms import Arithmetic, Negate, Part, Read, Term, below


def taken_off(term: Term, *, off: bool = False) -> Iterator[str]:
    """Yield the full names of the values under a minus; one under two of them counts as taken off too."""
    match term:
        case Read(name):
            yield from (name,) if off else ()
        case Part(expression):
            yield from taken_off(expression.tree, off=off)
        case Arithmetic("-", left, right):
            yield from taken_off(left, off=off)
            yield from taken_off(right, off=True)
        case Negate(of):
            yield from taken_off(of, off=True)
        case _:
            for item in below(term):
                yield from taken_off(item, off=off)
