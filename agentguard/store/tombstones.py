"""What is purged: entries keep their leaves and lose their bodies under a tombstone, actions keep their keys alone.

An action's row stays, so that its key never acts twice, with nothing in it that says what was asked for, for whom, or
what came of it. What limits counted stays too: accounts and postings name nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import delete, insert, select, update

from agentguard.core.digest import canonical_bytes
from agentguard.store.evidence_tables import TombstoneRow
from agentguard.store.reading import Reading
from agentguard.store.tables import ActionRow, EntryRow, EscalationRow, VoteRow
from agentguard.store.transaction import Transaction

T = TypeVar("T")

_AT_ONCE = 300
"""So many rows a statement: every engine takes their parameters."""

PURGED = canonical_bytes({"purged": True, "reasons": [], "result_kept": False}).decode()
"""What the row of a purged action keeps of its answer."""

_action = ActionRow.__table__
_entry = EntryRow.__table__
_escalation = EscalationRow.__table__
_tombstone = TombstoneRow.__table__
_vote = VoteRow.__table__

_NOTHING: dict[str, Any] = {
    "arguments": "{}",
    "on_behalf_of": "",
    "external_reference": None,
    "answer": PURGED,
    "escalation": None,
}


def bury(transaction: Transaction, ranges: Sequence[tuple[int, int]], entry: int) -> int:
    """Take away the bodies of entries, and return how many they were.

    Args:
        transaction: Which has appended the entry that says so.
        ranges: First and last positions, apart from each other and from every earlier one.
        entry: The position of that entry.
    """
    count = 0
    for some in _pages(ranges):
        rows = [{"first": first, "last": last, "entry": entry} for first, last in some]
        transaction.write(insert(_tombstone).values(rows))
    for positions in _pages([position for first, last in ranges for position in range(first, last + 1)]):
        count += transaction.write(update(_entry).where(_entry.c.pos.in_(positions)).values(body=b""))
    return count


def blank(transaction: Transaction, action_ids: Sequence[str]) -> None:
    """Take away what the rows of actions say of requests and outcomes, and what people decided about them."""
    for some in _pages(action_ids):
        waited = select(_escalation.c.id).where(_escalation.c.action_id.in_(some))
        names = [row["id"] for row in transaction.rows(waited)]
        if names:
            transaction.write(delete(_escalation).where(_escalation.c.action_id.in_(some)))
        for voted in _pages(names):  # a vote goes only after what it was about
            transaction.write(delete(_vote).where(_vote.c.escalation.in_(voted)))
        transaction.write(update(_action).where(_action.c.id.in_(some)).values(_NOTHING))
        for action_id in some:  # what this process remembers has to be what is written
            found = transaction.lookups.action(action_id)
            if found is not None:
                blanked = found._replace(record=found.record._replace(**_NOTHING))
                transaction.lookups.layer.set(("action", action_id), blanked)


def _pages(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))


def tombstones(reading: Reading) -> Iterator[tuple[int, int, int]]:
    """Yield first and last position of each purged stretch, and the position of the entry that says so, in order."""
    for row in reading.rows(select(_tombstone).order_by(_tombstone.c.first)):
        yield row["first"], row["last"], row["entry"]
