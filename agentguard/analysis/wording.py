"""The parts of policies as people say them: conditions, lengths of time, verdicts, limits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from agentguard.core.language import Expression, Term, parse, terms, unparse
from agentguard.core.language.types import Value
from agentguard.core.policy import Limit, Then, Within
from agentguard.core.prose import name_words
from agentguard.core.words import value_text

IS = {
    "<": "is less than",
    "<=": "is at most",
    ">": "is more than",
    ">=": "is at least",
    "==": "is",
    "!=": "is not",
    "in": "is one of",
}
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def duration_words(value: timedelta) -> str:
    """Return a length of time in the largest unit that says it exactly: `30 days`, `90 minutes`."""
    seconds = int(value.total_seconds())
    size, unit = next((item for item in _UNITS if seconds % item[0] == 0 and seconds), _UNITS[-1])
    return counted(seconds // size, unit)


def within_words(within: Within) -> str:
    """Return a time to decide in: `4 hours of desk_hours`."""
    said = duration_words(within.duration)
    return f"{said} of {within.calendar}" if within.calendar else said


def counted(count: int, unit: str) -> str:
    """Return a number with its unit: `1 day`, `2 days`."""
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def list_words(items: Iterable[str], last: str = "and") -> str:
    """Return texts one after another, as a sentence lists them."""
    said = list(items)
    return f" {last} ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else "".join(said) or "nothing"


def then_words(then: Then) -> str:
    """Return what a rule does when it speaks."""
    return f"escalate to {then.route}" if then.route else str(then.verdict)


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


def value_words(value: Value) -> str:
    """Return a written value as a person says it."""
    if isinstance(value, tuple):
        return list_words((value_words(item) for item in value), "or")
    if isinstance(value, str):
        return f'"{value}"'
    return duration_words(value) if isinstance(value, timedelta) else value_text(value)


def operand_words(term: Term, source: str) -> str:
    """Return one side of a comparison: a value, a name as words, or what was written."""
    value = constant(term)
    if value is not None:
        return value_words(value)
    text = written(term, source)
    if isinstance(term, terms.Read) and ":" not in term.name:
        return name_words(text)
    return f"`{text}`"


def term_words(term: Term, source: str) -> str:
    """Return a condition as words where it is one comparison, else as it was written."""
    match term:
        case terms.Compare(operator, left, right):
            return f"{operand_words(left, source)} {IS[operator]} {operand_words(right, source)}"
        case terms.In(item, items) if constant(items) is not None:
            return f"{operand_words(item, source)} {IS['in']} {operand_words(items, source)}"
        case terms.Has(of):
            return f"{operand_words(of, source)} is known"
        case _:
            return f"`{written(term, source)}`"


def expression_words(expression: Expression | None) -> str:
    """Return an expression: a value, a name as words, or a condition; `always` for none."""
    if expression is None:
        return "always"
    tree = expression.tree
    if isinstance(tree, terms.Compare | terms.In | terms.Has):
        return term_words(tree, expression.source)
    return operand_words(tree, expression.source)


def most_words(limit: Limit) -> str:
    """Return how much a limit lets through: `300.00 USD`, by currency where it says so."""
    by_currency = ((code, expression_words(item)) for code, item in limit.max.items())
    return list_words(f"{code} {text}".strip() for code, text in by_currency)
