"""A policy of 300 rules on one action, as a shop would write it that sells much to many."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

CATEGORIES = ("shoes", "coats", "phones", "books", "food", "toys")
TIERS = ("standard", "silver", "gold", "platinum")
REASONS = ("damaged", "late", "wrong_item", "changed_mind")
ROUTES = ("lead", "finance")
MOST_ALONE = 500
FURTHER = (
    "customer.verified",
    "asked_at - order.delivered_at <= {days} days",
    "has(customer.fraud_score) and customer.fraud_score < {score}",
    "order.items.all(i, not i.final_sale)",
    "size(order.items) <= {count}",
    'channel in ["chat", "mail"]',
    'not order.country.startsWith("X")',
)
IDLE = {
    "never-matches": "rule_never_fires",
    "in-no-category": "rule_never_fires",
    "always-overruled": "rule_never_decides",
    "said-already": "rule_never_decides",
}
"""The rules that do nothing, planted by hand, with what has to be said of them."""

_HEAD = """agentguard: 1
policy: shop
version: {version}
owner: shop@acme.example
description: What the agent may refund without a person.
timezone: Europe/Berlin
currency: USD
on_error: escalate to finance
types: {{item: {{price: money, final_sale: yes_no}}}}
actions:
  refund.issue:
    order_id: text
    amount: money
    reason: [{reasons}]
    channel: [chat, mail, phone, web]
facts:
  order.customer_id: text
  order.total: money
  order.category: [{categories}]
  order.country: text
  order.delivered_at: time
  order.items: list of item
  customer.tier: [{tiers}]
  customer.verified: yes_no
  customer.fraud_score: integer?
escalations:
  lead: {{who: "group:leads", within: 4 hours, if_late: finance}}
  finance: {{who: "group:finance", people: 2, within: 1 day, if_late: deny}}
rules:
  - {{id: not-theirs, then: deny, when: order.customer_id != on_behalf_of}}
  - {{id: fraud, then: deny, when: has(customer.fraud_score) and customer.fraud_score >= 80}}
  - {{id: suspicious, then: escalate to finance, when: has(customer.fraud_score) and customer.fraud_score >= 60}}
  - {{id: unverified-caller, then: escalate to lead, when: 'channel == "phone" and not customer.verified'}}
  - {{id: final-sale, then: escalate to lead, when: 'order.items.exists(i, i.final_sale)'}}
  - {{id: dear-item, then: escalate to finance, when: 'order.items.exists(i, i.price > 5000)'}}
  - {{id: abroad, then: escalate to lead, when: 'order.country.startsWith("X") and amount > 100'}}
  - {{id: huge, then: deny, when: amount > 20000}}
  - {{id: never-matches, then: deny, when: amount > 70 and amount < 70.01}}
  - {{id: in-no-category, then: escalate to lead, when: 'order.category == "food" and order.category == "toys"'}}
  - {{id: always-overruled, then: escalate to lead, when: amount > 20500}}
  - {{id: said-already, then: deny, when: has(customer.fraud_score) and customer.fraud_score >= 90 and amount > 50}}
"""
_FOOT = """limits:
  - {id: order-refunds, sum: amount, per: order_id, in: forever, max: order.total, over: deny}
  - {id: month, sum: amount, per: on_behalf_of, in: 30 days, max: 600, over: escalate to lead}
  - {id: today, sum: amount, in: calendar day, max: 50000, over: deny}
guarantees:
  - {id: no-big-money-alone, never: allow, when: amount > 500}
"""


def many_rules(*, moved: int | None = None, seed: int = 7) -> str:
    """Return the text of a policy with 300 rules, the idle ones among them.

    Args:
        moved: The place of a band of which the agent's own part ends 10.00 higher; None for none.
        seed: Whence thresholds and conditions are drawn.
    """
    lists = {"reasons": REASONS, "categories": CATEGORIES, "tiers": TIERS}
    head = _HEAD.format(version=1 if moved is None else 2, **{name: ", ".join(words) for name, words in lists.items()})
    return head + "".join(_bands(random.Random(seed), moved)) + _FOOT


def _bands(draw: random.Random, moved: int | None) -> Iterator[str]:
    """Yield three rules for each reason, tier and category: what the agent does alone, with a lead, with finance."""
    for place, (reason, tier, category) in enumerate(product(REASONS, TIERS, CATEGORIES)):
        small, middle = draw.randrange(20, 200, 5) + 10 * (place == moved), draw.randrange(250, MOST_ALONE, 5)
        where = f'reason == "{reason}" and customer.tier == "{tier}" and order.category == "{category}"'
        more = draw.choice(FURTHER).format(days=draw.choice((14, 30, 60)), score=40, count=draw.randrange(3, 9))
        ends = ((0, small, "allow"), (small, middle, "escalate to lead"), (middle, 20000, "escalate to finance"))
        for low, high, then in ends:
            name = f"{category}-{tier}-{reason}-{then.split()[-1]}".replace("_", "-")
            conditions = [where, f"amount > {low}", f"amount <= {high}", *[more] * (then == "allow")]
            lines = "".join(f"      - '{condition}'\n" for condition in conditions)
            yield f"  - id: {name}\n    then: {then}\n    when:\n{lines}"
