"""The log read in its order, for whoever adds up what was decided: its entries, what governed them, their worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agentguard.core.digest import decode
from agentguard.core.language import Money as MoneyType
from agentguard.core.money import Money
from agentguard.core.plan import Plan, plan_action
from agentguard.engine.parts import Parts
from agentguard.errors import ConformError
from agentguard.store.records import Entry, EntryFilter

PAGE = 1000
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Plans:
    """What governed actions then."""

    parts: Parts
    known: dict[tuple[str, str], Plan] = field(default_factory=dict)

    def of(self, digest: str, action: str) -> Plan:
        """Return what governed an action under a bundle."""
        found = self.known.get((digest, action))
        if found is None:
            bundle = self.parts.store.read(lambda reading: self.parts.force.bundle(reading, digest))
            found = self.known[digest, action] = plan_action(bundle, action)
        return found


class Earlier:
    """The requests that other policies decided than those in force now: what changed since then is counted too."""

    def __init__(self, plans: Plans) -> None:
        in_force = plans.parts.store.read(lambda reading: reading.in_force())
        self._plans, self._in_force = plans, () if in_force is None else in_force.bundles
        self._known: dict[tuple[str, str], bool] = {}
        self._count, self._last = 0, datetime.min.replace(tzinfo=UTC)

    def see(self, digest: str, action: str, at: datetime) -> None:
        """Count a request if other policies decided it."""
        found = self._known.get((digest, action))
        if found is None:
            same = (self._governed(bundle, action) == self._governed(digest, action) for bundle in self._in_force)
            found = self._known[digest, action] = bool(self._in_force) and not any(same)
        if found:
            self._count += 1
            self._last = max(self._last, at)

    def sentence(self) -> str:
        """Return what there is to say of them; empty if there are none."""
        if not self._count:
            return ""
        many = "1 request was" if self._count == 1 else f"{self._count:,} requests were"
        return (
            f"{many} decided under other policies than those in force now, the last one on {self._last:%Y-%m-%d}: what "
            "has changed since then is in these numbers too, and `--since` leaves it out"
        )

    def _governed(self, digest: str, action: str) -> object:
        return self._plans.of(digest, action).described["policies"]


def every(parts: Parts, after: int, wanted: EntryFilter, progress: Progress | None) -> Iterator[Entry]:
    """Yield entries in the log's order, as far as it goes now."""
    begin, end = after, parts.store.read(lambda reading: reading.position())
    while page := parts.store.read(lambda reading, last=after: reading.entries(last, PAGE, wanted)):  # type: ignore[misc]
        for item in page:
            if item.pos > end:
                return
            yield item
        after = page[-1].pos
        if progress is not None:
            progress(after - begin, end - begin)


def money_of(plan: Plan, body: Mapping[str, Any]) -> Money | None:
    """Return the money that an entry's request is about: its first argument that is money and can be read."""
    for name, declared in plan.arguments.items():
        told = body["arguments"].get(name)
        if type(declared.type) is MoneyType and isinstance(told, str):
            try:
                found = decode(declared.type, told)
            except ConformError:
                continue  # what is not money is worth nothing that could be added
            if isinstance(found, Money):
                return found
    return None
