"""Entries about the records themselves, in words: who looked, what was taken out or erased, held or purged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from agentguard.core.narration.told import Details, Told, by
from agentguard.core.prose import inline, moment, numbered

_MOST_NAMED = 10
_IN_THE_WAY = {"legal_hold": "a legal hold", "under_way": "something that is under way"}


def scope_words(scope: Mapping[str, Any]) -> str:
    """Return what a legal hold covers."""
    said = [f"customer {_listed(scope['customers'])}"] if scope["customers"] else []
    named = (("action", "action"), ("id", "action_id"), ("tenant", "tenant"))
    said += [f"{word} {scope[name]}" for word, name in named if scope[name] is not None]
    said += [f"{name} {moment(scope[name])} UTC" for name in ("since", "until") if scope[name] is not None]
    return ", ".join(said)


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = len(found) - _MOST_NAMED
    return ", ".join(found[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _personal_read(body: dict[str, Any]) -> Told:
    details = [
        *by(body),
        ("where", body["where"]),
        ("about", _listed(body["about"])),
        ("values", _listed(body["fields"])),
    ]
    details += [("action id", body["about_action"])] if body.get("about_action") else []
    return Told("somebody looked at personal values", "", [*details, ("counts until", f"{moment(body['until'])} UTC")])


def _erasing(body: dict[str, Any]) -> Told:
    return Told(f"erasing begins: {body['on_behalf_of']}", "deny", by(body))


def _erased(body: dict[str, Any]) -> Told:
    gone = f"{numbered(body['values'], 'value')} and {numbered(body['results'], 'result')}"
    gone += f" of {numbered(body['actions'], 'action')}"
    details: Details = [*by(body), ("deleted", gone), ("began", f"entry {body['begun']}")]
    details += [("id stays in", place) for place in body.get("in_the_clear", ())]
    return Told(f"erased: {body['on_behalf_of']}", "deny", details)


def _erasure_deferred(body: dict[str, Any]) -> Told:
    why = _IN_THE_WAY.get(body["because"], body["because"])
    details: Details = [*by(body), ("because of", why)]
    details += [("legal hold", name) for name in body["holds"]]
    details += [("action id", name) for name in body["actions"][:_MOST_NAMED]]
    return Told(f"not erased: {body['on_behalf_of']}", "escalate", details)


def _legal_hold_set(body: dict[str, Any]) -> Told:
    return Told(f"held: {scope_words(body['scope'])}", "escalate", [("legal hold", body["hold"]), *by(body)])


def _legal_hold_lifted(body: dict[str, Any]) -> Told:
    return Told(f"no longer held: {scope_words(body['scope'])}", "allow", [("legal hold", body["hold"]), *by(body)])


def _purged(body: dict[str, Any]) -> Told:
    ranges = _listed(f"{first} to {last}" if last > first else str(first) for first, last in body["ranges"])
    details = [*by(body), ("entries", f"{body['entries']}: {ranges}"), ("records", str(body["records"]))]
    kept = body["kept_for"]
    details += [
        ("of", f"{name}: {number}, kept for {kept[name]}") for name, number in sorted(body["by_action"].items())
    ]
    return Told("purged: the bodies of entries whose time is over are taken away", "deny", details)


def _exported(body: dict[str, Any]) -> Told:
    checkpoint = body["checkpoint"]
    details = [
        *by(body),
        ("asked for", inline(body["query"]) or "everything"),
        ("entries", f"{body['entries']} of {checkpoint['size']}"),
        ("personal", "in the clear" if body["personal"] else "closed"),
        ("SHA-256", body["sha256"]),
    ]
    return Told("an evidence pack was taken out", "", details)


TELLERS: Mapping[str, Callable[[dict[str, Any]], Told]] = {
    "exported": _exported,
    "personal_read": _personal_read,
    "erasing": _erasing,
    "erased": _erased,
    "erasure_deferred": _erasure_deferred,
    "legal_hold_set": _legal_hold_set,
    "legal_hold_lifted": _legal_hold_lifted,
    "purged": _purged,
}
