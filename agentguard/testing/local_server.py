"""An HTTP server on this machine alone, for the parts of the kit that answer over a real socket."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Generic, TypeVar

Owner = TypeVar("Owner")


class LocalServer(ThreadingHTTPServer, Generic[Owner]):
    """Serves on a free port of the loopback address; handlers reach whom they answer for as `self.server.owner`."""

    daemon_threads = True

    def __init__(self, owner: Owner, handler: type[BaseHTTPRequestHandler]) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), handler)

    def server_bind(self) -> None:
        """Bind without asking the name service for the machine's name, which can take seconds without a network."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
