"""Decisions rebuilt from their entries and the policy texts these name, and why they came out as they did (law 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentguard.core.explain import Explanation, explain
from agentguard.core.plan import Plan
from agentguard.core.request import Evidence, Request
from agentguard.engine.parts import Parts
from agentguard.engine.restoring import reader_of
from agentguard.store import Reading


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a decision was about.

    Attributes:
        erased: What the record can no longer say, because its key was destroyed.
    """

    plan: Plan
    request: Request
    evidence: Evidence
    erased: tuple[str, ...]

    def explained(self) -> Explanation:
        """Return why it was decided so; comparisons that read something personal stand without the values they saw."""
        plan = self.plan
        declared = {**plan.facts, **plan.context, **plan.arguments}
        personal = {name for name, item in declared.items() if item.personal}
        return explain(plan, self.request, self.evidence, hidden=frozenset({"on_behalf_of", *personal}))


def rebuilt(parts: Parts, reading: Reading, body: Mapping[str, Any]) -> Rebuilt:
    """Return what the decision of an entry was about.

    Raises:
        StoreUnavailableError: The keys are not those of this database.
        TamperedError: A policy text is not there.
    """
    parts.require_keys(reading)
    plan = parts.force.plan(parts.force.bundle(reading, body["bundle"]), body["action"])
    reader = reader_of(parts, reading, dict(body), plan)
    pseudonym = body["on_behalf_of"]
    request = reader.request(parts.vault.customer_of(pseudonym) if pseudonym else "")
    return Rebuilt(plan, request, reader.evidence(), tuple(reader.erased))
