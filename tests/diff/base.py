"""A policy with some of everything that a file can say, and changes of it."""

import tomllib

from agentguard.policyfile import bundle_of, load_text
from tests.project.tree import ROOT

SENTENCES = tomllib.loads((ROOT / "tests" / "diff" / "sentences.toml").read_text(encoding="utf-8"))["change"]

TEXT = """\
agentguard: 1
policy: refunds
version: 3
owner: refunds@shop.example
description: Refunds of orders.
timezone: Europe/Berlin
currency: USD
otherwise: deny
on_error: escalate to lead
say_otherwise: I can't do this.
types:
  item: {price: money, final_sale: yes_no}
actions:
  refund.issue: {order_id: text, amount: money, reason: [damaged, late, other]}
  fee.waive: {fee: money}
facts:
  order.customer_id: text, personal
  order.delivered_at: time?
  order.items: list of item
  customer.tier: [standard, gold]
  customer.fraud_score: integer?
context:
  conversation: text
segments: []
names:
  in_window: has(order.delivered_at) and asked_at - order.delivered_at <= 30 days
tables:
  most: {standard: 100, gold: 200}
calendars:
  desk: {mon-fri: 08:00-18:00, closed: [2026-12-25]}
escalations:
  lead: {who: "group:leads", within: 4 hours of desk, if_late: finance}
  finance: {who: "group:finance", people: 2, within: 1 day, if_late: deny}
contest: {to: finance, within: 5 days, open_for: 60 days}
rules:
  - id: small
    on: [refund.issue]
    then: allow
    when:
      - amount <= 50
      - in_window
    because: Small and in time.
    say: It is on its way.
  - id: large
    on: [refund.issue]
    then: escalate to lead
    when: amount > 50 and reason in ["damaged", "late"]
  - id: huge
    on: [refund.issue]
    then: escalate to finance
    when: amount > 500 or amount > most[customer.tier]
  - id: fraud
    on: [refund.issue]
    then: deny
    when: has(customer.fraud_score) and customer.fraud_score >= 80
  - id: fees
    on: [fee.waive]
    then: allow
    when: not (fee > 10) and during(now, "desk")
limits:
  - {id: month, on: [refund.issue], sum: amount, per: on_behalf_of, in: 30 days, max: 300, over: deny}
requires:
  - {id: identity, on: [refund.issue], action: identity.verify, same: [on_behalf_of], within: 30 minutes, else: deny}
guarantees:
  - {id: none-alone, on: [refund.issue], never: allow, when: amount > 50}
"""


def loaded(text=TEXT, file="refunds.yaml"):
    return bundle_of([load_text(text, file)])


def changed(*edits, text=TEXT):
    """Return the policy's text with one place after another changed."""
    for before, after in edits:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text
