"""Who can still decide what waits: those whom its routes admit now, and whom nothing else keeps from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentguard.core.people import People, User
from agentguard.engine import escalating
from agentguard.engine.contesting import has_seen
from agentguard.engine.parts import Parts
from agentguard.engine.tally import asked_for
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, EscalationRecord


def electorate(
    parts: Parts, reading: Reading, people: People, record: EscalationRecord, action: ActionRecord, who: Iterable[str]
) -> Iterator[User]:
    """Yield who can still vote on an escalation as one of those whom its routes admit, in the order of their ids."""
    wanted, now = tuple(who), reading.clock().ledger
    cast = reading.votes(record.id)
    taken = frozenset(people.id_of(vote.seat) for vote in cast)
    for name in sorted(people.admitted(wanted, now) - {people.id_of(vote.voter) for vote in cast}):
        seat = people.membership(name, wanted, now, taken)
        if seat is None or any(asked_for(parts, action, people.users[user]) for user in (name, seat.seat)):
            continue
        if record.kind != escalating.CONTEST or not has_seen(reading, action, people.users[name]):
            yield people.users[name]
