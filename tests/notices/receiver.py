"""A receiver of webhooks: a real HTTP server that keeps what it got and answers as a test wants."""

import base64
import hashlib
import hmac
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from agentguard.testing.local_server import LocalServer

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"another key of 24 bytes!").decode()


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict
    body: bytes

    @property
    def event(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.headers["webhook-id"]

    def is_signed_with(self, secret):
        """Check the signature as the specification of Standard Webhooks tells a receiver to."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        text = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        return f"v1,{wanted}" in self.headers["webhook-signature"].split(" ")


class Receiver:
    """What was received, and what is answered: `answers` are used up first to last, then 204."""

    def __init__(self):
        self.got = []
        self.answers = []
        self.delay = 0.0
        self.lock = threading.Lock()
        self.server = LocalServer(self, _Handler)

    @classmethod
    @contextmanager
    def start(cls):
        made = cls()
        serving = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        serving.start()
        yield made
        made.server.shutdown()
        made.server.server_close()

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    @property
    def types(self):
        return [got.event["type"].removeprefix("agentguard.") for got in self.got]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        owner = self.server.owner
        body = self.rfile.read(int(self.headers["content-length"]))
        with owner.lock:
            owner.got.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, headers = owner.answers.pop(0) if owner.answers else (204, {})
        time.sleep(owner.delay)
        if status == "drop":
            self.connection.close()
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass
