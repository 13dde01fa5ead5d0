"""The fast path: checked expressions as one generated Python function.

The generated code only ever gives an answer that the tree walker would give: wherever it stumbles (any exception, an
unknown value, another currency than declared), the walker decides alone, and its error is the one that is reported.
How a term becomes code is in `generate.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from agentguard.core.language.evaluate import Walker
from agentguard.core.language.generate import SUPPORT, Generator
from agentguard.core.language.scope import MAX_CHARGES
from agentguard.core.language.terms import Expression
from agentguard.core.language.types import Environment, Value
from agentguard.errors import EvaluationError

MAX_GENERATED_DEPTH = 40
MAX_GENERATED_SIZE = 2_000

Conditions: TypeAlias = Callable[[Environment], "list[bool | EvaluationError]"]


def compile_conditions(expressions: Sequence[Expression]) -> Conditions:
    """Return one function that evaluates all of these conditions: for each yes, no or why it has no answer."""
    walked: list[Callable[[Environment], Any]] = [_walked(expression) for expression in expressions]

    def slow(environment: Environment) -> list[bool | EvaluationError]:
        """Evaluate the conditions one by one, by walking their trees."""
        return [walk(environment) for walk in walked]

    if not expressions:
        return slow
    generator = Generator()
    answers = [
        generator.root(expression.tree, place) if _is_simple(expression) else f"r{place} = w{place}(environment)"
        for place, expression in enumerate(expressions)
    ]
    names = {f"w{place}": walk for place, walk in enumerate(walked)} | {"slow": slow}
    body = [line for answer in answers for line in answer.splitlines()]
    body.append(f"return [{', '.join(f'r{place}' for place in range(len(expressions)))}]")
    return _made(generator, body, names)


def compile_expression(expression: Expression) -> Callable[[Environment], Value]:
    """Return a function that gives the value of an expression, or raises EvaluationError as the walker does."""

    def walk(environment: Environment) -> Any:
        """Evaluate the expression by walking its tree."""
        return Walker(environment).value(expression.tree)

    if not _is_simple(expression):
        return walk
    generator = Generator()
    value = generator.boxed(expression.tree)
    body = ["try:", f"    return {value}", "except Exception:", "    return slow(environment)"]
    return _made(generator, body, {"slow": walk})


def _made(generator: Generator, body: list[str], names: Mapping[str, Any]) -> Callable[[Environment], Any]:
    """Make the function whose body is given; its source holds no word that a user wrote."""
    source = generator.source(body)
    scope: dict[str, Any] = {**SUPPORT, **generator.constants, **names}
    exec(compile(source, "<generated from a policy>", "exec"), scope)  # noqa: S102
    made: Callable[[Environment], Any] = scope["generated"]
    return made


def _is_simple(expression: Expression) -> bool:
    """Return whether code is generated: Python bounds nesting, and only the walker counts steps (SPEC L6.6)."""
    return (
        expression.depth <= MAX_GENERATED_DEPTH
        and expression.size <= MAX_GENERATED_SIZE
        and expression.charges <= MAX_CHARGES
    )


def _walked(expression: Expression) -> Callable[[Environment], bool | EvaluationError]:
    def walk(environment: Environment) -> bool | EvaluationError:
        """Evaluate the condition by walking its tree; what it raises is returned."""
        try:
            return Walker(environment).truth(expression.tree)
        except EvaluationError as error:
            return error

    return walk
