"""Notices as signed webhooks: CloudEvents 1.0 in JSON, signed as Standard Webhooks say.

    guard = Guard("policies/", notices=[Webhook("https://desk.example/hooks/agentguard", secret="whsec_…")])

The receiver checks the signature and the timestamp, and takes an event whose id it has seen as done.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any

from agentguard.adapters.elsewhere import NoRedirects, encrypted
from agentguard.core.digest import time_text
from agentguard.engine.channel import EVERYTHING, Only
from agentguard.engine.event import Event
from agentguard.engine.machine import Clock, wall_clock
from agentguard.errors import ConfigurationError, UndeliveredError

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks write one
FEWEST_SECRET_BYTES = 24
MOST_SECRET_BYTES = 64
REFUSALS = frozenset({400, 413, 415, 422})
"""What a receiver says of an event that it will never take."""
GONE = 410
_LONGEST_NUMBER = 7
_LONGEST_BODY = 1_000


class Webhook:
    """Posts each event to one address.

    Args:
        url: `https://…`; `http://` only to this machine, unless `plain_http` is given.
        secret: Base64 behind `whsec_`, 24 to 64 bytes; several while one replaces another: all of them sign.
        name: How far it has come is kept under it; the address without its query if left out.
        only: Which events it posts.
        details: Tell the masked amounts too.
        timeout: How long the receiver may take to answer.
        plain_http: Let the event travel unencrypted.
        clock: Gives the timestamp that is signed; the receiver compares it with its own clock.

    Raises:
        ConfigurationError: The address or a secret is not usable.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str | Sequence[str],
        name: str = "",
        only: Only = EVERYTHING,
        details: bool = False,
        timeout: timedelta = timedelta(seconds=10),
        plain_http: bool = False,
        clock: Clock = wall_clock,
    ) -> None:
        parts = encrypted(url, "a webhook's address", plain_http=plain_http)
        self.name = name or f"webhook:{parts.hostname}{parts.path}"
        self._url = url
        self._keys = [_key(given) for given in ([secret] if isinstance(secret, str) else secret)]
        if not self._keys:
            raise ConfigurationError([f"webhook `{self.name}`: expected a secret to sign with, got none"])
        self._only = only
        self._details = details
        self._timeout = timeout
        self._clock = clock
        self._opener = urllib.request.build_opener(NoRedirects)

    def wants(self, event: Event) -> bool:
        """Return whether it posts an event."""
        return self._only.admits(event)

    def send(self, event: Event) -> None:
        """Post an event; any answer of 2xx is its receipt.

        Raises:
            UndeliveredError: There was another answer, or none.
        """
        body = json.dumps(cloud_event(event, details=self._details), ensure_ascii=False).encode()
        self.post(event.id, body, CONTENT_TYPE)

    def post(self, message_id: str, body: bytes, content_type: str) -> None:
        """Post something else than an event, signed as events are.

        Raises:
            UndeliveredError: There was another answer than one of 2xx, or none.
        """
        stamp = str(int(self._clock().timestamp()))
        headers = {
            "Content-Type": content_type,
            "User-Agent": "agentguard",
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
            "webhook-signature": " ".join(signature(key, message_id, stamp, body) for key in self._keys),
        }
        request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310 - the scheme was checked
        try:
            with self._opener.open(request, timeout=self._timeout.total_seconds()) as answer:
                answer.read(_LONGEST_BODY)
        except urllib.error.HTTPError as error:
            with error:
                raise _undelivered(error.code, error.headers, self._clock()) from error
        except TimeoutError as error:
            raise UndeliveredError("timeout") from error
        except (OSError, ValueError, HTTPException) as error:  # of the network, and of what is not HTTP
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            word = "timeout" if isinstance(reason, TimeoutError) else "unreachable"
            raise UndeliveredError(word) from error


def cloud_event(event: Event, *, details: bool = False) -> dict[str, Any]:
    """Return an event as CloudEvents 1.0 has it, in the structured mode."""
    data: dict[str, Any] = {
        "tenant": event.tenant,
        "action": event.action,
        "action_id": event.action_id,
        "state": event.state,
        "escalation": event.escalation,
        "routes": [
            {"id": route.id, "who": list(route.who), "people": route.people, "due": time_text(route.due)}
            for route in event.routes
        ],
        "to": list(event.to),
        "causes": list(event.causes),
    }
    if details:
        data["amounts"] = list(event.amounts)
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"urn:agentguard:{event.id.rpartition('-')[0]}",
        "type": f"agentguard.{event.type}",
        "time": time_text(event.at),
        "subject": event.escalation or event.action_id,
        "datacontenttype": "application/json",
        "data": data,
    }


def signature(key: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    """Return one signature as Standard Webhooks write it: HMAC-SHA256 over id, timestamp and body."""
    signed = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not FEWEST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        wanted = f"`{SECRET_PREFIX}` and {FEWEST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes in base64"
        raise ConfigurationError([f"expected a webhook's secret as {wanted}, got {len(secret)} other characters"])
    return key


def _undelivered(status: int, headers: Message, now: datetime) -> UndeliveredError:
    return UndeliveredError(
        f"http_{status}",
        retry_after=_left_alone(str(headers.get("Retry-After") or "").strip(), now),
        refused=status in REFUSALS,
        gone=status == GONE,
    )


def _left_alone(wish: str, now: datetime) -> timedelta | None:
    """Return how long a receiver asks to be left alone, in seconds or until a date; None where it is not clear."""
    if wish.isascii() and wish.isdigit():
        return timedelta(seconds=int(wish)) if len(wish) < _LONGEST_NUMBER else None
    try:
        until = parsedate_to_datetime(wish)
    except ValueError:
        return None
    return max(until.replace(tzinfo=until.tzinfo or UTC) - now, timedelta(0))
