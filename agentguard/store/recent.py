"""What was written since a position of the log: which actions, by which kinds of entries."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import bindparam, select

from agentguard.store.lookups import Lookups
from agentguard.store.memory import UNKNOWN
from agentguard.store.statement import Statement
from agentguard.store.tables import EntryRow
from agentguard.store.writing import INSERT_ENTRY

Written = tuple[str, str | None]
"""The kind of an entry, and its action."""

_entry = EntryRow.__table__
_SINCE = Statement(select(_entry.c.kind, _entry.c.action_id).where(_entry.c.pos > bindparam("position")), ["position"])
_POS, _KIND, _ACTION = (INSERT_ENTRY.order.index(name) for name in ("pos", "kind", "action_id"))
_NAME = ("written_since",)


def written_since(lookups: Lookups, position: int, size: int) -> Iterator[Written]:
    """Yield the kind and the action of each entry after a position, those of this commit included.

    Args:
        lookups: Of the transaction.
        position: Before the first entry.
        size: How many entries the log has.
    """
    stored = size
    for row in lookups.layer.pending(INSERT_ENTRY):
        stored = min(stored, row[_POS] - 1)
        if row[_POS] > position:
            yield row[_KIND], row[_ACTION]
    if stored > position:
        yield from _stored_since(lookups, position, stored)


def _stored_since(lookups: Lookups, position: int, stored: int) -> frozenset[Written]:
    """Return those that the database has already; units of work of one commit mostly ask for the same ones."""
    found = lookups.layer.find(_NAME)
    if found is UNKNOWN or found[0] != stored:
        found = lookups.layer.known[_NAME] = (stored, {})
    known: dict[int, frozenset[Written]] = found[1]
    if position not in known:
        rows = lookups.channel.rows(_SINCE, (position,))
        known[position] = frozenset((str(kind), action_id) for kind, action_id in rows)
    return known[position]
