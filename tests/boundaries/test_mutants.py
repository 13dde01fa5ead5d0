"""A policy changed in every small way: which changes there are, where they stand, and that each is a policy."""

import pytest

from agentguard.policyfile import load_text
from agentguard.policyfile.mutants import mutants

HEAD = """\
agentguard: 1
policy: shop
version: 1
currency: EUR
timezone: Europe/Berlin
actions:
  till.pay: {amount: money, pieces: integer, tier: [plain, gold], at_once: yes_no}
facts:
  bill.paid_at: time?
  bill.weight: decimal
  bill.marks: list of text
tables:
  most: {plain: 3, gold: 5}
  waits: {plain: 2 days, gold: 1 day}
  fees: {plain: 4.50 EUR, gold: 0.00 EUR}
"""


def of(text):
    policy = load_text(HEAD + text, "shop.yaml")
    return policy, list(mutants(policy))


def changes(text, what):
    return {(mutant.was, mutant.now) for mutant in of(text)[1] if mutant.what == what}


def rule(condition, then="deny"):
    return f"rules:\n  - id: one\n    then: {then}\n    when: {condition}\n"


@pytest.mark.parametrize(
    "condition, expected",
    [
        ("amount < 50", {"amount <= 50", "amount < 49.99", "amount < 50.01"}),
        ("amount >= 50.00", {"amount > 50.00", "amount >= 49.99", "amount >= 50.01"}),
        ("pieces <= 3", {"pieces < 3", "pieces <= 2", "pieces <= 4"}),
        ("pieces == 0", {"pieces != 0", "pieces == 1"}),
        ("bill.weight > 1.5", {"bill.weight >= 1.5", "bill.weight > 1.4", "bill.weight > 1.6"}),
        ('tier != "gold"', {'tier == "gold"'}),
        ('tier in ["gold"]', {'not tier in ["gold"]'}),
        ("at_once", {"not at_once"}),
        ("not at_once", {"at_once"}),
        (
            "bill.marks.exists(m, m == tier)",
            {"not bill.marks.exists(m, m == tier)", "bill.marks.all(m, m == tier)", "m != tier"},
        ),
        ("now - asked_at > 1 hour", {"now - asked_at >= 1 hour", "now - asked_at > 3599 seconds"}),
        ('day_of(now) < date("2026-12-24")', {'day_of(now) < date("2026-12-23")', 'day_of(now) < date("2026-12-25")'}),
    ],
)
def test_a_comparison_is_turned_and_its_number_moved_by_one_step(condition, expected):
    found = {now for _, now in changes(rule(f"'{condition}'" if '"' in condition else condition), "rule `one`")}
    assert expected <= found


def test_parts_are_left_out_and_joined_the_other_way():
    found = changes(rule("amount > 50 and at_once"), "rule `one`")
    assert {("amount > 50", ""), ("at_once", "")} <= found
    assert ("amount > 50 and at_once", "amount > 50 or at_once") in found


def test_a_has_that_something_rests_on_cannot_be_left_out_since_that_is_no_policy():
    found = changes(rule("has(bill.paid_at) and now - bill.paid_at > 1 day"), "rule `one`")
    assert ("now - bill.paid_at > 1 day", "") in found
    assert ("has(bill.paid_at)", "") not in found


def test_an_item_of_a_list_is_left_out_and_blocks_are_turned():
    found = changes("rules:\n  - id: one\n    then: deny\n    when: {any: [pieces > 3, at_once]}\n", "rule `one`")
    assert {("pieces > 3", ""), ("at_once", ""), ("any:", "all:")} <= found


def test_limits_verdicts_and_routes_are_changed():
    text = (
        "escalations:\n  desk: {who: 'group:desk', within: 1 day, if_late: boss}\n"
        "  boss: {who: 'group:boss', within: 1 day, if_late: deny}\notherwise: deny\n"
        "limits:\n  - {id: day, sum: amount, in: 1 day, max: 300, over: escalate to desk}\n"
    )
    assert changes(text, "limit `day`") == {
        ("300", "299.99"),
        ("300", "300.01"),
        ("escalate to desk", "deny"),
        ("escalate to desk", "escalate to boss"),
    }
    assert changes(text, "`otherwise`") == {("deny", "allow"), ("deny", "escalate to desk")}


def test_entries_of_tables_move_by_one_step():
    assert changes(rule("pieces > most[tier]"), "table `most`") == {("3", "2"), ("3", "4"), ("5", "4"), ("5", "6")}
    assert ("2 days", "172799 seconds") in changes(rule("now - asked_at > waits[tier]"), "table `waits`")
    assert ("4.50 EUR", "4.51 EUR") in changes(rule("amount > fees[tier]"), "table `fees`")


def test_a_name_is_changed_once_for_all_who_use_it():
    text = "names:\n  big: amount > 50\n" + rule("big") + "  - {id: two, then: deny, when: big and at_once}\n"
    assert ("amount > 50", "amount >= 50") in changes(text, "name `big`")


def test_a_change_stands_at_its_line_and_column():
    _, found = of(rule("pieces > 3 and amount > 50"))
    places = {mutant.now: (mutant.place.line, mutant.place.column) for mutant in found}
    first = HEAD.count("\n") + 4
    assert places["pieces >= 3"] == (first, 11)
    assert places["amount > 50.01"] == (first, 35)


def test_promises_and_what_is_changed_in_vain_stay():
    policy, found = of(rule("pieces > 3") + "guarantees:\n  - {id: never, never: allow, when: pieces > 3}\n")
    assert {mutant.what for mutant in found} >= {"rule `one`", "table `most`"}
    assert all(mutant.policy.guarantees == policy.guarantees for mutant in found)
    assert all(mutant.policy != policy for mutant in found)
