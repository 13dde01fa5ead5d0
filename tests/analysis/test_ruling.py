"""Rules that do nothing, or that fail though everything is known, are found for every request there can be."""

import json
from pathlib import Path

import pytest

from agentguard import policyfile
from agentguard.analysis.ruling import failing_rules, idle_rules
from agentguard.policyfile import bundle_of, load_text
from tests.core.situations import policy

PACKS = Path(__file__).parents[2] / "policies"
SHOP = """
actions: {refund.issue: {order_id: text, amount: money}, refund.ask: {amount: money}}
facts: {order.total: money, order.zone: text, customer.score: "integer?", customer.tier: "[standard, gold]"}
escalations:
  lead: {who: "group:leads", within: 4 hours, if_late: deny}
  finance: {who: "group:finance", within: 1 day, if_late: deny}
on_error: escalate to lead
tables: {caps: {standard: 20, gold: 50}, zones: {north: 1, south: 2}}
calendars: {north: {mon-fri: "08:00-18:00"}}
"""


def idle(rules, find=idle_rules):
    loaded = load_text(policy(f"{SHOP}rules:\n{rules}\n"), "shop.yaml")
    return [(item.code, item.message.split("`")[1]) for item in find(bundle_of([loaded]))]


SMALL = "  - {id: small, then: allow, when: amount <= 50}\n"


def test_rules_that_each_decide_something_are_left_alone():
    assert idle(SMALL + "  - {id: large, then: escalate to lead, when: amount > 50}\n") == []


@pytest.mark.parametrize(
    "condition",
    [
        "amount > 50 and amount < 50.01",
        'customer.tier == "gold" and customer.tier == "standard"',
        "has(customer.score) and customer.score > 4 and customer.score < 5",
        'order_id.startsWith("A") and order_id == "B-1"',
    ],
)
def test_a_rule_whose_conditions_exclude_each_other_never_fires(condition):
    rule = f"  - {{id: dead, on: [refund.issue], then: deny, when: {json.dumps(condition)}}}\n"
    assert idle(SMALL + rule) == [("rule_never_fires", "dead")]


def test_a_rule_that_another_one_always_overrules_never_decides():
    assert idle(
        "  - {id: all, then: deny, when: amount > 20}\n  - {id: large, then: escalate to lead, when: amount > 50}\n"
    ) == [("rule_never_decides", "large")]


def test_a_rule_that_says_what_a_wider_one_says_never_decides():
    wider = "  - {id: all, then: allow, when: amount <= 100}\n"
    assert idle(SMALL + wider) == [("rule_never_decides", "small")]


def test_a_weaker_route_decides_nothing_where_a_stronger_one_is_always_asked_for_too():
    weaker = "  - {id: weak, then: escalate to lead, when: amount > 60}\n"
    stronger = "  - {id: strong, then: escalate to finance, when: amount > 50}\n"
    assert idle(weaker + stronger) == [("rule_never_decides", "weak")]
    assert idle(weaker + stronger.replace("amount > 50", "amount > 70")) == []


def test_a_denial_that_the_file_would_give_anyway_still_gives_its_reason():
    assert idle(SMALL + "  - {id: large, then: deny, when: amount > 50}\n") == []


def test_a_rule_of_two_actions_is_needed_if_one_of_them_needs_it():
    assert (
        idle(
            "  - {id: all, on: [refund.issue], then: deny, when: amount > 20}\n"
            "  - {id: large, then: escalate to lead, when: amount > 50}\n"
        )
        == []
    )


@pytest.mark.parametrize(
    "condition, fails",
    [
        ("amount <= caps[customer.tier]", False),
        ("zones[order.zone] == 1", True),
        ("during(now, order.zone)", True),
        ('during(now, "north")', False),
    ],
)
def test_what_a_fact_may_name_and_the_file_does_not_have_makes_a_rule_fail(condition, fails):
    rule = f"  - {{id: rule, on: [refund.issue], then: deny, when: {json.dumps(condition)}}}\n"
    assert idle(SMALL + rule, failing_rules) == ([("rule_can_fail", "rule")] if fails else [])


@pytest.mark.parametrize("pack", sorted(path.name for path in PACKS.iterdir() if path.is_dir()))
def test_every_rule_of_a_pack_does_something(pack):
    assert list(idle_rules(policyfile.load(PACKS / pack))) == []


def test_a_denial_beside_another_file_that_would_deny_by_default_is_left_alone():
    first = load_text(policy(f"{SHOP}rules:\n{SMALL}  - {{id: large, then: deny, when: amount > 50}}\n"), "shop.yaml")
    other = load_text(
        policy(f"{SHOP}rules:\n  - {{id: tiny, then: allow, when: amount <= 50}}\n", "other"), "other.yaml"
    )
    assert [item.message for item in idle_rules(bundle_of([first, other])) if "`large`" in item.message] == []
