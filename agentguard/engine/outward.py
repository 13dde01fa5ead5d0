"""What of an entry may leave for another system: names, ids and codes, and never what people wrote or customers said.

It is a list of what goes out, so that a field that is new stays inside until somebody has thought about it. Free text
(`why`, notes, words, errors, the texts of rules, which may quote facts) stays; amounts are masked behind their first
digit; customers stand as their pseudonym, and what is personal is sealed in the entry already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentguard.core.digest import LARGEST_JSON_INTEGER
from agentguard.engine.event import mask
from agentguard.errors import TamperedError
from agentguard.store.records import Entry
from agentguard.store.transaction import leaf_of

ALTERED = "altered"
"""Said of an entry whose text is not the one that was written."""

LONGEST = 200
"""No name is longer; what is longer was not meant as one."""

NAMES = (
    "action", "action_id", "on_behalf_of", "state", "attempt", "fence", "verdict", "approved", "mode", "enforced",
    "bundle", "before", "escalation", "escalation_state", "decision_entry", "relates_to", "external_reference",
    "outcome", "alarm", "by", "by_kind", "authenticated", "power", "refused", "missing", "source", "happened_at",
    "target", "was_halted", "channel", "event", "attempts", "voter", "from", "to", "undone_by", "late", "confirmation",
    "incident", "entries", "sha256", "purged", "origin", "continues", "here", "lost", "stolen", "review", "how",
    "decided", "should", "severity",
)  # fmt: skip
"""What is told as it stands, where it is a name, a number or yes or no."""

TAKEN_DOWN = frozenset({"told", "confirmed"})
"""Kinds whose `by` may be the customer, who heard it or said it."""

_ACTOR = ("kind", "id", "version", "model", "operator")
_REASON = ("code", "source", "verdict", "route")
_VOTE = ("voter", "approve", "reason_code", "authenticated", "viewed_at", "voted_at", "stands_for")


def outward(entry: Entry) -> dict[str, Any]:
    """Return what another system may be told of an entry; what is not there is left out."""
    body = _read(entry)
    if body is None:
        return {"tenant": entry.stream, "kind": entry.kind, ALTERED: True}
    names = tuple(name for name in NAMES if name != "by") if entry.kind in TAKEN_DOWN else NAMES
    found: dict[str, Any] = {"tenant": entry.stream, "kind": entry.kind, **_picked(body, names)}
    if isinstance(body.get("actor"), Mapping):
        found["actor"] = _picked(body["actor"], _ACTOR)
    conversation = _mapping(body, "context").get("context.conversation")
    if _is_plain(conversation):
        found["conversation"] = conversation
    if isinstance(body.get("reasons"), list):
        found["reasons"] = [_picked(reason, _REASON) for reason in body["reasons"]]
    if isinstance(body.get("limits"), list):
        found["limits"] = [_picked(check, ("limit", "unit", "fits")) for check in body["limits"]]
    if isinstance(body.get("matched"), list):
        found["matched"] = [name for name in body["matched"] if _is_plain(name)]
    if isinstance(body.get("routes"), list):
        found["routes"] = [_picked(route, ("id", "people")) for route in body["routes"]]
    if isinstance(body.get("vote"), Mapping):
        found["vote"] = _picked(body["vote"], _VOTE)
    if isinstance(body.get("change"), Mapping):
        found["change"] = _picked(body["change"], ("direction",))
    findings = {name: count for name, count in _mapping(body, "findings").items() if isinstance(count, int)}
    policies = {name: _picked(item, ("version", "digest")) for name, item in _mapping(body, "policies").items()}
    amounts = {name: masked for name, value in _mapping(body, "arguments").items() if (masked := mask(value))}
    found |= {"findings": findings} if findings else {}
    return found | ({"policies": policies} if policies else {}) | ({"amounts": amounts} if amounts else {})


def _read(entry: Entry) -> Mapping[str, Any] | None:
    """Return what an entry says; None where it is not what was written, since nobody knows then what may go out."""
    if not entry.is_purged and leaf_of(entry.body) != entry.leaf:
        return None
    try:
        return entry.document
    except (TamperedError, ValueError):  # the leaf was made to fit: whoever reads the whole log finds it
        return None


def _picked(document: object, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        return {}
    return {name: document[name] for name in names if _is_plain(document.get(name))}


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= LONGEST and value.isprintable()
    return isinstance(value, int) and abs(value) <= LARGEST_JSON_INTEGER


def _mapping(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}
