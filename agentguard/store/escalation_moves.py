"""How the row of an escalation moves: guarded updates, each of which fails where somebody else was first."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select, update

from agentguard.errors import StaleFenceError
from agentguard.store import rows
from agentguard.store.lookups import Lookups
from agentguard.store.moment import optional_to_microseconds, to_microseconds
from agentguard.store.records import EscalationRecord
from agentguard.store.tables import EscalationRow

_escalation = EscalationRow.__table__


def close(lookups: Lookups, escalation_id: str, from_state: str, to_state: str, now_us: int) -> None:
    """Move an escalation to its end.

    Raises:
        StaleFenceError: It is in another state.
    """
    guarded = update(_escalation).where(_escalation.c.id == escalation_id, _escalation.c.state == from_state)
    closed = func.coalesce(_escalation.c.closed_us, now_us)  # what was approved was closed then
    if lookups.change(guarded.values(state=to_state, closed_us=closed)) != 1:
        found = lookups.cold.find(select(_escalation.c.state).where(_escalation.c.id == escalation_id))
        state = f"it {found[0]['state']}" if found else "no such escalation"
        raise StaleFenceError(f"expected escalation `{escalation_id}` {from_state}, got {state}")


def wait(lookups: Lookups, record: EscalationRecord, from_state: str) -> None:
    """Let an escalation wait, with its routes and times as the record has them.

    Raises:
        StaleFenceError: It is in another state.
    """
    guarded = update(_escalation).where(_escalation.c.id == record.id, _escalation.c.state == from_state)
    values = rows.escalation_values(replace(record, state="open", closed_at=None))
    changed = {name: values[name] for name in ("state", "routes", "due_us", "remind_us", "closed_us")}
    if lookups.change(guarded.values(changed)) != 1:
        raise StaleFenceError(f"expected escalation `{record.id}` {from_state}, got it moved on")


def remind(lookups: Lookups, escalation_id: str, remind_at: datetime, following: datetime | None) -> None:
    """Note that the people of an open escalation were reminded, and when they will be again.

    Raises:
        StaleFenceError: Somebody else reminded them, or it is closed.
    """
    due = _escalation.c.remind_us == to_microseconds(remind_at)
    guarded = update(_escalation).where(_escalation.c.id == escalation_id, _escalation.c.state == "open", due)
    if lookups.change(guarded.values(remind_us=optional_to_microseconds(following))) != 1:
        raise StaleFenceError(f"expected escalation `{escalation_id}` with its reminder due, got it without one")
