"""The formulas say of every request what the tree walker says of each: values, errors and all."""

from decimal import Decimal

import pytest

from agentguard.core.language import check, parse
from tests.agreement import terms
from tests.agreement.terms import fixed, said, solved, walked
from tests.language.expressions import SCOPE


@pytest.mark.no_cover  # a long loop over what shorter tests cover
def test_formulas_of_one_request_agree_with_the_walker_on_random_expressions():
    found = list(terms.folded(20261122, environments=80, each=60))
    assert [wrong for _, wrong in found if wrong is not None] == []
    assert len(found) == 80 * 60
    assert sum(expected == "error" for expected, _ in found) > len(found) / 50


@pytest.mark.parametrize(
    "rate, holds", [("0.1", True), ("0.11", True), ("0.111", "error"), ("-2.500", True), ("60", False)]
)
def test_a_number_with_too_many_decimals_for_its_currency_is_an_error_and_no_amount(rate, holds):
    values = {"rate": Decimal(rate)}
    expression = check(parse("usd(rate) < usd(50)"), SCOPE, "usd(rate) < usd(50)")
    assert said(fixed(values, SCOPE), expression) == walked(expression, values) == holds
    assert solved(expression, values) == holds


def test_the_solver_means_by_a_formula_what_the_walker_means_by_the_text():
    found = list(terms.asked(20261123, 150))
    assert [wrong for _, wrong in found if wrong is not None] == []
    assert sum(expected == "error" for expected, _ in found) > 3
