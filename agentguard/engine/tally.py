"""Which votes stand: those of people who may decide now, whatever they were when they voted (law 7).

Somebody who left a group, whose votes are not accepted unverified any more, or who turns out to have asked for the
action does not count: neither towards the quorum nor when the action is decided again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from agentguard.core import entry, escalation
from agentguard.core.people import People, User, one_spelling
from agentguard.core.policy import Route, Within
from agentguard.core.request import Vote
from agentguard.engine import escalating, pausing
from agentguard.engine.parts import Parts
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, EscalationRecord

UNVERIFIED = "unverified"
OWN_REQUEST = "own_request"
NOT_ADMITTED = "not_admitted"


@dataclass(frozen=True, slots=True)
class Tally:
    """Votes as they count now, and whose do not count any more, with why."""

    votes: tuple[Vote, ...] = ()
    lost: tuple[tuple[str, str], ...] = ()

    @property
    def not_counted(self) -> list[dict[str, str]]:
        """Whose votes do not count, as entries say it."""
        return [{"voter": voter, "why": why} for voter, why in self.lost]


def tally(parts: Parts, people: People, record: EscalationRecord, action: ActionRecord, votes: Iterable[Vote]) -> Tally:
    """Return which votes on an escalation count with the people of now."""
    counted: list[Vote] = []
    lost: list[tuple[str, str]] = []
    for vote in votes:
        found = _counts(parts, people, record, action, vote, counted) if vote.approve else vote
        if isinstance(found, Vote):
            counted.append(found)
        else:
            lost.append((vote.voter, found))
    return Tally(tuple(counted), tuple(lost))


def _counts(
    parts: Parts,
    people: People,
    record: EscalationRecord,
    action: ActionRecord,
    vote: Vote,
    counted: Sequence[Vote],
) -> Vote | str:
    """Return a yes with the groups that its voter is in now, or why it does not count."""
    if vote.request_digest != record.request_digest:
        return "other_request"
    user = people.named(vote.voter)
    if user is None:
        return NOT_ADMITTED
    if vote.authenticated == UNVERIFIED and not people.allow_unverified:
        return UNVERIFIED
    # Absences are those of when the vote was cast: whoever goes on leave afterwards has voted.
    found = people.membership(user.id, who_of(record), vote.voted_at, frozenset(other.seat for other in counted))
    if found is None:
        return NOT_ADMITTED
    if any(asked_for(parts, action, name) for name in (user, people.users[found.seat])):
        return OWN_REQUEST
    return replace(vote, voter=user.id, groups=found.groups | people.groups_of(found.seat), stands_for=found.stands_for)


def asked_for(parts: Parts, action: ActionRecord, user: User) -> bool:
    """Return whether somebody asked for an action: as who acts, as who runs the agent, or as the customer."""
    actor: dict[str, Any] = orjson.loads(action.request)
    customer = parts.vault.customer_of(action.on_behalf_of) if action.on_behalf_of else None
    asking = {one_spelling(name) for name in (actor["id"], actor.get("operator"), customer) if name}
    return not asking.isdisjoint(one_spelling(name) for name in (user.id, *user.logins, user.email) if name)


def who_of(record: EscalationRecord) -> tuple[str, ...]:
    """Return whom the routes of an escalation admit."""
    return tuple(sorted({who for route in escalating.routes_of(record) for who in route["who"]}))


def unanswered(record: EscalationRecord, votes: Sequence[Vote]) -> list[dict[str, Any]]:
    """Return the routes of which too few have said yes yet; the others are not late, whenever their time is over."""
    return [item for item in escalating.routes_of(record) if escalation.missing(route_of(item), votes)]


def missing(record: EscalationRecord, votes: Sequence[Vote]) -> int:
    """Return how many more yes it takes at least."""
    return max((escalation.missing(route_of(item), votes) for item in escalating.routes_of(record)), default=1)


def route_of(item: dict[str, Any]) -> Route:
    """Return a route as an escalation carries it."""
    within = Within(timedelta(seconds=item["within_seconds"]))
    return Route(item["id"], tuple(item["who"]), item["people"], within, item["if_late"], 0, entry.NO_PLACE)


def at_second_look(
    parts: Parts, reading: Reading, before: ActionRecord | None, people: People | None, now: datetime
) -> Tally:
    """Return the votes that were approval enough, as they count now: no others, and not when they are too old."""
    record = None if before is None or before.escalation is None else reading.escalation(before.escalation)
    if before is None or record is None or people is None:
        return Tally()
    if record.state not in (escalating.APPROVED, escalating.USED) or record.request_digest != before.request_digest:
        return Tally()
    fresh = [vote for vote in reading.votes(record.id) if not _is_old(parts, reading, before, vote, now)]
    return tally(parts, people, record, before, fresh)


def _is_old(parts: Parts, reading: Reading, before: ActionRecord, vote: Vote, now: datetime) -> bool:
    over = now - vote.voted_at - parts.waits.approval
    return over > timedelta(0) and over > pausing.paused(reading, before, vote.voted_at, now)
