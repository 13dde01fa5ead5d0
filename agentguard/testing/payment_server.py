"""A payment provider on this machine with its own books: a real HTTP server that can be slow, silent or unwilling.

What is in `books` really happened, whatever the client was told; tests and demonstrations compare it with what the
guard believes. It honours idempotency keys and can be asked what became of one.
"""

from __future__ import annotations

import enum
import json
import threading
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote

from agentguard.core.money import Money
from agentguard.errors import NotDoneError
from agentguard.testing.local_server import LocalServer


class Mood(enum.StrEnum):
    """How the server treats a refund."""

    WILLING = "willing"
    REFUSES = "refuses"
    ANSWERS_LATE = "answers_late"
    LOSES_ANSWER = "loses_answer"
    LOSES_REQUEST = "loses_request"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One refund as the provider booked it."""

    id: str
    order_id: str
    amount: Money


class PaymentServer:
    """The server; use it as a context manager.

    Attributes:
        books: Every refund that was made, by the key it came with; without idempotency a key would stand twice.
        moods: By order: how refunds of it are treated from now on; the others are `mood`.
        patience: How many seconds a late answer is late.
    """

    def __init__(self, *, patience: float = 30.0) -> None:
        self.books: list[tuple[str, Receipt]] = []
        self.mood = Mood.WILLING
        self.moods: dict[str, Mood] = {}
        self.patience = patience
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = LocalServer(self, _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def book(self, key: str, order_id: str, amount: Money) -> Receipt | None:
        """Book a refund once for each key; None where the key stands for another refund."""
        with self._lock:
            for known, receipt in self.books:
                if known == key:
                    return receipt if (receipt.order_id, receipt.amount) == (order_id, amount) else None
            receipt = Receipt(f"re_{len(self.books) + 1}", order_id, amount)
            self.books.append((key, receipt))
            return receipt

    def find(self, key: str) -> Receipt | None:
        """Return what became of a key, or None."""
        with self._lock:
            return next((receipt for known, receipt in self.books if known == key), None)

    def mood_for(self, order_id: str) -> Mood:
        """Return how a refund of this order is treated."""
        return self.moods.get(order_id, self.mood)


@dataclass(frozen=True, slots=True)
class PaymentClient:
    """What an application uses to reach the server; a connection for each call."""

    port: int
    timeout: float = 30.0

    def refund(self, order_id: str, amount: Money, key: str) -> Receipt:
        """Make a refund, at most once for each key.

        Raises:
            NotDoneError: The provider refused, so definitely nothing happened.
            OSError: The line broke or no answer came in time: nobody knows.
        """
        body = {"order_id": order_id, "amount": str(amount.amount), "currency": amount.currency}
        status, answer = self._call("POST", "/refunds", body, {"Idempotency-Key": key})
        if status >= 500:
            raise ConnectionError(f"expected an answer, got {status}: nobody knows whether it happened")
        if status != 200:
            raise NotDoneError(f"expected the provider to refund, got {status} {answer.get('error', '')}")
        return _receipt(answer)

    def find(self, key: str) -> Receipt | None:
        """Return what became of a key, or None where the provider knows nothing of it."""
        status, answer = self._call("GET", f"/refunds/{quote(key, safe='')}", None, {})
        return _receipt(answer) if status == 200 else None

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, {**headers, "Content-Type": "application/json"})
            reply = connection.getresponse()
            answer: dict[str, Any] = json.loads(reply.read())
            return reply.status, answer
        finally:
            connection.close()


def _receipt(answer: dict[str, Any]) -> Receipt:
    return Receipt(answer["id"], answer["order_id"], Money.of(answer["amount"], answer["currency"]))


class _Handler(BaseHTTPRequestHandler):
    server: LocalServer[PaymentServer]

    def do_POST(self) -> None:
        payments = self.server.owner
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        mood = payments.mood_for(asked["order_id"])
        if mood is Mood.REFUSES:
            self._send(402, {"error": "refused"})
            return
        if mood is Mood.LOSES_REQUEST:
            return
        amount = Money.of(asked["amount"], asked["currency"])
        receipt = payments.book(self.headers["Idempotency-Key"], asked["order_id"], amount)
        if mood is Mood.LOSES_ANSWER:
            return
        if mood is Mood.ANSWERS_LATE:
            payments.closing.wait(payments.patience)
        self._answer(receipt, 409)

    def do_GET(self) -> None:
        self._answer(self.server.owner.find(unquote(self.path.rpartition("/")[2])), 404)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Stay silent: the terminal belongs to whoever runs the test."""

    def _answer(self, receipt: Receipt | None, otherwise: int) -> None:
        if receipt is None:
            self._send(otherwise, {"error": "not found" if otherwise == 404 else "the key stands for another refund"})
            return
        amount = {"amount": str(receipt.amount.amount), "currency": receipt.amount.currency}
        self._send(200, {"id": receipt.id, "order_id": receipt.order_id, **amount})

    def _send(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            return  # the client has hung up; what is booked is booked
