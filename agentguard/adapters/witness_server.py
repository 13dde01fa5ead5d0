"""A witness behind HTTP, as C2SP's tlog-witness says: `POST /add-checkpoint`; and `GET /checkpoint/ORIGIN`, `GET /key`.

Whoever asks is a stranger: requests are bounded in size, in time and in how many come from one address, and nobody is
told more than the answers of the protocol.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agentguard.adapters.witness_desk import PLAIN, Reply, WitnessDesk
from agentguard.engine.machine import monotonic
from agentguard.errors import AgentGuardError
from agentguard.evidence.requests import PATH
from agentguard.log import get_logger

log = get_logger("witness")

MOST_BYTES = 100_000
MOST_AT_ONCE = 64
MOST_ADDRESSES = 10_000
MOST_OF_ONE = MOST_AT_ONCE // 2
"""How many of them may be of one address."""

SECONDS_TO_ASK = 10.0
"""How long a connection may be silent."""

SECONDS_IN_ALL = 30.0
"""How long a connection may be open, however much it says."""


class WitnessServer(ThreadingHTTPServer):
    """Serves a witness until it is shut down.

    Args:
        address: Host and port; port 0 takes a free one.
        desk: Decides.
        rate: How many requests a second one address may make, on average; twice as many at once.
        tls: The certificate, where it speaks HTTPS itself.
    """

    daemon_threads = True
    seconds_in_all = SECONDS_IN_ALL
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], desk: WitnessDesk, *, rate: float = 50.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.desk = desk
        self.rates = Rates(rate, monotonic)
        self._open: Counter[str] = Counter()
        self._opening = threading.Lock()
        self._tls = tls
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[0], self.server_address[1]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"{'https' if self._tls else 'http'}://{shown}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own; past so many at once it is closed unheard."""
        with self._opening:
            full = self._open.total() >= MOST_AT_ONCE or self._open[client_address[0]] >= MOST_OF_ONE
            self._open[client_address[0]] += not full
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            request.settimeout(SECONDS_TO_ASK)
            if self._tls is not None:  # here, so that a client that is slow to greet holds up nobody else
                try:
                    request = self._tls.wrap_socket(request, server_side=True)
                except OSError:
                    self.shutdown_request(request)
                    return
            ending = threading.Timer(self.seconds_in_all, _cut, [request])
            ending.daemon = True
            ending.start()
            try:
                super().process_request_thread(request, client_address)
            finally:
                ending.cancel()
        finally:
            with self._opening:
                self._open[client_address[0]] -= 1
                self._open += Counter()  # forgets addresses of which none is open

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of what a connection broke off with; what the witness itself got wrong was logged."""


def _cut(request: socket.socket) -> None:
    """Break a connection off that was open for long enough; whoever reads from it reads its end."""
    with contextlib.suppress(OSError):  # it has just ended by itself
        request.shutdown(socket.SHUT_RDWR)


class Rates:
    """How often each address asks."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def admits(self, address: str) -> bool:
        """Return whether one more request of an address is answered, and count it."""
        with self._lock:
            now = self._clock()
            left, since = self._left.pop(address, (2 * self._rate, now))
            left = min(2 * self._rate, left + (now - since) * self._rate)
            if len(self._left) >= MOST_ADDRESSES:
                del self._left[next(iter(self._left))]  # the one that has been silent for longest
            self._left[address] = (max(0.0, left - 1), now)
            return left >= 1


class _Handler(BaseHTTPRequestHandler):
    """One connection; it is kept open between requests."""

    protocol_version = "HTTP/1.1"
    server_version = "agentguard-witness"
    sys_version = ""
    server: WitnessServer

    def do_POST(self) -> None:
        """Take a checkpoint."""
        if not self._is_admitted():
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or self.headers.get("Transfer-Encoding"):
            self._answer(Reply(411, "a request says how long it is\n"), last=True)
        elif len(length) > 9 or int(length) > MOST_BYTES:
            self._answer(Reply(413, f"a request has at most {MOST_BYTES} bytes\n"), last=True)
        elif self.path != f"/{PATH}":
            self._answer(Reply(404, "not found\n"), last=True)
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                self._answer(self._said(lambda: self.server.desk.add(body)))

    def do_GET(self) -> None:
        """Show the newest checkpoint of a log, or the witness's key."""
        if not self._is_admitted():
            return
        before, _, origin = self.path.removeprefix("/").partition("/")
        if self.path == "/key":
            self._answer(Reply(200, f"{self.server.desk.key}\n"))
        elif before == "checkpoint" and origin and len(origin) <= 1_000:
            self._answer(self._said(lambda: self.server.desk.newest(urllib.parse.unquote(origin))))
        else:
            self._answer(Reply(404, "not found\n"))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no HTTP request that is understood here, in a word."""
        del message, explain
        self.request_version = self.protocol_version  # what it could not read it takes for HTTP 0.9, without a status
        self._answer(Reply(code, "not understood\n"), last=True)

    def log_message(self, *_: Any) -> None:
        """Write no line for each request."""

    def _is_admitted(self) -> bool:
        if self.server.rates.admits(self.client_address[0]):
            return True
        self._answer(Reply(429, "too many requests\n"), last=True)
        return False

    def _said(self, decide: Callable[[], Reply]) -> Reply:
        try:
            return decide()
        except AgentGuardError as error:
            log.error("witness.failed", error=error.code, reason=str(error))  # noqa: TRY400 - nobody needs the way there
        except Exception as error:  # noqa: BLE001 - a stranger is told nothing of what went wrong here
            log.error("witness.failed", error=type(error).__name__)  # noqa: TRY400
        return Reply(500, "the witness cannot answer now\n")

    def _answer(self, reply: Reply, *, last: bool = False) -> None:
        body = reply.text.encode()
        self.close_connection = self.close_connection or last
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type or PLAIN)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
