"""A small shop with a guard, for the door to OpenAI."""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
import openai
import pytest

from agentguard import Guard, Money, NotDoneError, Read
from agentguard.testing.model_server import API_KEY, ModelServer

POLICY = """
agentguard: 1
policy: shop
version: 1
owner: shop@example.com
description: A small shop.
timezone: UTC
currency: USD
types:
  line: {sku: text, count: integer}
actions:
  refund.issue: {order_id: text, amount: money, reason: [damaged, late]}
  order.show: {order_id: text}
  order.place: {lines: list of line, note: text?, gift: yes_no, total: "money, computed as price"}
facts:
  order.customer_id: text
  basket.price: money
names:
  price: basket.price
rules:
  - {id: small, on: [refund.issue], then: allow, when: amount <= 50}
  - {id: large, on: [refund.issue], then: deny, when: amount > 50, say: I can't refund that much.}
  - {id: told, on: [refund.issue], then: deny, when: reason == "damaged" and amount > 30, disclose: threshold,
     because: Damage is refunded up to 30 USD., say: That is too much for the damage.}
  - {id: not-theirs, on: [refund.issue], then: deny, when: order.customer_id != on_behalf_of}
  - {id: theirs, on: [order.show], then: allow, when: order.customer_id == on_behalf_of}
  - {id: buy, on: [order.place], then: allow, when: total <= 100}
limits:
  - {id: a-day, on: [refund.issue], sum: amount, per: on_behalf_of, in: 24 hours, max: 100, over: deny}
"""


@dataclass(frozen=True)
class Receipt:
    """What the refund tool returns."""

    refund: str
    amount: Money


class Shop:
    """The guard, and what its tools did."""

    def __init__(self, folder):
        policies = folder / "policies"
        policies.mkdir()
        (policies / "shop.yaml").write_text(POLICY)
        self.did = []
        self.gate = None
        self.lookups_take = 0.0
        self.carrier = "post"
        now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
        self.guard = Guard(policies, store=f"sqlite:///{folder}/shop.db", clock=lambda: now, activate=True)

        @self.guard.fact("order")
        def order(order_id: str):
            time.sleep(self.lookups_take)
            return {"customer_id": "cus_1"} if order_id.startswith("A") else None

        @self.guard.fact("basket")
        def basket():
            return {"price": Money.of("80.00", "USD")}

        @self.guard.action("refund.issue")
        def refund(order_id: str, amount: Money, reason: str) -> Receipt:
            """Refund part or all of an order.

            What follows is for programmers and not for the model.
            """
            if self.gate is not None:
                self.gate.wait(5)
            if order_id == "A-refused":
                raise NotDoneError("the provider says no")
            if order_id == "A-broken":
                raise ConnectionError("the line broke")
            self.did.append((order_id, str(amount), reason))
            return Receipt(f"re_{len(self.did)}", amount)

        @self.guard.action("order.show", effect=Read())
        def show(order_id: str):
            """Show an order."""
            return {
                "order_id": order_id,
                "total": Money.of("120.00", "USD"),
                "carrier": self.carrier,
                "sent": datetime(2026, 11, 20, tzinfo=UTC),
            }

        @self.guard.action("order.place")
        def place(lines: list, gift: bool, total: Money, note: str = "no note"):
            """Place an order."""
            self.did.append((lines, gift, str(total), note))

    def together(self, count):
        """Let tools act only when this many are in them at once."""
        self.gate = threading.Barrier(count)


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    made.guard.close()


@pytest.fixture
def model():
    with ModelServer() as running:
        yield running


@pytest.fixture
def client(model):
    plain = httpx2.Client(verify=False)  # no certificates to read for each of many short talks
    settings = {"base_url": model.base_url, "api_key": API_KEY, "max_retries": 0, "http_client": plain}
    with openai.OpenAI(**settings) as connected:
        yield connected
