"""What waits for people, listed by when it is due."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, or_, select

from agentguard.store import rows
from agentguard.store.lookups import Lookups
from agentguard.store.moment import to_microseconds
from agentguard.store.records import EscalationRecord
from agentguard.store.tables import EscalationRow

_escalation = EscalationRow.__table__


def escalations(
    lookups: Lookups,
    state: str | None,
    tenant: str | None,
    limit: int,
    after: str,
    *,
    due: datetime | None,
    remind: datetime | None,
) -> tuple[EscalationRecord, ...]:
    """Return escalations in the order in which they are due, from after one of them; what is None does not narrow."""
    query = select(_escalation).order_by(_escalation.c.due_us, _escalation.c.id).limit(limit)
    if after:
        last = select(_escalation.c.due_us).where(_escalation.c.id == after).scalar_subquery()
        at_the_same_time = and_(_escalation.c.due_us == last, _escalation.c.id > after)
        query = query.where(or_(_escalation.c.due_us > last, at_the_same_time))
    if state is not None:
        query = query.where(_escalation.c.state == state)
    if tenant is not None:
        query = query.where(_escalation.c.tenant == tenant)
    if due is not None:
        query = query.where(_escalation.c.due_us <= to_microseconds(due))
    if remind is not None:
        query = query.where(_escalation.c.remind_us <= to_microseconds(remind))
    return tuple(rows.escalation_record(row) for row in lookups.cold.find(query))
