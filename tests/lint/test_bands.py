"""Gaps and overlaps between the thresholds of rules: off-by-one at a threshold, and nothing where it is meant."""

import pytest

from tests.lint.shop import deep

A, L, F, D = "allow", "escalate to lead", "escalate to finance", "deny"


def said(*rules):
    """What is said of bands."""
    return [(code, message) for code, message in deep(rules) if code.startswith("band_")]


@pytest.mark.parametrize(
    "rules",
    [
        [(A, "amount <= 50"), (L, "amount > 50")],
        [(A, "amount < 50"), (L, "amount >= 50")],
        [(A, "not (amount > 50)"), (L, "amount > 50 and amount <= 200"), (D, "amount > 200")],
        [(A, "pieces < 10"), (L, "pieces > 9")],  # whole numbers leave none between
        [(A, "amount < 50.01"), (L, "amount > 50")],
        [(A, 'amount <= 50 and customer.tier == "gold"'), (L, "amount > 50")],
        [(D, "pieces < 1"), (L, "pieces > 10"), (A, "order.total > 5")],  # the middle is another rule's
        [(D, "pieces < 5"), (D, "pieces > 5"), (A, "pieces == 5")],
        [(A, "amount <= 100"), (L, 'amount > 50 and customer.tier == "standard"')],  # gold customers have more
        [(A, 'amount <= 50 and customer.tier == "gold"'), (L, 'amount >= 50 and customer.tier == "standard"')],
        [(A, "amount <= 50"), (L, "amount > 20 and amount > order.total")],
        [(L, "amount < 0.01"), (A, "amount > 0.01")],  # there is no amount below a cent
        [(D, "pieces < 5"), (D, "pieces > 5")],  # it has to be five, and `otherwise` says what of that
        [(L, "amount <= 50"), (D, "amount > 70")],  # `otherwise` denies between them as well
    ],
)
def test_bands_that_meet_or_lie_over_each_other_on_purpose_are_left_alone(rules):
    assert said(*rules) == []


@pytest.mark.parametrize(
    "rules, where",
    [
        ([(A, "amount < 50"), (L, "amount > 50")], "`amount` is exactly 50.00 USD, between rule `r0` and rule `r1`"),
        ([(A, "amount <= 49.99"), (L, "amount > 50")], "`amount` is exactly 50.00 USD"),
        ([(L, "amount < 50"), (D, "amount > 50")], "`amount` is exactly 50.00 USD"),
        ([(A, "amount <= 50"), (L, "amount > 60")], "`amount` is 50.01 USD to 60.00 USD"),
        ([(A, "amount <= 50"), (L, "amount > 50 and amount < 200"), (D, "amount > 200")], "is exactly 200.00 USD"),
        ([(A, "50 > amount"), (L, "not (50 >= amount)")], "`amount` is exactly 50.00 USD"),
        ([(A, "pieces < 10"), (L, "pieces > 10")], "`pieces` is exactly 10"),
        ([(A, "order.weight < 0.5"), (L, "order.weight > 0.5")], "`order.weight` is exactly 0.5"),
        ([(A, "total <= 100"), (L, "total > 101")], "`total` is 100.01 USD to 101.00 USD"),
        (
            [(L, "has(customer.score) and customer.score < 70"), (A, "has(customer.score) and customer.score >= 80")],
            "`customer.score` is 70 to 79, between rule `r0` and rule `r1`",
        ),
        (
            [(A, "amount <= 50"), (L, "amount > 50 and amount <= 200 and order.total > 10"), (F, "amount > 200")],
            "for some requests where `amount` is 50.01 USD to 200.00 USD, between rule `r0` and rule `r2`",
        ),
    ],
)
def test_a_value_for_which_no_rule_speaks_is_told_with_the_rules_on_both_sides(rules, where):
    [(code, message)] = said(*rules)
    assert code == "band_gap"
    assert where in message
    assert "`otherwise` says deny" in message


def test_two_gaps_are_told_apart():
    rules = [(A, "amount < 50"), (L, "amount > 50 and amount < 200"), (F, "amount > 200")]
    assert [message.split("exactly ")[1].split(",")[0] for _, message in said(*rules)] == ["50.00 USD", "200.00 USD"]


@pytest.mark.parametrize(
    "rules",
    [
        [(A, "amount <= 50"), (L, "amount >= 50")],
        [(A, "not (amount > 50)"), (L, "not (amount < 50)")],
        [(A, "amount <= 50"), (L, 'amount >= 50 and customer.tier == "gold"')],
        [(L, "amount <= 50"), (F, "amount >= 50")],
    ],
)
def test_a_threshold_that_two_rules_of_another_verdict_or_route_share_is_told(rules):
    [(code, message)] = said(*rules)
    assert code == "band_overlap"
    assert "`amount` is exactly 50.00 USD, rule `r0` says" in message


def test_thresholds_between_whole_numbers_end_at_the_whole_number_below_or_above():
    [(code, message)] = said((A, "pieces <= -2.5"), (L, "pieces >= -3.5"))
    assert (code, "`pieces` is exactly -3, rule" in message) == ("band_overlap", True)
    [(code, message)] = said((A, "pieces < 2.5"), (L, "pieces > 1.5"))
    assert (code, "`pieces` is exactly 2, rule" in message) == ("band_overlap", True)


def test_a_threshold_behind_which_a_stricter_rule_always_speaks_already_decides_nothing():
    [(code, message)] = said((A, "amount <= 50"), (L, "amount > 40"))
    assert code == "band_overlap"
    assert "rule `r0` goes up to 50.00 USD of `amount`, and where it ends rule `r1` says escalate to lead" in message
    assert said((A, "amount <= 50"), (L, "amount > 50")) == []


def test_a_rule_may_begin_at_a_threshold_that_decides_nothing_as_well():
    [(code, message)] = said((D, "pieces > 3 and pieces < 20"), (A, "pieces > 5"))
    assert code == "band_overlap"
    assert "rule `r1` goes down to 6 of `pieces`, and where it ends rule `r0` says deny already" in message


def test_a_rule_that_never_decides_is_told_by_that_alone():
    assert [code for code, _ in deep([(D, "amount > 20"), (L, "amount > 50")])] == ["rule_never_decides"]
