"""What people see and do: the escalations that wait, and their votes on them (law 7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from agentguard.core import entry, escalation
from agentguard.core.decision import Reason
from agentguard.core.lifecycle import State
from agentguard.core.people import People
from agentguard.core.policy import Route, Verdict, Within
from agentguard.core.request import Vote
from agentguard.engine import escalating, pausing, recorded
from agentguard.engine.expiry import end_waiting, run_late
from agentguard.engine.parts import Parts
from agentguard.engine.restoring import unsealer
from agentguard.errors import NotFoundError, UsageError
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, EscalationRecord

UNVERIFIED = "unverified"
AUTHENTICATED = frozenset({"os_login", "token", "oidc", UNVERIFIED})
MAX_NOTE_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Shown:
    """An escalation as an approver sees it.

    Attributes:
        shown: The action, its canonical arguments, the reasons and the limits, as JSON.
        votes: The votes so far.
    """

    record: EscalationRecord
    action: ActionRecord
    shown: dict[str, Any]
    votes: tuple[Vote, ...]


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a vote came to: the escalation is `open`, `approved` or `rejected` after it.

    Attributes:
        action_id: What `guard.execute` takes once it is approved.
    """

    escalation: str
    state: str
    action_id: str
    missing: int
    entry: int


class Escalations:
    """The escalations of one guard's store."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def list(
        self, state: str | None = escalating.OPEN, *, tenant: str | None = None, limit: int = 100, after: str = ""
    ) -> tuple[EscalationRecord, ...]:
        """Return escalations in the order in which they were opened, a page at a time; `state` None for all."""

        def read(reading: Reading) -> tuple[EscalationRecord, ...]:
            found = reading.escalations(state, tenant, limit, after)
            return tuple(_really_due(reading, record, reading.action(record.action_id)) for record in found)

        return self._parts.store.read(read)

    def show(self, escalation_id: str) -> Shown:
        """Return what an approver sees.

        Raises:
            NotFoundError: No escalation has this id.
        """

        def read(reading: Any) -> Shown:
            record = reading.escalation(escalation_id)
            action = reading.action(record.action_id) if record is not None else None
            if record is None or action is None:
                raise _not_found(escalation_id)
            due = _really_due(reading, record, action)
            return Shown(due, action, orjson.loads(record.shown), reading.votes(record.id))

        return self._parts.store.read(read)

    def view(self, escalation_id: str, *, by: str, authenticated: str = UNVERIFIED) -> Shown:
        """Return what `show` does with personal arguments in the clear, and record who saw them.

        Only for somebody who may vote on it now. A later vote of theirs carries when they saw it.

        Raises:
            NotFoundError: No escalation has this id.
            UsageError: It is not open, or this person may not vote on it.
        """
        people = self._people(authenticated)

        def work(transaction: Transaction) -> Shown:
            record, action = _open(transaction, escalation_id)
            _may_vote(record, action, by, people, transaction.now())
            shown = orjson.loads(record.shown)
            personal = self._personal(transaction, action)
            shown["arguments"].update(personal)
            body = entry.moved(
                "viewed",
                recorded.about(action, entry.Standing(State.WAITING, action.fence, action.attempt)),
                escalation=record.id,
                voter=by,
                authenticated=authenticated,
                personal=sorted(personal),
                decision_entry=action.decision_entry,
            )
            transaction.append(body)
            return Shown(record, action, shown, transaction.votes(record.id))

        return self._parts.store.transact(work)

    def _personal(self, reading: Reading, action: ActionRecord) -> dict[str, Any]:
        """Return the personal arguments of an action in the clear; one whose key was destroyed reads `(erased)`."""
        sealed = {
            name: value["sealed"]
            for name, value in orjson.loads(action.arguments).items()
            if isinstance(value, dict) and set(value) == {"sealed"}
        }
        unseal = unsealer(self._parts, reading, action.id)
        opened = {name: unseal(f"arguments.{name}", digest) for name, digest in sealed.items()}
        return {name: "(erased)" if value is None else value for name, value in opened.items()}

    def approve(
        self,
        escalation_id: str,
        *,
        by: str,
        authenticated: str = UNVERIFIED,
        reason_code: str = "",
        note: str = "",
        viewed_at: datetime | None = None,
    ) -> Ballot:
        """Vote yes on one escalation.

        After the last vote that it takes, the same key or `guard.execute(action_id)` decides the action again, with the
        facts, limits and policies of that moment, and runs it.

        Args:
            escalation_id: What is voted on.
            by: The voter, as `people.yaml` names them.
            authenticated: How the voter is known: `os_login`, `token`, `oidc`, or `unverified`.
            reason_code: A stable word for why.
            note: Words for the record.
            viewed_at: When the voter saw what is voted on; when they last did `view` it, if left out.

        Raises:
            NotFoundError: No escalation has this id.
            UsageError: It is not open, the voter may not vote on it, or has voted already.
        """
        return self._vote(escalation_id, True, by, authenticated, reason_code, note, viewed_at)

    def reject(
        self,
        escalation_id: str,
        *,
        by: str,
        authenticated: str = UNVERIFIED,
        reason_code: str = "",
        note: str = "",
        viewed_at: datetime | None = None,
    ) -> Ballot:
        """Vote no on one escalation; one no denies the action. Arguments and errors as for `approve`."""
        return self._vote(escalation_id, False, by, authenticated, reason_code, note, viewed_at)

    def withdraw(self, escalation_id: str, *, by: str, why: str) -> Ballot:
        """Take back what was asked for, so that nobody has to decide it; the action is denied.

        Raises:
            NotFoundError: No escalation has this id.
            UsageError: It is not open.
        """

        def work(transaction: Transaction) -> Ballot:
            record, action = _open(transaction, escalation_id)
            transaction.close_escalation(record.id, escalating.OPEN, escalating.WITHDRAWN)
            reason = escalating.ended_reason(record, "withdrawn", why[:MAX_NOTE_CHARACTERS])
            answer = end_waiting(transaction, action, reason, by=by)
            return Ballot(record.id, escalating.WITHDRAWN, action.id, 0, answer.entry or 0)

        return self._parts.store.transact(work)

    def _vote(
        self,
        escalation_id: str,
        approve: bool,
        by: str,
        authenticated: str,
        reason_code: str,
        note: str,
        viewed_at: datetime | None,
    ) -> Ballot:
        if authenticated not in AUTHENTICATED:
            raise UsageError(
                f"expected one of {', '.join(sorted(AUTHENTICATED))} for `authenticated`, got `{authenticated[:40]}`"
            )
        people = self._people(authenticated)

        def work(transaction: Transaction) -> Ballot | None:
            record, action = _open(transaction, escalation_id)
            really = pausing.due_at(transaction, record, action, transaction.now())
            if really.due_at is not None and transaction.now() >= really.due_at:
                run_late(self._parts, action, transaction)
                return None
            groups = people.groups_of(by)
            _may_vote(record, action, by, people, transaction.now())
            vote = Vote(
                escalation=record.id,
                voter=by,
                approve=approve,
                groups=groups,
                authenticated=authenticated,
                request_digest=record.request_digest,
                reasons=frozenset(record.reasons),
                voted_at=transaction.now(),
                reason_code=reason_code,
                note=note[:MAX_NOTE_CHARACTERS],
                viewed_at=viewed_at or _last_view(transaction, record, by),
            )
            transaction.vote(vote)
            return self._counted(transaction, record, action, vote)

        ballot = self._parts.store.transact(work)
        if ballot is None:
            raise UsageError(
                f"escalation `{escalation_id}` is late and was passed on or denied; see `escalations list`"
            )
        return ballot

    def _counted(self, transaction: Transaction, record: EscalationRecord, action: ActionRecord, vote: Vote) -> Ballot:
        votes = transaction.votes(record.id)
        state, missing = escalating.OPEN, _missing(record, votes)
        if not vote.approve:
            state, missing = escalating.REJECTED, 0
        elif missing == 0:
            state = escalating.APPROVED
        body = entry.moved(
            "voted",
            recorded.about(action, entry.Standing(State.WAITING, action.fence, action.attempt)),
            escalation=record.id,
            escalation_state=state,
            decision_entry=action.decision_entry,
            request_digest=record.request_digest,
            vote={**entry.vote(vote), "note": vote.note},
        )
        written = transaction.append(body)
        if state != escalating.OPEN:
            transaction.close_escalation(record.id, escalating.OPEN, state)
        if state == escalating.REJECTED:
            reason = Reason("rejected", record.id, Verdict.DENY, because=vote.note)
            answer = end_waiting(transaction, action, reason, by=vote.voter, authenticated=vote.authenticated)
            return Ballot(record.id, state, action.id, 0, answer.entry or written.pos)
        return Ballot(record.id, state, action.id, missing, written.pos)

    def _people(self, authenticated: str) -> People:
        people = self._parts.directory.people()
        if people is None:
            raise UsageError(
                "nobody may vote: no `people.yaml` beside the policies says who is in which group; write one"
            )
        if authenticated == UNVERIFIED and not people.allow_unverified:
            raise UsageError(
                "nobody checked who votes, and `people.yaml` lacks `allow_unverified: yes`; log in, or allow it there"
            )
        return people


def _really_due(reading: Reading, record: EscalationRecord, action: ActionRecord | None) -> EscalationRecord:
    """Return an escalation as it is due without the time in which its action was stopped."""
    if record.state != escalating.OPEN or action is None:
        return record
    return pausing.due_at(reading, record, action, reading.clock().ledger)


def _open(transaction: Transaction, escalation_id: str) -> tuple[EscalationRecord, ActionRecord]:
    record = transaction.escalation(escalation_id)
    action = transaction.action(record.action_id) if record is not None else None
    if record is None or action is None:
        raise _not_found(escalation_id)
    if record.state != escalating.OPEN or action.state is not State.WAITING or action.escalation != record.id:
        raise UsageError(f"expected an open escalation, got `{escalation_id}`, which is {record.state}")
    return record, action


def _may_vote(record: EscalationRecord, action: ActionRecord, by: str, people: People, now: datetime) -> None:
    routes = escalating.routes_of(record)
    user = people.users.get(by)
    names = {by} | (user.logins if user is not None else frozenset())
    if action.agent in names:
        raise UsageError(f"`{by}` asked for this action and may not decide it; somebody else has to")
    if not any(by in people.admitted(tuple(route["who"]), now) for route in routes):
        wanted = ", ".join(sorted({who for route in routes for who in route["who"]}))
        raise UsageError(f"`{by}` may not decide this: it takes {wanted}")


def _last_view(reading: Reading, record: EscalationRecord, by: str) -> datetime | None:
    views = [item for item in reading.entries_of(record.action_id) if item.kind == "viewed"]
    return max(
        (item.at for item in views if (item.document["escalation"], item.document["voter"]) == (record.id, by)),
        default=None,
    )


def _missing(record: EscalationRecord, votes: tuple[Vote, ...]) -> int:
    """Return how many more yes it takes at least."""
    missing = 0
    for item in escalating.routes_of(record):
        route = _route(item)
        if not escalation.quorum_reached(route, votes):
            voters = {
                vote.voter for vote in votes if vote.approve and escalation.admits(route, vote.voter, vote.groups)
            }
            missing += route.people - len(voters)
    return missing


def _route(item: dict[str, Any]) -> Route:
    within = Within(datetime.fromisoformat(item["due"]) - datetime.fromisoformat(item["due"]))
    return Route(
        id=item["id"],
        who=tuple(item["who"]),
        people=item["people"],
        within=within,
        if_late=item["if_late"],
        strength=0,
        place=entry.NO_PLACE,
    )


def _not_found(escalation_id: str) -> NotFoundError:
    return NotFoundError(f"expected the id of an escalation, got `{escalation_id!s:.100}`, which none has")
