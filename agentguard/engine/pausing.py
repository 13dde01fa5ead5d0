"""Time that does not count: while something is stopped, people's deadlines and the leases of what is held stand still.

Nothing is moved when a stop is let go. Where a time seems to be over, the record of stops says how much of it passed
while nobody could act. The deadline of a tool that has begun is another matter: the world outside does not stand still.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from agentguard.core.digest import canonical_bytes, time_text
from agentguard.core.lifecycle import State
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, Entry, EntryFilter, EscalationRecord

_PAGE = 50


def ready_until(reading: Reading, record: ActionRecord, now: datetime) -> ActionRecord:
    """Return an action that is held and not begun with the lease it really has, if it seems to be over."""
    if record.state is not State.READY or record.lease_until is None or now <= record.lease_until:
        return record
    lost = paused(reading, record, record.updated_at or record.asked_at, now)
    return record._replace(lease_until=record.lease_until + lost)


def due_at(reading: Reading, escalated: EscalationRecord, record: ActionRecord, now: datetime) -> EscalationRecord:
    """Return an escalation with the time that its routes really have, if it seems to be late."""
    if escalated.due_at is None or now < escalated.due_at:
        return escalated
    lost = paused(reading, record, escalated.opened_at, now)
    if not lost:
        return escalated
    routes: list[dict[str, Any]] = orjson.loads(escalated.routes)
    for route in routes:
        route["due"] = time_text(datetime.fromisoformat(route["due"]) + lost)
    return replace(escalated, due_at=escalated.due_at + lost, routes=canonical_bytes(routes).decode())


def paused(reading: Reading, record: ActionRecord, since: datetime, now: datetime) -> timedelta:
    """Return how much of the time since then an action could not go on because a person had stopped it."""
    targets = {"all", f"action:{record.action}", f"agent:{record.agent}"}
    events = [item for item in _events(reading, since) if item.document["target"] in targets]
    stopped = _stopped_before(reading, targets, events)
    lost, last = timedelta(0), since
    for item in events:
        if stopped:
            lost += item.at - last
        last = item.at
        if item.kind == "halted":
            stopped.add(item.document["target"])
        else:
            stopped.discard(item.document["target"])
    return lost + (now - last) if stopped else lost


def counts_anew(reading: Reading, since: datetime) -> bool:
    """Return whether anything was stopped since then, so that a time may not be over that seems to be."""
    return bool(reading.halts() or _events(reading, since))


def _stopped_before(reading: Reading, targets: set[str], events: list[Entry]) -> set[str]:
    """Return what was stopped already before the first of these events."""
    first: dict[str, Entry] = {}
    for item in events:
        first.setdefault(item.document["target"], item)
    still = {halt.target for halt in reading.halts()} & targets
    return {name for name, item in first.items() if item.document.get("was_halted")} | (still - first.keys())


def _events(reading: Reading, since: datetime) -> list[Entry]:
    found = [item for kind in ("halted", "resumed") for item in _of_kind(reading, kind, since)]
    return sorted(found, key=lambda item: item.pos)


def _of_kind(reading: Reading, kind: str, since: datetime) -> Iterator[Entry]:
    """Yield the newest first: stops are seldom, and to find where a time begins in the log costs many looks at it."""
    before = 0
    while page := reading.entries(before, _PAGE, EntryFilter(kind=kind), newest_first=True):
        for item in page:
            if item.at < since:
                return
            yield item
        before = page[-1].pos
