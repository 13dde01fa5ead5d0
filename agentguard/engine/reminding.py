"""Reminding those who may decide, once for each route, so long before its deadline as the route says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agentguard.core import entry
from agentguard.engine import escalating, pausing, recorded
from agentguard.engine.parts import Parts
from agentguard.log import get_logger
from agentguard.store import Reading, Transaction
from agentguard.store.records import EscalationRecord

log = get_logger("reminding")

AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Reminded:
    """The people of these routes of an escalation were reminded."""

    escalation: str
    action_id: str
    routes: tuple[str, ...]


def remind_all(parts: Parts) -> list[Reminded]:
    """Write down every reminder whose time has come; whoever sends notices finds them in the log."""
    reminded: list[Reminded] = []
    after = ""
    while True:
        found, after = parts.store.read(lambda reading, page=after: _due(reading, page))  # type: ignore[misc]
        if found:
            reminded += parts.store.transact(lambda transaction, due=found: _remind(due, transaction))  # type: ignore[misc]
        if not after:
            return reminded


def _due(reading: Reading, after: str) -> tuple[list[EscalationRecord], str]:
    now = reading.now()
    page = reading.escalations(limit=AT_ONCE, after=after, remind=now)
    due = [record for record in page if _routes_due(reading, record, now)]
    return due, page[-1].id if len(page) == AT_ONCE else ""


def _routes_due(reading: Reading, record: EscalationRecord, now: datetime) -> list[str]:
    """Return the routes whose reminder is due, without the time in which people could not act; none once it is late."""
    action = reading.action(record.action_id)
    if action is None or not escalating.is_open(record, action) or record.remind_at is None:
        return []
    lost = pausing.paused(reading, action, record.opened_at, now)
    if record.due_at is not None and now >= record.due_at + lost:
        return []
    return [
        str(route["id"])
        for route in escalating.routes_of(record)
        if "remind" in route and record.remind_at <= datetime.fromisoformat(route["remind"]) <= now - lost
    ]


def _remind(due: list[EscalationRecord], transaction: Transaction) -> list[Reminded]:
    reminded = []
    for found in due:
        record, now = transaction.escalation(found.id), transaction.now()
        if record is None or record.state != escalating.OPEN or record.remind_at != found.remind_at:
            continue  # somebody else reminded them, or decided, since it was looked up
        routes, action = _routes_due(transaction, record, now), transaction.action(record.action_id)
        if not routes or action is None or record.remind_at is None:
            continue
        standing = entry.Standing(action.state, action.fence, action.attempt)
        about = recorded.about(action, standing)
        transaction.append(entry.moved("reminded", about, escalation=record.id, reminded=routes))
        rest = [route for route in escalating.routes_of(record) if route["id"] not in routes]
        transaction.reminded(record.id, record.remind_at, escalating.next_reminder(rest, record.remind_at))
        reminded.append(Reminded(record.id, action.id, tuple(routes)))
    return reminded
