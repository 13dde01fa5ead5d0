"""`witness` in a policy file: for which requests the effect waits for a witness."""

import pytest

from agentguard.core.policy import Verdict
from agentguard.policyfile import format_text
from tests.core.situations import FAILED, decided, planned, policy, usd

BODY = """\
actions:
  refund.issue:
    order_id: text
    amount: money
  order.cancel:
    order_id: text
facts:
  order.risk: integer?
witness:
  before_effect: amount > 500
  on: [refund.issue]
rules:
  - id: all
    then: allow
"""
REFUNDS = policy(BODY)


@pytest.mark.parametrize("amount, waits", [("499.99", False), ("500", False), ("500.01", True)])
def test_a_request_waits_for_a_witness_where_the_condition_holds(amount, waits):
    assert decided(planned(REFUNDS), order_id="A-1", amount=usd(amount)).witness is waits


def test_another_action_of_the_file_waits_only_where_it_is_named():
    assert decided(planned(REFUNDS, action="order.cancel"), order_id="A-1").witness is False
    everywhere = BODY.replace("amount > 500\n  on: [refund.issue]", "yes")
    assert decided(planned(policy(everywhere), action="order.cancel"), order_id="A-1").witness is True


@pytest.mark.law(9)
@pytest.mark.parametrize("known", [{"order.risk": FAILED}, {}])
def test_a_condition_that_cannot_be_evaluated_counts_as_yes(known):
    text = policy(BODY.replace("amount > 500", "order.risk > 3").replace("integer?", "integer"))
    assert planned(text).facts.keys() == {"order.risk"}, "what the condition reads is looked up"
    assert decided(planned(text), known, order_id="A-1", amount=usd("1")).witness is True
    assert decided(planned(text), {"order.risk": 3}, order_id="A-1", amount=usd("1")).witness is False


def test_one_file_of_several_is_enough_and_one_in_shadow_is_not():
    plain = policy(BODY.replace("witness:\n  before_effect: amount > 500\n  on: [refund.issue]\n", ""), "plain")
    shadow = REFUNDS.replace("policy: shop", "policy: trial\nmode: shadow")
    assert decided(planned(plain, REFUNDS), order_id="A-1", amount=usd("501")).witness is True
    found = decided(planned(plain, shadow), order_id="A-1", amount=usd("501"))
    assert (found.witness, found.shadow.witness) == (False, True)


def test_two_requests_that_match_the_same_rules_are_not_taken_for_one():
    plan = planned(REFUNDS)
    found = [decided(plan, order_id="A-1", amount=usd(amount)) for amount in ("501", "1", "501")]
    assert [(one.verdict, one.witness) for one in found] == [
        (Verdict.ALLOW, True),
        (Verdict.ALLOW, False),
        (Verdict.ALLOW, True),
    ]


def test_the_condition_is_laid_out_as_others_are():
    laid_out = format_text(REFUNDS.replace("amount > 500", "amount>500 && amount<900"), "shop.yaml")
    assert "  before_effect: amount > 500 and amount < 900\n" in laid_out
