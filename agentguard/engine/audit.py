"""The audit log as people and programs read it: list, show, verify, and decide again from the record (law 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from agentguard.core import entry as entries
from agentguard.core.decide import decide
from agentguard.core.decision import Decision
from agentguard.engine.parts import Parts
from agentguard.engine.recovery import reader_of
from agentguard.errors import NotFoundError, UsageError
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, Entry, EntryFilter
from agentguard.store.verification import Verification, verify

COMPARED = (
    "verdict",
    "approved",
    "reasons",
    "matched",
    "routes",
    "limits",
    "requirements",
    "say",
    "language",
    "shadow",
)


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A decision computed again from its entry and the policy texts that it names.

    Attributes:
        differs: Fields of the entry in which the two differ; empty if they are the same.
        erased: What the record can no longer say, because its key was destroyed; differences are then no wonder.
    """

    entry: int
    decision: Decision
    differs: tuple[str, ...]
    erased: tuple[str, ...]

    @property
    def same(self) -> bool:
        """True if the decision came out as it is recorded."""
        return not self.differs


class Audit:
    """The audit log of one guard's store."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def list(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        tenant: str | None = None,
        kind: str | None = None,
        action_id: str | None = None,
        newest_first: bool = False,
    ) -> tuple[Entry, ...]:
        """Return entries a page at a time; `after` is the last position of the page before."""
        filters = EntryFilter(stream=tenant, kind=kind, action_id=action_id)
        return self._parts.store.read(lambda reading: reading.entries(after, limit, filters, newest_first=newest_first))

    def show(self, position: int) -> Entry:
        """Return one entry by its position.

        Raises:
            NotFoundError: The log has no such entry.
        """
        found = self._parts.store.read(lambda reading: reading.entry(position))
        if found is None:
            raise NotFoundError(f"expected the position of an entry, got `{position}`, which none has")
        return found

    def of(self, action_id: str) -> tuple[Entry, ...]:
        """Return every entry of one action, the first one first."""
        return self._parts.store.read(lambda reading: reading.entries_of(action_id))

    def action(self, action_id: str) -> ActionRecord:
        """Return an action as it stands.

        Raises:
            NotFoundError: No action has this id.
        """
        found = self._parts.store.read(lambda reading: reading.action(action_id))
        if found is None:
            raise NotFoundError(f"expected the id of an action, got `{action_id[:100]}`, which none has")
        return found

    def verify(self, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Check that every entry, chain and row still says what it said."""
        return self._parts.store.read(lambda reading: verify(reading, progress))

    def recompute(self, position: int) -> Recomputed:
        """Decide again what an entry decided, from the entry and the policy texts it names alone.

        Raises:
            NotFoundError: The log has no such entry.
            UsageError: The entry records no decision by rules.
        """
        found = self.show(position)
        if found.kind != "decided":
            raise UsageError(f"expected an entry of kind `decided`, got entry {position} of kind `{found.kind}`")
        return self._parts.store.read(lambda reading: self._recomputed(reading, found))

    def _recomputed(self, reading: Reading, found: Entry) -> Recomputed:
        parts, body = self._parts, found.document
        plan = parts.force.plan(parts.force.bundle(reading, body["bundle"]), body["action"])
        reader = reader_of(parts, reading, body, plan)
        customer = parts.vault.customer_of(body["on_behalf_of"]) if body["on_behalf_of"] else ""
        request = reader.request(customer)
        decision = decide(plan, request, reader.evidence())
        again = _verdict(decision, parts)
        differs = tuple(name for name in COMPARED if again[name] != body[name])
        return Recomputed(found.pos, decision, differs, tuple(reader.erased))


def _verdict(decision: Decision, parts: Parts) -> dict[str, Any]:
    shadow = None if decision.shadow is None else entries.verdict(decision.shadow, parts.keyed)
    document: dict[str, Any] = orjson.loads(orjson.dumps({**entries.verdict(decision, parts.keyed), "shadow": shadow}))
    return document
