"""An explanation tells the story of the decision, and what it says would have changed it really does."""

from __future__ import annotations

from agentguard.analysis.explained.decisions import change_sentences
from agentguard.core.decide import decide
from agentguard.core.explain import explain
from agentguard.core.policy import Verdict
from tests.core.situations import ABSENT, FAILED, evidence, planned, request, usd
from tests.core.test_decide_examples import FACTS, FREE, REFUNDS


def explained(amount, facts=FACTS, used=FREE):
    plan = planned(REFUNDS)
    asked, known = request(plan, amount=usd(amount)), evidence(plan, facts, used=used)
    return plan, asked, known, explain(plan, asked, known)


def test_every_comparison_is_shown_with_its_values():
    _, _, _, explanation = explained("60.00")
    small = explanation.rules[0]
    assert small.id == "shop/small"
    assert small.holds is False
    assert [str(item) for item in small.comparisons] == ["amount 60.00 USD <= 50.00 USD: no"]


def test_the_closest_allow_rule_says_what_had_to_be_otherwise():
    _, _, _, explanation = explained("60.00")
    assert explanation.closest is not None
    assert explanation.closest.id == "shop/small"
    changes = list(change_sentences(explanation))
    assert changes[0] == "`shop/small` would have allowed it, but: the amount (60.00 USD) is more than 50.00 USD"
    assert changes[1].startswith("`shop/medium` says that people decide (`lead`), because: the amount (60.00 USD)")


def test_what_would_have_been_automatic_really_would_have_been():
    plan, _, known, explanation = explained("60.00")
    assert explanation.automatic_up_to == ("amount", usd("50.00"))
    assert decide(plan, request(plan, amount=usd("50.00")), known).verdict is Verdict.ALLOW
    assert decide(plan, request(plan, amount=usd("50.01")), known).verdict is not Verdict.ALLOW


def test_what_is_left_of_a_limit_bounds_what_would_have_been_automatic():
    used = {**FREE, "shop/month": (0, 6250)}
    plan, _, known, explanation = explained("40.00", used=used)
    assert explanation.automatic_up_to == ("amount", usd("37.50"))
    assert decide(plan, request(plan, amount=usd("37.51")), known).verdict is not Verdict.ALLOW
    (change,) = (text for text in change_sentences(explanation) if text.startswith("limit"))
    assert change.endswith("62.50 USD was used, so there was room for 37.50 USD, and this is 40.00 USD")


def test_nothing_smaller_helps_where_the_count_is_full():
    _, _, _, explanation = explained("40.00", used={**FREE, "shop/count": (0, 3)})
    assert explanation.automatic_up_to is None
    (change,) = (text for text in change_sentences(explanation) if text.startswith("limit"))
    assert change.endswith("3 was used, so there was room for 0, and this is 1")


def test_an_allowed_action_needs_no_change():
    _, _, _, explanation = explained("40.00")
    assert explanation.decision.verdict is Verdict.ALLOW
    assert list(change_sentences(explanation)) == []


def test_a_rule_that_could_not_be_evaluated_is_neither_true_nor_false():
    _, _, _, explanation = explained("40.00", facts={"order.total": FAILED, "order.days": ABSENT})
    too_much = next(rule for rule in explanation.rules if rule.id == "shop/too-much")
    assert too_much.holds is None
    assert "order.total (not known)" in str(too_much.comparisons[0])
