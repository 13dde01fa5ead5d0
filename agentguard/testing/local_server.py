"""An HTTP server on this machine alone, for the parts of the kit that answer over a real socket."""

from __future__ import annotations

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar

Owner = TypeVar("Owner")


class LocalServer(ThreadingHTTPServer, Generic[Owner]):
    """Serves on the loopback address, a free port by default; handlers reach their owner as `self.server.owner`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, owner: Owner, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", port), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong here, and stay silent about clients that hang up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def server_bind(self) -> None:
        """Bind without asking the name service for the machine's name, which can take seconds without a network."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restarted server takes its port again
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
