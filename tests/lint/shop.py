"""A shop whose rules the tests of lint write."""

from agentguard.analysis.linting import lint_deeply
from agentguard.policyfile import bundle_of, lint, load_text

HEAD = """agentguard: 1
policy: shop
version: 1
owner: shop@acme.example
currency: USD
timezone: UTC
on_error: escalate to lead
types: {item: {price: money, final_sale: yes_no, parts: list of text}}
actions:
  refund.issue:
    order_id: text
    amount: money
    pieces: integer
    price: money
    total: money, computed as twice
facts:
  order.id: text
  order.customer_id: text, personal
  order.total: money
  order.weight: decimal
  order.zone: text
  order.delivered_at: time
  order.return_by: time
  order.items: list of item
  slot.starts_at: time
  customer.score: integer?
  customer.tier: [standard, gold]
names: {twice: price * 2, left: order.total}
tables: {zones: {north: 1, south: 2}}
escalations:
  lead: {who: "group:leads", within: 4 hours, if_late: deny}
  finance: {who: "group:finance", within: 1 day, if_late: deny}
"""


def bundle(rules, more="", head=HEAD):
    """The shop with rules, each a verdict and a condition; they are called r0, r1 and so on."""
    written = "".join(
        f"  - id: r{number}\n    then: {then}\n    say: Hello.\n    when: >-\n      {when}\n"
        for number, (then, when) in enumerate(rules)
    )
    return bundle_of([load_text(f"{head}rules:\n{written}{more}", "shop.yaml")])


def deep(rules, more=""):
    """What lint finds with the solver, without the notes' and other codes' words."""
    return [(found.code, found.message) for found in lint_deeply(bundle(rules, more))]


def shallow(rules, code, head=HEAD):
    """The rules of which lint says one thing without the solver."""
    return [found.message.split("`")[1] for found in lint(bundle(rules, head=head)) if found.code == code]
