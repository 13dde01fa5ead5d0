"""How the two groups of a canary were decided: those who try it out beside those who do not, from their entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agentguard.analysis.simulating import Cell
from agentguard.core.policy import Verdict
from agentguard.engine.openings import activations_back
from agentguard.engine.parts import Parts
from agentguard.engine.past_log import Plans, Progress, every, money_of
from agentguard.errors import UsageError
from agentguard.store import Reading
from agentguard.store.records import EntryFilter


@dataclass(slots=True)
class Group:
    """Customers with one version, and what became of their requests.

    Attributes:
        bundle: The digest of the version.
        customers: Their pseudonyms.
        verdicts: How many requests came to each verdict before any votes, and what they were about in money.
    """

    bundle: str
    customers: set[str] = field(default_factory=set)
    verdicts: dict[Verdict, Cell] = field(default_factory=lambda: {verdict: Cell() for verdict in Verdict})

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return sum(cell.count for cell in self.verdicts.values())


@dataclass(frozen=True, slots=True)
class Groups:
    """Both groups of the canary that runs, or of the last one.

    Attributes:
        unread: How many decisions were purged, so that nobody knows whose they were.
    """

    trial: Group
    rest: Group
    unread: int = 0


def groups(
    parts: Parts, *, since: datetime | None = None, until: datetime | None = None, progress: Progress | None = None
) -> Groups:
    """Return how each group was decided while the canary ran, or the last one; for nobody in particular is in neither.

    Raises:
        UsageError: There was no canary.
    """
    canary = parts.store.read(lambda reading: next(_canaries(reading), None))
    if canary is None:
        raise UsageError("expected a canary that runs or ran, got none: there are no two groups")
    bundle, rest, begun = canary
    found, plans, unread = {bundle: Group(bundle), rest: Group(rest)}, Plans(parts), 0
    for item in every(parts, begun, EntryFilter(kind="decided", since=since, until=until), progress):
        if item.is_purged:
            unread += 1
            continue
        body = item.document
        side = body["canary"]
        if side is None or side["number"] is None or (side["bundle"], side["rest"]) != (bundle, rest) or body["votes"]:
            continue
        group = found[body["bundle"]]
        group.customers.add(body["on_behalf_of"])
        worth = money_of(plans.of(body["bundle"], body["action"]), body)
        group.verdicts[Verdict[body["verdict"].upper()]].add(worth)
    return Groups(found[bundle], found[rest], unread)


def _canaries(reading: Reading) -> Iterator[tuple[str, str, int]]:
    """Yield each canary, the newest first: its bundle, that of the rest, and the entry that began it."""
    begun: tuple[str, str, int] | None = None
    for position, body in activations_back(reading):
        now = _named(body)
        if begun is not None and now != begun[:2]:
            yield begun
            begun = None
        if now is not None:
            begun = *now, position
    if begun is not None:
        yield begun


def _named(body: Mapping[str, Any]) -> tuple[str, str] | None:
    canary = body.get("canary")
    return None if canary is None else (canary["bundle"], body["bundle"])
