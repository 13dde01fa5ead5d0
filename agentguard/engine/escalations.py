"""What people see and do: the escalations that wait, and their votes on them (law 7)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

import orjson

from agentguard.core import entry
from agentguard.core.packet import Packet
from agentguard.core.people import People, User
from agentguard.core.request import Vote
from agentguard.engine import admission, contesting, escalating, pausing, powers, recorded, voting
from agentguard.engine.admission import MAX_NOTE_CHARACTERS, Refused, Try
from agentguard.engine.amending import amend
from agentguard.engine.electorate import electorate
from agentguard.engine.expiry import end_waiting
from agentguard.engine.figures import Statistics, statistics_of
from agentguard.engine.packet import packet
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Permit, Person, Use
from agentguard.engine.tally import UNVERIFIED, who_of
from agentguard.engine.voting import Ballot
from agentguard.errors import UsageError
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, EscalationRecord

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """An escalation as an approver sees it.

    Attributes:
        shown: The action, its canonical arguments, the reasons and the limits, as JSON.
        votes: The votes so far.
        packet: Everything that there is to know for whoever decides; only `view` opens what is personal.
        earlier: The escalations that the same action had before, with the votes on them; those count no more.
    """

    record: EscalationRecord
    action: ActionRecord
    shown: dict[str, Any]
    votes: tuple[Vote, ...]
    packet: Packet
    earlier: tuple[tuple[EscalationRecord, tuple[Vote, ...]], ...] = ()


class Escalations:
    """The escalations of one guard's store."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def list(
        self, state: str | None = escalating.OPEN, *, tenant: str | None = None, limit: int = 100, after: str = ""
    ) -> tuple[EscalationRecord, ...]:
        """Return escalations, those that are late first, a page at a time; `state` None for all, `after` an id.

        Raises:
            NotFoundError: No escalation has the id `after`.
            UsageError: There is no such state.
        """
        if state is not None and state not in escalating.STATES:
            raise UsageError(f"expected None or one of {', '.join(escalating.STATES)} as `state`, got `{state!s:.100}`")

        def read(reading: Reading) -> tuple[EscalationRecord, ...]:
            """Return the escalations with the times they really have."""
            if after:
                admission.found(reading, after)
            found = reading.escalations(state, tenant, limit, after)
            late = [record.opened_at for record in found if _seems_late(reading, record)]
            if not late or not pausing.counts_anew(reading, min(late)):
                return found
            return tuple(_really_due(reading, record) for record in found)

        return self._parts.store.read(read)

    def for_person(
        self, by: str, *, tenant: str | None = None, limit: int = 100, after: str = ""
    ) -> tuple[EscalationRecord, ...]:
        """Return what somebody can decide now, those that are late first, a page at a time; `after` is an id.

        Raises:
            NotFoundError: No escalation has the id `after`.
            UsageError: Nobody is called so.
            VoteRefusedError: Nothing tells who the people are.
        """
        people = admission.convened(self._parts)
        if isinstance(people, Refused):
            raise people.error()
        user = people.named(by)
        if user is None:
            raise UsageError(f"expected somebody whom the people file names, got `{by[:100]}`")

        def read(reading: Reading) -> tuple[EscalationRecord, ...]:
            """Return as many as are wanted, however many others lie between them."""
            if after:
                admission.found(reading, after)
            theirs = (
                item for item in _open(reading, tenant, after) if _can_decide(self._parts, reading, people, item, user)
            )
            return tuple(itertools.islice(theirs, limit))

        return self._parts.store.read(read)

    def show(self, escalation_id: str) -> Shown:
        """Return what an approver sees.

        Raises:
            NotFoundError: No escalation has this id.
        """

        def read(reading: Reading) -> Shown:
            """Return the escalation with what is shown of it."""
            record, action = admission.found(reading, escalation_id)
            packed = packet(self._parts, reading, escalation_id)
            return _shown(reading, _really_due(reading, record), action, packed)

        return self._parts.store.read(read)

    def view(self, escalation_id: str, *, by: str, authenticated: str = UNVERIFIED) -> Shown:
        """Return what `show` does with everything personal in the clear, and record who saw what.

        Only for somebody who may vote on it now. A later vote of theirs carries when they saw it.

        Raises:
            NotFoundError: No escalation has this id.
            VoteRefusedError: It is not open, or this person may not vote on it.
        """
        attempt = Try(admission.VIEW, by, authenticated)
        people = admission.convened(self._parts)

        def work(transaction: Transaction) -> Shown | Refused:
            """Write down who looked, and return what they see."""
            record, action = admission.found(transaction, escalation_id)
            seat = admission.admitted(self._parts, transaction, record, action, people, attempt)
            if isinstance(seat, Refused):
                return seat
            packed = packet(self._parts, transaction, escalation_id, personal=True)
            body = entry.moved(
                "viewed",
                recorded.about(action, entry.Standing(action.state, action.fence, action.attempt)),
                escalation=record.id,
                voter=seat.voter,
                authenticated=authenticated,
                personal=list(packed.opened),
                decision_entry=action.decision_entry,
            )
            transaction.append(body)
            return _shown(transaction, record, action, packed)

        seen = self._parts.store.transact(work)
        if isinstance(seen, Refused):
            raise seen.error()
        return seen

    def approve(
        self,
        escalation_id: str,
        *,
        by: str,
        reason_code: str,
        authenticated: str = UNVERIFIED,
        note: str = "",
        viewed_at: datetime | None = None,
    ) -> Ballot:
        """Vote yes on one escalation.

        After the last vote that it takes, the same key or `guard.execute(action_id)` decides the action again, with the
        facts, limits, policies and people of that moment, and runs it.

        Args:
            escalation_id: What is voted on.
            by: The voter, by an id or login of `people.yaml`.
            reason_code: A word for why, like `within_policy` or `goodwill`; a route may list the ones it takes.
            authenticated: How the voter is known: `os_login`, `token`, `oidc`, or `unverified`.
            note: Words for the record.
            viewed_at: When the voter saw what is voted on; when they last did `view` it, if left out.

        Raises:
            NotFoundError: No escalation has this id.
            VoteRefusedError: It is not open, the voter may not vote on it, or has voted already; the log says so.
        """
        return voting.vote(
            self._parts, escalation_id, Try(admission.APPROVE, by, authenticated, reason_code, note, viewed_at)
        )

    def reject(
        self,
        escalation_id: str,
        *,
        by: str,
        reason_code: str,
        authenticated: str = UNVERIFIED,
        note: str = "",
        viewed_at: datetime | None = None,
    ) -> Ballot:
        """Vote no on one escalation; one no denies the action. Arguments and errors as for `approve`."""
        return voting.vote(
            self._parts, escalation_id, Try(admission.REJECT, by, authenticated, reason_code, note, viewed_at)
        )

    def amend(
        self,
        escalation_id: str,
        arguments: Mapping[str, Any],
        *,
        by: str,
        reason_code: str,
        authenticated: str = UNVERIFIED,
        note: str = "",
        viewed_at: datetime | None = None,
    ) -> Ballot:
        """Ask for less, or for another choice, in place of what waits; a new action that is decided on its own.

        Only what the route lets an approver change may be changed, and nothing may be raised. The yes of whoever amends
        counts for the new action where its route admits them and asks for reasons that they saw. `execute` with the
        ballot's `action_id` decides it; so does whoever asks again under the old key, which answers with its outcome.

        Args:
            escalation_id: What is amended.
            arguments: What is changed, by name: `{"amount": "200.00"}`.
            by: As for `approve`, like the rest.
            reason_code: A word for why.
            authenticated: How whoever amends is known.
            note: Words for the record.
            viewed_at: When they saw what they amend.

        Raises:
            NotFoundError: No escalation has this id.
            UsageError: An argument is not one of the action, or its value cannot be understood.
            VoteRefusedError: It is not open, they may not decide it, or may not change it so; the log says so.
        """
        attempt = Try(admission.AMEND, by, authenticated, reason_code, note, viewed_at)
        return amend(self._parts, escalation_id, attempt, arguments)

    def stats(self, *, since: datetime | None = None, tenant: str | None = None) -> Statistics:
        """Return how people decided what was opened since a moment: by route and by person."""
        return self._parts.store.read(lambda reading: statistics_of(reading, tenant, since))

    def withdraw(self, escalation_id: str, **person: Unpack[Person]) -> Ballot:
        """Take back what was asked for, so that nobody has to decide it; the action is denied.

        Raises:
            NotFoundError: No escalation has this id.
            PowerRefusedError: This person may not, or has asked for it already and somebody else has to.
            UsageError: It is not open.
        """

        def work(transaction: Transaction, permit: Permit) -> Ballot:
            """Close the escalation, once enough people say so."""
            record, action = admission.found(transaction, escalation_id)
            if not escalating.is_open(record, action):
                raise UsageError(admission.not_open(record))
            agreement = permit.together(transaction)
            if agreement.missing:
                return Ballot(record.id, escalating.OPEN, action.id, agreement.missing, agreement.entry)
            transaction.close_escalation(record.id, escalating.OPEN, escalating.WITHDRAWN)
            said = permit.recorded(agreement)
            if record.kind == escalating.CONTEST:
                position = contesting.ended(transaction, record, action, escalating.WITHDRAWN, **said)
                return Ballot(record.id, escalating.WITHDRAWN, action.id, 0, position)
            reason = escalating.ended_reason(record, "withdrawn", said["why"][:MAX_NOTE_CHARACTERS])
            answer = end_waiting(transaction, action, reason, **said)
            return Ballot(record.id, escalating.WITHDRAWN, action.id, 0, answer.entry or 0)

        tenant = self._parts.store.read(lambda reading: admission.found(reading, escalation_id)[1].tenant)
        return powers.used(self._parts, Use("withdraw", escalation_id, tenant, **person), work)


def _open(reading: Reading, tenant: str | None, after: str) -> Iterator[EscalationRecord]:
    """Yield what is open and not late, what is due first."""
    while page := reading.escalations(escalating.OPEN, tenant, _PAGE, after):
        for record in page:
            really = _really_due(reading, record)
            if really.due_at is None or reading.clock().ledger < really.due_at:
                yield really
        after = page[-1].id


def _can_decide(parts: Parts, reading: Reading, people: People, record: EscalationRecord, user: User) -> bool:
    who = who_of(record)
    if user.id not in people.admitted(who, reading.clock().ledger):
        return False
    action = reading.action(record.action_id)
    return action is not None and user in electorate(parts, reading, people, record, action, who)


def _shown(reading: Reading, record: EscalationRecord, action: ActionRecord, packed: Packet) -> Shown:
    earlier = tuple(
        (other, reading.votes(other.id)) for other in reading.escalations_of(action.id) if other.id != record.id
    )
    return Shown(record, action, orjson.loads(record.shown), reading.votes(record.id), packed, earlier)


def _really_due(reading: Reading, record: EscalationRecord) -> EscalationRecord:
    """Return an escalation as it is due without the time in which its action was stopped."""
    action = reading.action(record.action_id) if _seems_late(reading, record) else None
    return record if action is None else pausing.due_at(reading, record, action, reading.clock().ledger)


def _seems_late(reading: Reading, record: EscalationRecord) -> bool:
    is_open = record.state == escalating.OPEN
    return is_open and record.due_at is not None and reading.clock().ledger >= record.due_at
