"""Entries about telling people what waits for them, in words: reminders, and notices that reached nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentguard.core.narration.told import Told


def _reminded(body: dict[str, Any]) -> Told:
    return Told(f"reminded the people of {', '.join(body['reminded'])}", "", [("escalation", body["escalation"])])


def _given_up(body: dict[str, Any]) -> Told:
    details = [("event", body["event"]), ("error", body["error"]), ("tries", str(body["attempts"]))]
    return Told(f"channel {body['channel']} could not be told of an event", "deny", details)


def _stopped(body: dict[str, Any]) -> Told:
    details = [("event", body["event"]), ("error", body["error"])]
    return Told(f"channel {body['channel']} is stopped: its receiver is gone for good", "deny", details)


TELLERS: Mapping[str, Callable[[dict[str, Any]], Told]] = {
    "reminded": _reminded,
    "notice_given_up": _given_up,
    "channel_stopped": _stopped,
}
