"""How far readers have followed the log: one row each, moved by guarded updates, so that two never go on with one."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from agentguard.store.lookups import Lookups
from agentguard.store.moment import optional_from_microseconds, optional_to_microseconds
from agentguard.store.records import CursorRecord
from agentguard.store.tables import CursorRow

_cursor = CursorRow.__table__


def found(lookups: Lookups, name: str) -> CursorRecord | None:
    """Return where a reader is, or None if it never began."""
    row = next(iter(lookups.cold.find(select(_cursor).where(_cursor.c.name == name))), None)
    if row is None:
        return None
    return CursorRecord(
        name=row["name"],
        position=row["position"],
        fence=row["fence"],
        lease_until=optional_from_microseconds(row["lease_us"]),
        attempts=row["attempts"],
        error=row["error"],
        stopped=bool(row["stopped"]),
    )


def move(lookups: Lookups, before: CursorRecord | None, after: CursorRecord) -> bool:
    """Move a reader on if it is still where the caller thinks, or begin it where there was none."""
    values = {
        "position": after.position,
        "fence": after.fence,
        "lease_us": optional_to_microseconds(after.lease_until),
        "attempts": after.attempts,
        "error": after.error,
        "stopped": int(after.stopped),
    }
    if before is not None:
        guarded = update(_cursor).where(_cursor.c.name == before.name, _cursor.c.fence == before.fence)
        return lookups.change(guarded.values(values)) == 1
    if found(lookups, after.name) is not None:
        return False
    return lookups.change(insert(_cursor).values(name=after.name, **values)) == 1
