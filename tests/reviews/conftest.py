"""The engine's shop with a review in its policy, on both engines, or in memory where the engine does not matter."""

import pytest

from agentguard import Money
from tests.engine.given import REFUNDS, shop


def reviewed(review, text=REFUNDS):
    return text.replace("segments:", f"review: {review}\nsegments:", 1)


def refund(at, number, amount="10.00", **more):
    """Refund an order of its own, of a customer of its own."""
    at.orders[f"A-{number}"] = {"customer_id": f"c-{number}", "total": Money.of("1000", "USD")}
    return at.ask(amount, key=f"k-{number}", order_id=f"A-{number}", who=more.pop("who", f"c-{number}"), **more)


def documents(at, kind):
    return [entry.document for entry in at.guard.audit.list(kind=kind, limit=1000)]


def drawn(at, how=None):
    """The actions that were drawn, in the order of the log."""
    return [body["action_id"] for body in documents(at, "review_drawn") if how in (None, body["how"])]


def _opening(stores):
    opened = []

    def open_one(review="100%", **options):
        opened.append(shop(options.pop("store", stores), text=options.pop("text", reviewed(review)), **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


@pytest.fixture
def open_shop(address):
    yield from _opening(address)


@pytest.fixture
def in_memory():
    yield from _opening("sqlite://")
