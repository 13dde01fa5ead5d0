"""A payment provider on this machine with its own books: a real HTTP server that can be slow, silent or unwilling.

What is in `books` really happened, whatever the client was told; tests and demonstrations compare it with what the
guard believes. It honours idempotency keys and can be asked what became of one.
"""

from __future__ import annotations

import enum
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote

from agentguard.core.money import Money
from agentguard.engine import machine
from agentguard.errors import NotDoneError
from agentguard.testing.local_server import LocalServer
from agentguard.testing.payment_books import Books, Receipt


class Mood(enum.StrEnum):
    """How the server treats a refund."""

    WILLING = "willing"
    REFUSES = "refuses"
    ANSWERS_LATE = "answers_late"
    ACTS_LATE = "acts_late"
    LOSES_ANSWER = "loses_answer"
    LOSES_REQUEST = "loses_request"
    FAILS_AFTER = "fails_after"


class PaymentServer:
    """The server; use it as a context manager.

    Args:
        patience: How many seconds a late answer, or a late deed, is late.
        port: Where it listens on 127.0.0.1; a free port by default.
        books: A file that keeps the books; in memory by default.
        draw: Gives the mood of each refund that `moods` does not name; `mood` by default.

    Attributes:
        books: Every refund that was made, with the key it came with.
        moods: By order: how refunds of it are treated from now on; the others are `mood`.
    """

    def __init__(
        self,
        *,
        patience: float = 30.0,
        port: int = 0,
        books: Path | None = None,
        draw: Callable[[], Mood] | None = None,
    ) -> None:
        self.books = Books(books)
        self.mood = Mood.WILLING
        self.moods: dict[str, Mood] = {}
        self.patience = patience
        self.closing = threading.Event()
        self._draw = draw or (lambda: self.mood)
        self._server = LocalServer(self, _Handler, port)
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
        self.books.close()

    def mood_for(self, order_id: str) -> Mood:
        """Return how a refund of this order is treated."""
        return self.moods.get(order_id) or self._draw()


@dataclass(frozen=True, slots=True)
class PaymentClient:
    """What an application uses to reach the server; a connection for each call."""

    port: int
    timeout: float = 30.0

    def refund(
        self,
        order_id: str,
        amount: Money,
        key: str | None,
        metadata: Mapping[str, str] | None = None,
        *,
        not_after: datetime | None = None,
    ) -> Receipt:
        """Make a refund: at most once for each key, each time it arrives without one, and never after `not_after`.

        Raises:
            NotDoneError: The provider refused, so definitely nothing happened.
            OSError: The line broke or no answer came in time: nobody knows.
        """
        amounts = {"amount": str(amount.amount), "currency": amount.currency}
        body = {"order_id": order_id, **amounts, "metadata": dict(metadata or {})}
        if not_after is not None:
            body["not_after"] = not_after.isoformat()
        headers = {} if key is None else {"Idempotency-Key": key}
        status, answer = self._call("POST", "/refunds", body, headers)
        if status >= 500:
            raise ConnectionError(f"expected an answer, got {status}: nobody knows whether it happened")
        if status != 200:
            raise NotDoneError(f"expected the provider to refund, got {status} {answer.get('error', '')}")
        return _receipt(answer)

    def find(self, key: str) -> Receipt | None:
        """Return what became of a key, or None where the provider knows nothing of it."""
        status, answer = self._call("GET", f"/refunds/{quote(key, safe='')}", None, {})
        if status not in (200, 404):
            raise ConnectionError(f"expected what became of a key, got {status}")
        return _receipt(answer) if status == 200 else None

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, {**headers, "Content-Type": "application/json"})
            reply = connection.getresponse()
            answer: dict[str, Any] = json.loads(reply.read())
            return reply.status, answer
        except HTTPException as error:
            # Half an answer; some of these are no OSError, and a caller should need to know one family alone.
            raise ConnectionError(f"expected a whole answer, got {type(error).__name__}") from error
        finally:
            connection.close()


def _receipt(answer: dict[str, Any]) -> Receipt:
    return Receipt(answer["id"], answer["order_id"], Money.of(answer["amount"], answer["currency"]))


class _Handler(BaseHTTPRequestHandler):
    server: LocalServer[PaymentServer]

    def do_POST(self) -> None:
        """Take a payment, as honestly as the server was told to."""
        payments = self.server.owner
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length)
        if len(content) < length:
            return  # the client died in the midst of asking
        asked = json.loads(content)
        mood = payments.mood_for(asked["order_id"])
        if mood is Mood.REFUSES:
            self._send(402, {"error": "refused"})
            return
        if mood is Mood.LOSES_REQUEST:
            return
        if mood is Mood.ACTS_LATE:
            payments.closing.wait(payments.patience)
        amount = Money.of(asked["amount"], asked["currency"])
        key, now = self.headers["Idempotency-Key"], machine.wall_clock()
        if "not_after" in asked and now > datetime.fromisoformat(asked["not_after"]):
            self._send(410, {"error": "too late"})
            return
        receipt = payments.books.book(key, asked["order_id"], amount, now, asked["metadata"])
        if mood is Mood.LOSES_ANSWER:
            return
        if mood is Mood.FAILS_AFTER:
            self._send(500, {"error": "failed"})
            return
        if mood is Mood.ANSWERS_LATE:
            payments.closing.wait(payments.patience)
        self._answer(receipt, 409)

    def do_GET(self) -> None:
        """Say what became of a payment."""
        self._answer(self.server.owner.books.find(unquote(self.path.rpartition("/")[2])), 404)

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
