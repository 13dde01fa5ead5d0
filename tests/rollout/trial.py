"""A shop with two versions of its policies: the second one allows more at once, and has a limit for everybody's day."""

import hashlib
import hmac

import orjson

from agentguard import Money
from agentguard.core.canary import NUMBERS
from agentguard.engine.canary import Canaries
from tests.engine.given import REFUNDS, bundle

SALT = "a salt that only tests know"
ANN = {"by": "ada", "why": "tried out"}
ALL_DAY = "  - {id: all-day, on: [refund.issue], sum: amount, in: calendar day, max: 100, over: deny}\n"
BIGGER = (
    REFUNDS.replace("version: 1\n", "version: 2\n")
    .replace("amount <= 50", "amount <= 75")
    .replace("amount > 50 and", "amount > 75 and")
)
SECOND = BIGGER + ALL_DAY
"""Allows up to 75.00 without a person, and 100.00 a day for everybody together."""


def number_of(customer, tenant="default", salt=SALT):
    """Return a customer's number as the documentation says it, whatever our programs do."""
    text = orjson.dumps([tenant, customer])
    return int.from_bytes(hmac.new(salt.encode(), text, hashlib.sha256).digest()[:8], "big") % NUMBERS


def customers(share, count, *, within):
    """Return some customers who are in a canary of a share, or who are not."""
    names = (f"c-{number}" for number in range(10_000))
    return [name for name, _ in zip((n for n in names if (number_of(n) < share) is within), range(count), strict=False)]


IN, IN_TOO = customers(1000, 2, within=True)
OUT, OUT_TOO = customers(1000, 2, within=False)


def canary_of(one, text=SECOND):
    """Return what a guard that loaded a text does with it, on the store of a shop."""
    return Canaries(one.guard._parts, bundle(text), "default")


def opened(open_shop, share="10%", **options):
    """Return a shop with a canary, where every customer has an order of their own."""
    one = open_shop(**options)
    for name in (IN, IN_TOO, OUT, OUT_TOO, ""):
        one.orders[f"o-{name}"] = {"customer_id": name, "total": Money.of("1000", "USD")}
    one.guard.start()
    if share:
        canary_of(one).begin(share, salt=SALT, **ANN)
    return one


def ask(one, who, amount="10.00", *, key=None, **more):
    return one.ask(amount, who=who, order_id=f"o-{who}", key=key or f"k-{next(KEYS)}", **more)


KEYS = iter(range(10**9))


def entries(one, kind):
    return [item.document for item in one.guard.audit.list(kind=kind)]


def decided(one, answer):
    """Return the last decision about an action as its entry says it."""
    return [item.document for item in one.guard.audit.of(answer.decision_id) if item.kind == "decided"][-1]


def counted(one, limit):
    """Return what is settled and held on a limit of any version, by its accounts: what entries called them."""
    accounts = set()
    for item in one.guard.audit.list(limit=1000):
        lists = (item.document.get(name) for name in ("limits", "held", "posted"))
        accounts |= {
            each["account"] for found in lists if isinstance(found, list) for each in found if each["limit"] == limit
        }
    names = sorted(filter(None, accounts))
    rows = one.guard.store.read(lambda reading: [reading.account(name) for name in names])
    return sum(row.settled for row in rows if row), sum(row.held for row in rows if row)
