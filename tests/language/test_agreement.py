"""The generated code gives what the tree walker gives, and errors exactly where it does."""

import random
from datetime import datetime
from decimal import Decimal

import pytest

from agentguard.core.language import YesNo, compile_conditions, compile_expression, evaluate
from agentguard.core.money import Money, UnroundedMoney
from agentguard.errors import EvaluationError
from tests.language.expressions import environment, expressions, scope_with_names

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

KINDS = ["condition"] * 9 + ["number", "money", "duration", "time", "day"]


def outcome(function, *arguments):
    try:
        value = function(*arguments)
    except EvaluationError as error:
        value = error
    return plain(value)


def plain(value):
    """Two ways to write one number are the same value; an error is what and where it is."""
    if isinstance(value, EvaluationError):
        return ("error", value.reason, value.name, str(value), value.start, value.end)
    if isinstance(value, Money | UnroundedMoney):
        return ("money", Decimal(value.minor), value.currency)
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    return (isinstance(value, bool), isinstance(value, datetime), value)


@pytest.mark.no_cover  # a long loop over what shorter tests cover
def test_generated_code_agrees_with_the_walker_on_a_hundred_thousand_random_pairs():
    source = random.Random(20261122)
    scope = scope_with_names()
    made = list(expressions(source, scope, KINDS, 4_000))
    environments = [environment(source) for _ in range(800)]
    pairs = errors = 0
    for group in (made[start : start + 5] for start in range(0, len(made), 5)):
        conditions = [expression for expression in group if expression.type == YesNo()]
        together = compile_conditions(conditions)
        alone = [compile_expression(expression) for expression in group]
        for values in source.sample(environments, 26):
            walked = [outcome(evaluate, expression, values) for expression in group]
            assert [outcome(function, values) for function in alone] == walked
            of_conditions = [found for found, expression in zip(walked, group, strict=True) if expression in conditions]
            assert [plain(found) for found in together(values)] == of_conditions, [item.source for item in conditions]
            pairs += len(group)
            errors += sum(found[0] == "error" for found in walked)
    assert pairs >= 100_000
    assert errors > pairs / 50


def test_what_the_checker_accepts_never_reads_an_optional_value_that_is_missing():
    source = random.Random(7)
    scope = scope_with_names()
    optional = {name for name, declared in scope.values.items() if declared.optional} | {"note", "sold_at", "city"}
    environments = [environment(source) for _ in range(400)]
    seen = 0
    for expression in expressions(source, scope, ["guarded", "guarded", "condition"], 3_000):
        for values in source.sample(environments, 8):
            found = outcome(evaluate, expression, values)
            assert found[:2] != ("error", "missing") or found[2] not in optional, expression.source
            seen += bool(expression.reads & optional)
    assert seen > 5_000
