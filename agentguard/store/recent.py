"""What was written since a position of the log: which actions, by which kinds of entries."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from agentguard.store.lookups import Lookups
from agentguard.store.statement import Statement
from agentguard.store.tables import EntryRow
from agentguard.store.writing import INSERT_ENTRY

_entry = EntryRow.__table__
_SINCE = Statement(select(_entry.c.kind, _entry.c.action_id).where(_entry.c.pos > bindparam("position")), ["position"])
_POS, _KIND, _ACTION = (INSERT_ENTRY.order.index(name) for name in ("pos", "kind", "action_id"))


def written_since(lookups: Lookups, position: int) -> frozenset[tuple[str, str | None]]:
    """Return the kind and the action of each entry after a position, those of this commit included."""
    written = {(str(kind), action_id) for kind, action_id in lookups.channel.rows(_SINCE, (position,))}
    pending = lookups.layer.pending(INSERT_ENTRY)
    return frozenset(written.union((row[_KIND], row[_ACTION]) for row in pending if row[_POS] > position))
