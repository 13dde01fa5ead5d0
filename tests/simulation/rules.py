"""The policies of the simulated shop, and the same limits a second time in plain Python, for the model to count by."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from agentguard import Money, policyfile
from agentguard.core.people import People, User

PAYING = ("refund.issue", "voucher.send", "credit.grant")
LOOKING = "order.look"
UNDOING = "order.undo"
HARMLESS = (LOOKING, UNDOING)
ZONE = ZoneInfo("Europe/Berlin")

ORDERS = {
    "O-1": ("c-1", Money.of("100", "USD")),
    "O-2": ("c-1", Money.of("80", "EUR")),
    "O-3": ("c-2", Money.of("60", "USD")),
}

TOTALS = {order: (total, Money(total.minor * 3 // 4, total.currency)) for order, (_, total) in ORDERS.items()}
"""What an order may come to: a customer who sends something back in parts owes less."""

TEXT = """
agentguard: 1
policy: shop
version: {version}
owner: shop@acme.example
description: What may be paid back in a world that crashes.
timezone: Europe/Berlin
currency: [USD, EUR]
actions:
  refund.issue: {{order_id: text, amount: money}}
  voucher.send: {{order_id: text, amount: money}}
  credit.grant: {{order_id: text, amount: money}}
  order.look: {{order_id: text}}
  order.undo: {{order_id: text}}
facts:
  order.customer_id: text
  order.total: money
  order.paid_back: money, any sign
names:
  left_on_order: order.total - order.paid_back - held("order-total")
  small: amount * 2 <= order.total
escalations:
  lead: {{who: "group:leads", within: 1 hour, if_late: boss, hold: yes}}
  boss: {{who: "group:bosses", people: 2, within: 4 hours, if_late: deny}}
rules:
  - {{id: look, on: [order.look, order.undo], then: allow, when: order_id != "none"}}
  - {{id: little, on: [refund.issue, voucher.send, credit.grant], then: allow, when: small}}
  - {{id: large, on: [refund.issue, voucher.send, credit.grant], then: escalate to lead, when: not small}}
  - {{id: not-theirs, then: deny, when: order.customer_id != on_behalf_of}}
  - {{id: no-more, on: [refund.issue, voucher.send, credit.grant], then: deny, when: amount > left_on_order}}
limits:
{limits}
"""

LIMIT = "  - {{id: {id}, on: [{on}], {measure}, {per}in: {window}, max: {max}, {freed}over: {over}}}"


@dataclass(frozen=True)
class Limit:
    """One limit as the model counts it; limits of one `account` share what was used.

    Attributes:
        per: Whose account: of an order, of a customer, or of everybody.
        maxima: By unit; None for the order's own total.
        lifted: Whether people may let more pass.
        freed: Whether an `order.undo` gives back what an earlier action counted.
    """

    id: str
    account: str
    on: tuple[str, ...]
    counts: bool
    per: str
    window: str
    maxima: dict[str, int] | None
    lifted: bool = False
    freed: bool = False

    def since(self, now: datetime) -> datetime:
        """Return the first instant that counts, or the last one that does not where the window slides."""
        if self.window == "forever":
            return datetime.min.replace(tzinfo=now.tzinfo)
        if self.window == "calendar day":
            return now.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        number, _ = self.window.split()
        return now - timedelta(hours=int(number))

    def counts_at(self, moment: datetime, now: datetime) -> bool:
        """Return whether what happened at a moment counts now."""
        return moment >= self.since(now) if self.window == "calendar day" else moment > self.since(now)

    def edge(self, moment: datetime) -> datetime:
        """Return the instant at which what happened at a moment ceases to count."""
        if self.window == "calendar day":
            start = self.since(moment)
            return (start + timedelta(days=1)).astimezone(UTC)
        if self.window == "forever":
            return moment
        return moment + (moment - self.since(moment))

    def line(self) -> str:
        """Return the limit as the policy file writes it."""
        major = "order.total" if self.maxima is None else self._maxima()
        per = {"order": "per: order_id, ", "customer": "per: on_behalf_of, ", "all": ""}[self.per]
        return LIMIT.format(
            id=self.id,
            on=", ".join(self.on),
            measure="count: actions" if self.counts else "sum: amount",
            per=per,
            window=self.window,
            max=major,
            freed=f"freed_by: [{UNDOING}], " if self.freed else "",
            over="escalate to lead" if self.lifted else "deny",
        )

    def _maxima(self) -> str:
        if self.counts:
            return str(self.maxima["#"])
        return "{" + ", ".join(f"{unit}: {amount // 100}" for unit, amount in self.maxima.items()) + "}"


ORDER_TOTAL = Limit("order-total", "order", PAYING, False, "order", "forever", None)
EVERYONE = Limit("everyone-today", "everyone", PAYING, False, "all", "calendar day", {"USD": 15000, "EUR": 12000})
VISITS = Limit("customer-count", "visits", PAYING, True, "customer", "2 hours", {"#": 4}, freed=True)
LOOKS = Limit("looks", "looks", (LOOKING,), True, "customer", "1 hours", {"#": 3})
CUSTOMER = Limit("customer-hours", "customer", PAYING, False, "customer", "6 hours", {"USD": 9000, "EUR": 7000}, True)
STRICTER = Limit("customer-hours", "customer", PAYING, False, "customer", "6 hours", {"USD": 6000, "EUR": 5000}, True)
DAYS = Limit("customer-days", "customer", PAYING, False, "customer", "72 hours", {"USD": 12000, "EUR": 9000})
REFUNDS = Limit("refunds-day", "refunds", ("refund.issue",), False, "customer", "24 hours", {"USD": 7000, "EUR": 7000})

VERSIONS = (
    (ORDER_TOTAL, EVERYONE, VISITS, LOOKS, CUSTOMER),
    (ORDER_TOTAL, EVERYONE, VISITS, LOOKS, STRICTER, DAYS, REFUNDS),
    (ORDER_TOTAL, VISITS, LOOKS, CUSTOMER, DAYS),
)

SALT = "what draws customers, number 12"


def number_of(customer: str) -> int:
    """Return a customer's number as the documentation says it, from 0 to 9,999."""
    drawn = hmac.new(SALT.encode(), f'["default","{customer}"]'.encode(), hashlib.sha256).digest()
    return int.from_bytes(drawn[:8], "big") % 10_000


PEOPLE = People(
    users={name: User(name, name.title(), frozenset({name})) for name in ("lea", "leo", "bea", "ben")},
    groups={"leads": frozenset({"lea", "leo"}), "bosses": frozenset({"bea", "ben"})},
    allow_unverified=True,
)


def without(gone):
    """Return the people who are left when some have gone."""
    groups = {name: members - gone for name, members in PEOPLE.groups.items()}
    return People(users=PEOPLE.users, groups=groups, allow_unverified=True)


@cache
def bundle(version):
    """Return one of the policies, as it is put into force."""
    limits = "\n".join(limit.line() for limit in VERSIONS[version])
    text = TEXT.format(version=version + 1, limits=limits).replace("", "")
    return policyfile.bundle_of([policyfile.load_text(text, "shop.yaml")])
