"""The log read in its order, for whoever adds up what was decided: its entries, what governed them, their worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
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
