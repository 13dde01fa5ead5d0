"""Casting votes, counting those that stand, and what a vote comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from agentguard.core import entry
from agentguard.core.decision import Reason
from agentguard.core.lifecycle import State
from agentguard.core.people import Membership, People
from agentguard.core.policy import Verdict
from agentguard.core.request import Vote
from agentguard.engine import contesting, escalating, recorded
from agentguard.engine.admission import (
    APPROVE,
    NO_PEOPLE,
    REJECT,
    Refused,
    Try,
    admitted,
    closed,
    convened,
    found,
    may_decide,
)
from agentguard.engine.expiry import end_waiting
from agentguard.engine.notes import sealed_note
from agentguard.engine.parts import Parts
from agentguard.engine.restoring import unsealer
from agentguard.engine.tally import missing, tally, unanswered
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, Entry, EscalationRecord


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a vote came to: the escalation is `open`, `approved`, `rejected`, `withdrawn` or `amended` after it.

    Attributes:
        action_id: What `guard.execute` takes once it is approved.
        missing: How many more people have to say yes at least.
        not_counted: Whose earlier votes do not count any more, with why.
        stands_for: In whose place it was cast; empty for the voter's own.
    """

    escalation: str
    state: str
    action_id: str
    missing: int
    entry: int
    not_counted: tuple[tuple[str, str], ...] = ()
    stands_for: str = ""


VOTED = "voted"
PLACE = "vote.note"


def vote(parts: Parts, escalation_id: str, attempt: Try) -> Ballot:
    """Cast a vote.

    Raises:
        NotFoundError: No escalation has this id.
        VoteRefusedError: It is not open, or whoever votes may not; the log says so.
    """
    people = convened(parts)

    def work(transaction: Transaction) -> Ballot | Refused:
        """Count the vote, or return why it is refused."""
        record, action = found(transaction, escalation_id)
        before = _stands_again(parts, transaction, record, action, people, attempt)
        if before is not None and isinstance(people, People):
            return _counted(parts, transaction, record, action, people, before, attempt.note)
        seat = admitted(parts, transaction, record, action, people, attempt)
        if isinstance(seat, Refused) or isinstance(people, Refused):
            return seat if isinstance(seat, Refused) else NO_PEOPLE
        cast = vote_of(transaction, record, people, seat, attempt)
        transaction.vote(cast)
        return _counted(parts, transaction, record, action, people, cast, attempt.note)

    ballot = parts.store.transact(work)
    if isinstance(ballot, Refused):
        raise ballot.error()
    return ballot


def _stands_again(
    parts: Parts,
    transaction: Transaction,
    record: EscalationRecord,
    action: ActionRecord,
    people: People | Refused,
    attempt: Try,
) -> Vote | None:
    """Return the earlier yes of somebody who was gone and is back, if they say yes again and nobody else is missing."""
    user = people.named(attempt.by) if isinstance(people, People) and attempt.doing == APPROVE else None
    if user is None or isinstance(people, Refused) or closed(parts, transaction, record, action) is not None:
        return None
    now = tally(parts, people, record, action, transaction.votes(record.id))
    mine = next((item for item in now.votes if item.voter == user.id), None)
    cast = {item.voter: item for item in transaction.votes(record.id)}
    return cast.get(user.id) if mine is not None and missing(record, now.votes) == 0 else None


def vote_of(
    reading: Reading, record: EscalationRecord, people: People, seat: Membership, attempt: Try, **changes: Any
) -> Vote:
    """Return a vote with everything that is recorded of it."""
    given: dict[str, Any] = {
        "escalation": record.id,
        "voter": seat.voter,
        "approve": attempt.doing != REJECT,
        "groups": seat.groups | people.groups_of(seat.seat),
        "authenticated": attempt.authenticated,
        "request_digest": record.request_digest,
        "reasons": frozenset(record.reasons),
        "voted_at": reading.now(),
        "reason_code": attempt.reason_code or "",
        "viewed_at": _viewed(reading, record, seat.voter, attempt),
        "stands_for": seat.stands_for,
        "late": frozenset(name for route in escalating.routes_of(record) for name in route["stands_for"]),
    }
    return Vote(**{**given, **changes})


def _viewed(reading: Reading, record: EscalationRecord, voter: str, attempt: Try) -> datetime | None:
    """Return when they saw what they vote on, which nobody did later than they voted."""
    claimed = attempt.viewed_at
    return last_view(reading, record, voter) if claimed is None else min(claimed, reading.now())


def last_view(reading: Reading, record: EscalationRecord, voter: str) -> datetime | None:
    """Return when somebody last looked at an escalation."""
    views = [item for item in reading.entries_of(record.action_id) if item.kind == "viewed"]
    return max(
        (item.at for item in views if (item.document["escalation"], item.document["voter"]) == (record.id, voter)),
        default=None,
    )


def written(
    parts: Parts,
    transaction: Transaction,
    record: EscalationRecord,
    action: ActionRecord,
    cast: Vote,
    state: str,
    note: str,
    **more: Any,
) -> int:
    """Write the entry of a vote and return its position; the note is sealed in it."""
    body = entry.moved(
        VOTED,
        recorded.about(action, entry.Standing(action.state, action.fence, action.attempt)),
        escalation=record.id,
        escalation_state=state,
        decision_entry=action.decision_entry,
        request_digest=record.request_digest,
        vote=entry.vote(cast),
        note=sealed_note(parts, transaction, action, PLACE, note),
        **more,
    )
    return transaction.append(body).pos


def note_of(parts: Parts, reading: Reading, cast: Vote, action_id: str) -> str | None:
    """Return what a voter noted, opened; None for nothing, and where its key is gone."""
    noted = noted_votes(reading, action_id).get((cast.escalation, cast.voter))
    found = None if noted is None else unsealer(parts, reading, action_id)(PLACE, noted.document["note"]["sealed"])
    return found if isinstance(found, str) else None


def noted_votes(reading: Reading, action_id: str) -> dict[tuple[str, str], Entry]:
    """Return the newest entry of each vote on an action that has a note, by escalation and voter."""
    entries = (item for item in reading.entries_of(action_id) if item.kind == VOTED and not item.is_purged)
    voted = [(item, item.document) for item in entries]
    return {(body["escalation"], body["vote"]["voter"]): item for item, body in voted if body["note"]}


def _counted(
    parts: Parts,
    transaction: Transaction,
    record: EscalationRecord,
    action: ActionRecord,
    people: People,
    cast: Vote,
    note: str,
) -> Ballot:
    """Count the votes that stand now, and end what one no or the last yes ends."""
    now = tally(parts, people, record, action, transaction.votes(record.id))
    state, left = escalating.OPEN, missing(record, now.votes)
    if not cast.approve:
        state, left = escalating.REJECTED, 0
    elif left == 0:
        state = escalating.APPROVED
    standing = {"missing": left, "not_counted": now.not_counted, "people": people.source or None}
    position = written(parts, transaction, record, action, cast, state, note, **standing)
    if state == escalating.OPEN:
        _wait_for_the_others(transaction, record, now.votes)
    elif record.kind == escalating.CONTEST:
        contested, position = contesting.decided(parts, transaction, record, action, cast)
        return Ballot(record.id, state, contested, 0, position, now.lost, cast.stands_for)
    if state != escalating.OPEN:
        transaction.close_escalation(record.id, escalating.OPEN, state)
    if state == escalating.REJECTED:
        reason = Reason("rejected", record.id, Verdict.DENY)
        answer = end_waiting(transaction, action, reason, by=cast.voter, authenticated=cast.authenticated)
        position = answer.entry or position
    return Ballot(record.id, state, action.id, left, position, now.lost, cast.stands_for)


def _wait_for_the_others(transaction: Transaction, record: EscalationRecord, votes: Sequence[Vote]) -> None:
    """Let only those routes be late, and be reminded, of which too few have said yes."""
    asked = unanswered(record, votes)
    before = record.remind_at
    remind = None if before is None else escalating.next_reminder(asked, before - timedelta(microseconds=1))
    again = replace(record, due_at=escalating.earliest(asked), remind_at=remind)
    if again != record:
        transaction.await_people(again, escalating.OPEN)


def carried(
    parts: Parts, transaction: Transaction, before: ActionRecord, opened: EscalationRecord, people: People | None
) -> bool:
    """Let the yes of whoever amended a request count for the new one, and return whether that is approval enough.

    It counts where the new route admits them too, and only if they saw every reason that there is now (law 7).
    """
    origin = transaction.action(before.relates_to) if before.state is State.PROPOSED and before.relates_to else None
    if origin is None or recorded.kept(origin).get("amended") != before.id:
        return False  # somebody else's yes to the same request, say before a contest of it, is none to this one
    votes = transaction.votes(origin.escalation) if origin.escalation is not None else ()
    earlier = next((item for item in votes if item.approve and item.request_digest == opened.request_digest), None)
    action = transaction.action(before.id)
    if earlier is None or action is None or people is None or not earlier.reasons.issuperset(opened.reasons):
        return False
    attempt = Try(
        APPROVE,
        earlier.voter,
        earlier.authenticated,
        earlier.reason_code or None,
        note_of(parts, transaction, earlier, origin.id) or "",
        earlier.viewed_at,
    )
    seat = may_decide(parts, transaction, opened, action, people, attempt)
    if isinstance(seat, Refused):
        return False
    cast = vote_of(transaction, opened, people, seat, attempt, voted_at=earlier.voted_at)
    transaction.vote(cast)
    return _counted(parts, transaction, opened, action, people, cast, attempt.note).state == escalating.APPROVED
