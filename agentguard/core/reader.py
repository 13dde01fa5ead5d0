"""Requests and evidence read back out of audit entries, as far as their keys still open them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentguard.core.digest import decode
from agentguard.core.entry import place_of
from agentguard.core.language import Declared, Value
from agentguard.core.language import Time as TimeType
from agentguard.core.plan import Plan
from agentguard.core.request import Actor, ActorKind, Evidence, Fact, FactStatus, Request, Usage, Vote

Unseal = Callable[[str, str], Value | None]
"""From a place and the digest of a sealed value to its JSON, or None where its key is destroyed."""


@dataclass(slots=True)
class Reader:
    """Reads requests and evidence back out of a `decided` entry; `erased` names what could not be read any more."""

    body: Mapping[str, Any]
    plan: Plan
    unseal: Unseal
    erased: list[str]

    def request(self, on_behalf_of: str | None) -> Request:
        """Return the request; an erased customer stands as the pseudonym, and is named as erased."""
        if on_behalf_of is None:
            self.erased.append("on_behalf_of")
            on_behalf_of = self.body["on_behalf_of"]
        who = self.body["actor"]
        return Request(
            tenant=self.body["tenant"],
            actor=Actor(
                id=who["id"],
                version=who["version"],
                model=who["model"],
                prompt_digest=who["prompt_digest"],
                tools_digest=who["tools_digest"],
                kind=ActorKind(who["kind"]),
                operator=who["operator"],
            ),
            on_behalf_of=on_behalf_of,
            action=self.body["action"],
            arguments=self._read("arguments", self.body["arguments"], self.plan.arguments),
            context=self._read("context", self.body["context"], self.plan.context),
            key=self.body["key"],
            asked_at=time_of(self.body["asked_at"]),
        )

    def facts(self) -> dict[str, Fact]:
        """Return the facts as they were read."""
        return {name: self._fact(name, recorded) for name, recorded in self.body["facts"].items()}

    def evidence(self) -> Evidence:
        """Return everything the decision rested on beside the request."""
        return Evidence(
            facts=self.facts(),
            usage={name: Usage(item["held"], item["settled"]) for name, item in self.body["usage"].items()},
            history=dict(self.body["history"]),
            votes=tuple(_read_vote(vote) for vote in self.body["votes"]),
            now=time_of(self.body["now"]),
        )

    def _read(self, place: str, recorded: Mapping[str, Any], declared: Mapping[str, Declared]) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for name, item in recorded.items():
            found = self._unsealed(place_of(place, name), item)
            if found is None:
                continue
            values[name] = decode(declared[name].type, found) if name in declared else found
        return values

    def _fact(self, name: str, recorded: Mapping[str, Any]) -> Fact:
        status = FactStatus(recorded["status"])
        read_at = None if recorded["read_at"] is None else time_of(recorded["read_at"])
        if status is not FactStatus.VALUE:
            return Fact(status, None, recorded["source"], read_at)
        found = self._unsealed(f"facts.{name}", recorded["value"])
        if found is None:
            return Fact(FactStatus.FAILED, None, recorded["source"], read_at)
        return Fact(status, decode(self.plan.facts[name].type, found), recorded["source"], read_at)

    def _unsealed(self, place: str, item: Any) -> Any:
        if not (isinstance(item, Mapping) and set(item) == {"sealed"}):
            return item
        found = self.unseal(place, item["sealed"])
        if found is None:
            self.erased.append(place)
        return found


def time_of(text: str) -> datetime:
    """Return an instant as entries write it."""
    moment = decode(TimeType(), text)
    assert isinstance(moment, datetime)  # noqa: S101 - the type says so
    return moment


def _read_vote(recorded: Mapping[str, Any]) -> Vote:
    return Vote(
        escalation=recorded["escalation"],
        voter=recorded["voter"],
        approve=recorded["approve"],
        groups=frozenset(recorded["groups"]),
        authenticated=recorded["authenticated"],
        request_digest=recorded["request_digest"],
        reasons=frozenset(recorded["reasons"]),
        reason_code=recorded["reason_code"],
        voted_at=time_of(recorded["voted_at"]),
        viewed_at=None if recorded["viewed_at"] is None else time_of(recorded["viewed_at"]),
        stands_for=recorded["stands_for"],
        late=frozenset(recorded["late"]),
    )
