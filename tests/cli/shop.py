"""A small shop with every kind of outcome on record; the commands are tried on copies of it."""

from datetime import timedelta
from pathlib import Path

from agentguard import Guard, Idempotent, Money, NotDoneError

POLICY = """\
agentguard: 1
policy: refunds
version: 1
owner: refunds@acme.example
description: What the agent may refund.
timezone: UTC
currency: USD
on_error: escalate to lead
actions:
  refund.issue: {order_id: text, amount: money, email: "text?, personal"}
facts:
  order.id: text
  order.total: money
  order.customer: text
context: {conversation: text}
escalations:
  lead: {who: "group:leads", within: 4 hours, if_late: deny}
rules:
  - {id: small, then: allow, when: amount <= 50 and order.customer == on_behalf_of, because: Small.}
  - {id: large, then: escalate to lead, when: amount > 50, because: "Large: {amount}."}
  - id: theirs
    then: deny
    when: order.customer != on_behalf_of
    say: Not yours.
limits:
  - {id: month, sum: amount, per: on_behalf_of, in: 30 days, max: 300, over: deny, say: No more this month.}
  - {id: order, sum: amount, per: order.id, in: forever, max: order.total, over: deny, say: No more on this order.}
"""

PEOPLE = """\
people: 1
users:
  maria: {name: Maria, logins: [mrossi]}
  tom: {name: Tom, logins: [tom]}
groups: {leads: [maria]}
allow_unverified: yes
"""

CASES = """\
test: refunds
given:
  order_id: A
  amount: 10
  order.id: A
  order.customer: cus_8812
  order.total: 500
  on_behalf_of: cus_8812
  context.conversation: c
cases:
  - {name: fifty exactly, do: refund.issue, with: {amount: 50}, expect: allow, by: [small]}
  - {name: a cent more, do: refund.issue, with: {amount: 50.01}, expect: escalate to lead, by: [large]}
  - {name: not theirs, do: refund.issue, with: {on_behalf_of: cus_1}, expect: deny, by: [theirs]}
"""

APPLICATION = """\
from pathlib import Path

from tests.cli.shop import guard_of

guard = guard_of(Path({folder!r}))
"""


def guard_of(folder: Path) -> Guard:
    """Return the shop's guard with its tools, over the store in a folder."""
    guard = Guard(folder / "policies", store=f"sqlite:///{folder}/shop.db", activate=True)

    @guard.fact("order")
    def order(order_id: str) -> dict:
        return {"id": order_id, "total": Money.of("500", "USD"), "customer": "cus_8812"}

    @guard.action("refund.issue", effect=Idempotent(ttl=timedelta(hours=24)))
    def issue(order_id: str, amount: Money, *, key: str, email: str | None = None) -> str:
        """Refund."""
        if str(amount) == "13.00 USD":
            raise RuntimeError("timeout")
        if str(amount) == "14.00 USD":
            raise NotDoneError("card expired")
        return "re_1"

    return guard


def write_files(folder: Path) -> None:
    """Write the shop's policies, people and cases."""
    policies = folder / "policies"
    policies.mkdir(parents=True)
    for name, text in (("refunds.yaml", POLICY), ("people.yaml", PEOPLE), ("refunds_test.yaml", CASES)):
        (policies / name).write_text(text, encoding="utf-8")


def make(folder: Path) -> dict[str, str]:
    """Make the shop and return the ids of its actions by key, and of its escalations by `esc:key`."""
    write_files(folder)
    guard = guard_of(folder)
    ids: dict[str, str] = {}

    def ask(key: str, customer: str = "cus_8812", **arguments: object) -> None:
        answer = guard.run(
            "refund.issue",
            {"order_id": "A", **arguments},
            agent="bot",
            on_behalf_of=customer,
            context={"conversation": "c"},
            key=key,
        )
        ids[key] = answer.decision_id
        if answer.status == "waiting":
            ids[f"esc:{key}"] = answer.escalation.id

    ask("done", amount="40.00", email="ann@example.com")
    ask("approved", amount="90.00")
    ask("theirs", customer="cus_9999", amount="20.00")
    ask("invalid", amount="NaN")
    ask("doubt", amount="13.00")
    ask("not_done", amount="14.00")
    guard.escalations.approve(
        ids["esc:approved"], by="maria", authenticated="os_login", reason_code="goodwill", note="a good customer"
    )
    ask("approved", amount="90.00")
    ask("waiting", amount="80.00")
    ask("too_much", amount="180.00")
    guard.close()
    return ids
