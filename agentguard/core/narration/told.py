"""What an audit entry is in words: a title, a colour, details; and who did it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentguard.core.prose import known_by

Details: TypeAlias = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Told:
    """One entry in words: a title, a word that gives its colour, and what there is to say about it."""

    title: str
    colour: str
    details: Details


def by(body: Mapping[str, Any]) -> Details:
    """Return who did it, how they were known, who else said so, and why, as far as an entry says it."""
    details = [("by", person(body))] if body.get("by") else []
    details += [("with", f"{person(other)}, entry {other['entry']}") for other in body.get("with") or ()]
    return [*details, ("why", body["why"])] if body.get("why") else details


def person(body: Mapping[str, Any]) -> str:
    """Return a person with how they were known."""
    return f"{body['by']}, known by {known_by(body['authenticated'])}" if body.get("authenticated") else str(body["by"])
