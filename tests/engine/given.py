"""A small shop with a guard in front of it: real files, a clock that stands still, books of its own."""

import asyncio
import functools
import threading
from dataclasses import dataclass, field
from datetime import timedelta

from agentguard import Guard, Money, Unprotected, policyfile
from agentguard.core.people import People, User
from agentguard.testing.clock import ManualClock

REFUNDS = """
agentguard: 1
policy: refunds
version: 1
owner: refunds@acme.example
description: What the support agent may refund without a person.
timezone: Europe/Berlin
currency: USD
actions:
  refund.issue:
    order_id: text
    amount: money
    reason: [damaged, late, other]
  identity.verify:
    document: text, personal
facts:
  order.customer_id: text
  order.total: money
  order.refunded: money, any sign
  customer.email: text?, personal
  customer.region: text?
context:
  conversation: text
  wants_person: yes_no?
segments: [customer.region]
names:
  left_on_order: order.total - order.refunded - held("order-refunds")
escalations:
  lead: {who: "group:leads", within: 4 hours, if_late: finance}
  finance: {who: "group:finance", people: 2, within: 1 day, if_late: deny}
rules:
  - id: small
    on: [refund.issue]
    then: allow
    when: amount <= 50
    because: A refund of {amount}.
  - id: medium
    on: [refund.issue]
    then: escalate to lead
    when: amount > 50 and amount <= 500
  - id: large
    on: [refund.issue]
    then: escalate to finance
    when: amount > 500
  - id: not-theirs
    on: [refund.issue]
    then: deny
    when: order.customer_id != on_behalf_of
    say: I can only help with your own orders.
  - id: staff
    on: [refund.issue]
    then: deny
    when: has(customer.email) and customer.email.endsWith("@acme.example")
    say: Please ask a colleague.
  - id: more-than-left
    on: [refund.issue]
    then: deny
    when: amount > left_on_order
    because: Only {left_on_order} left.
    say: I can't refund that amount on this order.
    disclose: threshold
  - id: verify
    on: [identity.verify]
    then: allow
    when: document == "passport"
limits:
  - {id: order-refunds, on: [refund.issue], sum: amount, per: order_id, in: forever, max: order.total, over: deny}
  - id: customer-30-days
    on: [refund.issue]
    sum: amount
    per: on_behalf_of
    in: 30 days
    max: 300
    over: escalate to lead
"""

MACHINE = "machine"
"""Given as the clock: the machine's own, which is checked."""

PEOPLE = People(
    users={name: User(name, name.title(), frozenset({name})) for name in ("maria", "tom", "ada", "kim")},
    groups={"leads": frozenset({"maria", "tom"}), "finance": frozenset({"ada", "kim"}), "none": frozenset()},
    allow_unverified=True,
)


@functools.cache
def bundle(*texts):
    """Return what the texts come to; it is never changed, so that the tests share it."""
    return policyfile.bundle_of([policyfile.load_text(text, f"file{number}.yaml") for number, text in enumerate(texts)])


@dataclass
class Shop:
    """The guard, the clock, and what the shop's own books say."""

    guard: Guard
    clock: ManualClock
    paid: list = field(default_factory=list)
    orders: dict = field(default_factory=dict)
    emails: dict = field(default_factory=dict)
    acts: object = None
    broken: set = field(default_factory=set)
    lock: object = field(default_factory=threading.Lock)

    def refunded(self, order_id):
        return sum(amount.minor for paid_order, amount, _ in self.paid if paid_order == order_id)

    def pay(self, order_id, amount, key):
        with self.lock:
            self.paid.append((order_id, amount, key))
        return {"refund": f"r-{len(self.paid)}"}

    def ask(self, amount="40.00", *, key="k-1", order_id="A-1", who="c-1", run=None, **more):
        """Run a refund; `run` is another method of the guard."""
        named = {
            "agent": more.pop("agent", "bot"),
            "on_behalf_of": who,
            "context": {"conversation": "talk-1", **more.pop("context", {})},
            "key": key,
        }
        arguments = {"order_id": order_id, "amount": amount, "reason": "late", **more.pop("arguments", {})}
        return (run or self.guard.run)("refund.issue", arguments, **named, **more)

    def aask(self, *args, **more):
        return asyncio.run(Shop.ask(self, *args, run=self.guard.arun, **more))

    def state(self, answer):
        return str(self.guard.audit.action(answer.decision_id).state)

    def kinds(self, answer):
        return [entry.kind for entry in self.guard.audit.of(answer.decision_id)]

    def usage(self, answer):
        """What the accounts of an action's holds say: (held, settled) in the order of their ids."""
        holds = self.guard.store.read(lambda r: r.holds(answer.decision_id))
        accounts = [self.guard.store.read(lambda r, h=h: r.account(h.account)) for h in holds]
        return sorted((account.held, account.settled) for account in accounts)


def shop(store, *, text=REFUNDS, effect=None, timeout=timedelta(seconds=10), is_async=False, clock=None, **more):
    """Open a shop on a store; `shop.acts` may replace what its refund tool does."""
    clock = clock or ManualClock()
    tool_options = {name: more.pop(name) for name in ("settles", "retry", "reference") if name in more}
    texts = [text] if isinstance(text, str) else text
    guard = Guard(
        bundle(*texts),
        store=store,
        clock=None if clock == MACHINE else clock,
        activate=True,
        **{"people": PEOPLE, **more},
    )
    made = Shop(guard, clock)

    def order(order_id):
        if "order" in made.broken:
            raise RuntimeError("the order system is down")
        known = made.orders.get(order_id, {"customer_id": "c-1", "total": Money.of("100", "USD")})
        return {"refunded": Money(made.refunded(order_id), "USD"), **known}

    def customer(on_behalf_of):
        return {"email": made.emails.get(on_behalf_of, f"{on_behalf_of}@mail.example"), "region": "north"}

    async def aorder(order_id):
        return order(order_id)

    def refund(order_id: str, amount: Money, reason: str, *, key: str) -> dict[str, str]:
        """Refund an order.

        More words that a model does not need.
        """
        return (made.acts or made.pay)(order_id, amount, key)

    async def arefund(order_id: str, amount: Money, reason: str, *, key: str) -> dict[str, str]:
        """Refund an order."""
        result = (made.acts or made.pay)(order_id, amount, key)
        return await result if asyncio.iscoroutine(result) else result

    def verify(document: str) -> bool:
        return True

    guard.fact("order")(aorder if is_async else order)
    guard.fact("customer")(customer)
    guard.action("refund.issue", effect=effect or Unprotected(), timeout=timeout, **tool_options)(
        arefund if is_async else refund
    )
    guard.action("identity.verify")(verify)
    return made
