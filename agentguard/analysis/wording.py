"""What was written for the parts of conditions: their canonical spelling, and the values that are written out."""

from __future__ import annotations

from agentguard.core.language import Expression, Term, parse, terms, unparse
from agentguard.core.language.types import Value


def written(term: Term, source: str) -> str:
    """Return what was written for a term, in the canonical spelling."""
    return unparse(parse(source[term.start : term.end]))


def written_expression(expression: Expression) -> str:
    """Return what was written for an expression, in the canonical spelling."""
    return unparse(parse(expression.source))


def constant(term: Term) -> Value | None:
    """Return the value that a term is written as, or None where it is none."""
    if isinstance(term, terms.Constant):
        return term.value
    if isinstance(term, terms.Items) and all(isinstance(item, terms.Constant) for item in term.items):
        return tuple(value for item in term.items if (value := constant(item)) is not None)
    return None
