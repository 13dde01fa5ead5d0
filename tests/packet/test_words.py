"""Names, values and comparisons as a person reads them."""

import pytest

from agentguard.core.english.comparison import comparison_words
from agentguard.core.language import UNKNOWN, trace
from agentguard.core.money import Money
from agentguard.core.prose import action_words, listed, moment, name_words, plain
from agentguard.policyfile import load_text

POLICY = """
agentguard: 1
policy: words
version: 1
owner: words@acme.example
timezone: UTC
currency: USD
actions:
  refund.issue: {{order_id: text, amount: money, reason: [late, damaged]}}
facts:
  order.total: money
  order.delivered_at: time?
  customer.blocked: yes_no
rules:
  - {{id: rule, then: allow, when: {condition}}}
"""
VALUES = {
    "order_id": "A-1",
    "amount": Money.of("75", "USD"),
    "reason": "late",
    "order.total": Money.of("60", "USD"),
    "customer.blocked": False,
}


def said(condition, **more):
    policy = load_text(POLICY.format(condition=f"'{condition}'"), "words.yaml")
    return [comparison_words(item) for item in trace(policy.rules[0].when, {**VALUES, **more})]


@pytest.mark.parametrize(
    "condition, words",
    [
        ("amount > 50", "the amount (75.00 USD) is more than 50.00 USD"),
        ("amount > 80", "the amount (75.00 USD) is at most 80.00 USD"),
        ("amount <= order.total", "the amount (75.00 USD) is more than the order's total (60.00 USD)"),
        ("amount >= 75", "the amount (75.00 USD) is at least 75.00 USD"),
        ("amount < 80", "the amount (75.00 USD) is less than 80.00 USD"),
        ('reason == "late"', 'the reason is "late"'),
        ('reason != "late"', 'the reason is "late"'),
        ('reason in ["late", "damaged"]', 'the reason ("late") is one of "late" or "damaged"'),
        ('reason in ["damaged"]', 'the reason ("late") is not "damaged"'),
        ("has(order.delivered_at)", "the time when the order was delivered is not known"),
        ("customer.blocked", "the customer's “blocked” is no"),
        ("amount - order.total > 10", "the amount minus the order's total, which is 15.00 USD, is more than 10.00 USD"),
    ],
)
def test_a_comparison_says_how_it_came_out(condition, words):
    assert said(condition) == [words]


def test_what_could_not_be_looked_up_is_not_known():
    assert said("order.total > 50", **{"order.total": UNKNOWN}) == [
        "it is not known whether the order's total is more than 50.00 USD"
    ]


@pytest.mark.parametrize(
    "value, words",
    [
        (
            [{"item": "1", "price": "2.00 USD"}, {"item": "3", "price": "4.00 USD"}],
            "item 1, price 2.00 USD; item 3, price 4.00 USD",
        ),
        (["a", "b"], "a, b"),
        ([], "none"),
        ("", "(empty)"),
        (True, "yes"),
        ({"sealed": "00"}, "(personal)"),
        ("2026-11-22T10:00:00.000000Z", "2026-11-22 10:00:00"),
    ],
)
def test_values_are_said_without_brackets(value, words):
    assert listed(value) == words


def test_names_become_words():
    assert name_words("order.delivered_at") == "order delivered at"
    assert name_words("context.wants_person") == "wants person"
    assert [action_words(name) for name in ("refund.issue", "order.modify_items", "ping")] == [
        "issue refund",
        "modify items (order)",
        "ping",
    ]
    assert (plain([{"a": 1}]), moment(None)) == ("[{a 1}]", "–")
