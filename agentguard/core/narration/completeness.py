"""Entries about whether the record is complete, in words: books that were compared, incidents that were noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentguard.core.narration.told import Details, Told, by
from agentguard.core.prose import moment, numbered

_MOST_NAMED = 10


def _reconciled(body: dict[str, Any]) -> Told:
    findings = body["findings"]
    details: Details = [
        *by(body),
        ("file", f"SHA-256 {body['sha256']}"),
        ("window", f"{moment(body['since'])} to {moment(body['until'])} UTC"),
        (
            "compared",
            f"{numbered(body['payments'], 'payment')}, {numbered(body['actions'], 'action')}, {body['matched']} alike",
        ),
        *(("found", f"{code}: {count}") for code, count in findings.items()),
    ]
    title = "the provider's books and the record differ" if findings else "the provider's books say the same"
    return Told(title, "deny" if findings else "allow", details)


def _incident_noted(body: dict[str, Any]) -> Told:
    return Told(f"incident {body['incident']}", "in_doubt", [*by(body), *_about(body["about"])])


def _about(about: Mapping[str, Any]) -> Details:
    details = [("about", f"entry {position}") for position in about["entries"][:_MOST_NAMED]]
    details += [("about", f"action {name}") for name in about["actions"][:_MOST_NAMED]]
    more = sum(max(0, len(about[name]) - _MOST_NAMED) for name in ("entries", "actions"))
    return [*details, ("about", f"and {more} more")] if more else details


TELLERS: Mapping[str, Callable[[dict[str, Any]], Told]] = {
    "reconciled": _reconciled,
    "incident_noted": _incident_noted,
}
