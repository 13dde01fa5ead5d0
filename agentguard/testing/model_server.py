"""A scripted model behind a real HTTP server on this machine, for the real `openai` client: no key, no network.

It serves `POST /v1/chat/completions` and `POST /v1/responses`, plain and streamed. The request's `model` names the
script to play, and the conversation that is sent says how far it has come, so several conversations can run at once.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from agentguard.testing import model_wire
from agentguard.testing.local_server import LocalServer
from agentguard.testing.model_wire import RefusedRequestError
from agentguard.testing.script import Heard, Script, Turn

API_KEY = "not-a-key"


class ModelServer:
    """The server; use it as a context manager, and give `base_url` and `API_KEY` to the client.

    Attributes:
        requests: Every request's body as it was received, in order.
    """

    def __init__(self, scripts: Mapping[str, Script] | None = None) -> None:
        self.scripts: dict[str, Script] = dict(scripts or {})
        self.requests: list[dict[str, Any]] = []
        self._responses: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._server = LocalServer(self, _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        """The address for `OpenAI(base_url=…)`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any] | Iterable[str]:
        """Return what is sent back: one object, or server-sent events where `stream` was asked for."""
        with self._lock:
            self.requests.append(body)
            number = len(self.requests)
        model_wire.refuse_bad_tools(body.get("tools", []))
        if path == "/v1/chat/completions":
            return self._chat(body, number)
        if path == "/v1/responses":
            return self._response(body, number)
        raise RefusedRequestError(f"Invalid URL (POST {path})")

    def _chat(self, body: dict[str, Any], number: int) -> dict[str, Any] | Iterable[str]:
        messages = body["messages"]
        position = model_wire.chat_position(messages)
        turn = self._turn(body["model"], position, model_wire.chat_heard(messages))
        calls = model_wire.named(turn, body["model"], position + 1)
        if body.get("stream"):
            return model_wire.chat_chunks(turn, calls, body["model"], number)
        return model_wire.chat_body(turn, calls, body["model"], number)

    def _response(self, body: dict[str, Any], number: int) -> dict[str, Any] | Iterable[str]:
        given = body["input"]
        items = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
        with self._lock:
            before = self._responses.get(body.get("previous_response_id") or "", [])
        items = [*before, *items]
        position = model_wire.responses_position(items)
        turn = self._turn(body["model"], position, model_wire.responses_heard(items))
        calls = model_wire.named(turn, body["model"], position + 1)
        answer = model_wire.responses_body(turn, calls, body["model"], number)
        if body.get("store", True):
            with self._lock:
                self._responses[answer["id"]] = [*items, *answer["output"]]
        return model_wire.responses_events(answer) if body.get("stream") else answer

    def _turn(self, model: str, position: int, heard: Heard) -> Turn:
        script = self.scripts.get(model)
        if script is None:
            raise RefusedRequestError(f"The model `{model}` does not exist.")
        if position >= len(script):
            raise RefusedRequestError(
                f"The script `{model}` has {len(script)} turns; turn {position + 1} was asked for."
            )
        turn = script[position]
        return turn if isinstance(turn, Turn) else turn(heard)


class _Handler(BaseHTTPRequestHandler):
    server: LocalServer[ModelServer]

    def do_POST(self) -> None:
        """Answer one request of a client."""
        length = int(self.headers.get("Content-Length", "0"))
        try:
            answer = self.server.owner.answer(self.path, json.loads(self.rfile.read(length)))
        except RefusedRequestError as refusal:
            error = {"message": str(refusal), "type": "invalid_request_error", "param": None, "code": None}
            self._send(400, "application/json", json.dumps({"error": error}))
            return
        if isinstance(answer, dict):
            self._send(200, "application/json", json.dumps(answer))
        else:
            self._send(200, "text/event-stream", "".join(answer))

    def log_message(self, format: str, *arguments: Any) -> None:
        """Stay silent: the terminal belongs to whoever runs the test."""

    def _send(self, status: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
