"""Casting votes: who may, what refuses them, and what a vote comes to. Every refused try is an entry of the log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentguard.core import entry
from agentguard.core.decision import Reason
from agentguard.core.lifecycle import State
from agentguard.core.people import Membership, People, User, one_spelling
from agentguard.core.policy import Verdict
from agentguard.core.request import Vote
from agentguard.engine import escalating, pausing, recorded
from agentguard.engine.expiry import end_waiting, run_late
from agentguard.engine.parts import Parts
from agentguard.engine.tally import NOT_ADMITTED, OWN_REQUEST, UNVERIFIED, asked_for, missing, tally, who_of
from agentguard.errors import NotFoundError, PeopleUnavailableError, UsageError, VoteRefusedError
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, EscalationRecord

APPROVE = "approve"
REJECT = "reject"
AMEND = "amend"
VIEW = "view"

AUTHENTICATED = frozenset({"os_login", "token", "oidc", UNVERIFIED})
MAX_NAME_CHARACTERS = 200
MAX_NOTE_CHARACTERS = 2_000
MOST_REFUSALS = 50
"""How many refused tries the log keeps for one escalation; the same one again is not written again."""

_REASON_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a vote came to: the escalation is `open`, `approved`, `rejected`, `withdrawn` or `amended` after it.

    Attributes:
        action_id: What `guard.execute` takes once it is approved.
        missing: How many more people have to say yes at least.
        not_counted: Whose earlier votes do not count any more, with why.
    """

    escalation: str
    state: str
    action_id: str
    missing: int
    entry: int
    not_counted: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Try:
    """What somebody wants to do with an escalation.

    Attributes:
        doing: `approve`, `reject`, `amend` or `view`.
        by: Who they are, by id or login.
        authenticated: How that is known.

    Raises:
        UsageError: The host's own part of it is wrong.
    """

    doing: str
    by: str
    authenticated: str
    reason_code: str | None = None
    note: str = ""
    viewed_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what a host must not hand over."""
        if self.authenticated not in AUTHENTICATED:
            shown = str(self.authenticated)[:40]
            raise UsageError(f"expected one of {', '.join(sorted(AUTHENTICATED))} for `authenticated`, got `{shown}`")
        if not _is_text(self.by, MAX_NAME_CHARACTERS) or not self.by.isprintable():
            raise UsageError(f"expected `by` as printable text of at most {MAX_NAME_CHARACTERS} characters")
        if self.reason_code is not None and not _REASON_CODE.fullmatch(str(self.reason_code)):
            raise UsageError(
                f"expected a reason code like `within_policy` or `goodwill`, got `{str(self.reason_code)[:70]}`"
            )
        if not _is_text(self.note, MAX_NOTE_CHARACTERS):
            raise UsageError(f"expected a note of at most {MAX_NOTE_CHARACTERS:,} characters")


def _is_text(given: object, most: int) -> bool:
    return isinstance(given, str) and len(given) <= most


@dataclass(frozen=True, slots=True)
class Refused:
    """Why somebody may not do what they try: a stable code, and words."""

    why: str
    words: str

    def error(self) -> VoteRefusedError:
        """Return what is raised once it is in the log."""
        return VoteRefusedError(self.why, self.words)


NO_PEOPLE = Refused(
    "no_people", "nobody may vote: no `people.yaml` beside the policies says who is in which group; write one"
)


def convened(parts: Parts) -> People | Refused:
    """Return who the people are now, or why nobody may act."""
    try:
        return parts.directory.people() or NO_PEOPLE
    except PeopleUnavailableError as error:
        return Refused(error.code, str(error))


def found(reading: Reading, escalation_id: object) -> tuple[EscalationRecord, ActionRecord]:
    """Return an escalation and its action.

    Raises:
        NotFoundError: No escalation has this id.
    """
    record = reading.escalation(escalation_id) if isinstance(escalation_id, str) else None
    action = reading.action(record.action_id) if record is not None else None
    if record is None or action is None:
        raise NotFoundError(f"expected the id of an escalation, got `{escalation_id!s:.100}`, which none has")
    return record, action


def admitted(
    parts: Parts,
    transaction: Transaction,
    record: EscalationRecord,
    action: ActionRecord,
    people: People | Refused,
    attempt: Try,
) -> Membership | Refused:
    """Return by what somebody may decide an escalation now, or why they may not; what is refused is written down."""
    allowed = _admitted(parts, transaction, record, action, people, attempt)
    if isinstance(allowed, Refused):
        refuse(transaction, record, attempt, allowed)
    return allowed


def _admitted(
    parts: Parts,
    transaction: Transaction,
    record: EscalationRecord,
    action: ActionRecord,
    people: People | Refused,
    attempt: Try,
) -> Membership | Refused:
    closed = _closed(parts, transaction, record, action)
    if closed is not None:
        return closed
    if isinstance(people, Refused):
        return people
    if attempt.authenticated == UNVERIFIED and not people.allow_unverified:
        words = "nobody checked who votes, and `people.yaml` lacks `allow_unverified: yes`; log in, or allow it there"
        return Refused(UNVERIFIED, words)
    user = people.named(attempt.by)
    seat = None if user is None else _seat(parts, transaction, record, action, people, user, attempt)
    if user is None or seat is None:
        wanted = ", ".join(who_of(record))
        return Refused(NOT_ADMITTED, f"`{attempt.by}` may not decide this: it takes {wanted}")
    if isinstance(seat, Refused) or attempt.reason_code is None:
        return seat
    return _for_this_reason(record, seat, attempt.reason_code) or seat


def _closed(parts: Parts, transaction: Transaction, record: EscalationRecord, action: ActionRecord) -> Refused | None:
    """Return why nobody can decide an escalation any more; one that is late is passed on or denied on this occasion."""
    if record.state != escalating.OPEN or action.state is not State.WAITING or action.escalation != record.id:
        return Refused("not_open", f"expected an open escalation, got `{record.id}`, which is {record.state}")
    really = pausing.due_at(transaction, record, action, transaction.now())
    if really.due_at is None or transaction.now() < really.due_at:
        return None
    run_late(parts, action, transaction)
    return Refused("late", f"escalation `{record.id}` is late and was passed on or denied; see `escalations list`")


def _seat(
    parts: Parts,
    transaction: Transaction,
    record: EscalationRecord,
    action: ActionRecord,
    people: People,
    user: User,
    attempt: Try,
) -> Membership | Refused | None:
    """Return from whose place somebody votes, why they must not, or None where the routes do not admit them."""
    now, votes = transaction.now(), transaction.votes(record.id) if attempt.doing != VIEW else ()
    own = Refused(OWN_REQUEST, f"`{user.id}` asked for this action and may not decide it; somebody else has to")
    if asked_for(parts, action, user):
        return own
    if any(one_spelling(vote.voter) == one_spelling(user.id) for vote in votes):
        return Refused(
            "voted_already", f"expected one vote of `{user.id}` on escalation `{record.id}`, got another one"
        )
    free = people.membership(user.id, who_of(record), now, frozenset(vote.seat for vote in votes))
    if free is None and people.membership(user.id, who_of(record), now) is not None:
        return Refused(
            "voted_already", f"expected one vote from each place, got another one in the place of `{user.id}`"
        )
    if free is None and people.absence_of(user.id, now) is not None:
        return Refused("absent", f"`{user.id}` is absent today, as people.yaml says, and decides nothing")
    if free is not None and asked_for(parts, action, people.users[free.seat]):
        return own
    return free


def _for_this_reason(record: EscalationRecord, seat: Membership, reason_code: str) -> Refused | None:
    """Return the refusal of a reason that the routes which admit somebody do not take."""
    routes = [route for route in escalating.routes_of(record) if not seat.groups.isdisjoint(route["who"])]
    if any(not route["reason_codes"] or reason_code in route["reason_codes"] for route in routes):
        return None
    wanted = ", ".join(sorted({code for route in routes for code in route["reason_codes"]}))
    return Refused("reason_code", f"expected one of {wanted} as the reason code, got `{reason_code}`")


def refuse(transaction: Transaction, record: EscalationRecord, attempt: Try, refused: Refused) -> None:
    """Write down a try that was refused, once, and not without end: nobody can flood the log."""
    told = attempt.doing, attempt.by, refused.why
    before = [
        item.document
        for item in transaction.entries_of(record.action_id)
        if item.kind == "vote_refused" and item.document["escalation"] == record.id
    ]
    if len(before) >= MOST_REFUSALS or told in [(body["tried"], body["voter"], body["why"]) for body in before]:
        return
    action = transaction.action(record.action_id)
    if action is None:
        return
    body = entry.moved(
        "vote_refused",
        recorded.about(action, entry.Standing(action.state, action.fence, action.attempt, action.deadline)),
        escalation=record.id,
        tried=attempt.doing,
        voter=attempt.by,
        authenticated=attempt.authenticated,
        why=refused.why,
    )
    del body["state"]  # nothing moved: it may have ended long ago
    transaction.append(body)


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
        seat = admitted(parts, transaction, record, action, people, attempt)
        if isinstance(seat, Refused) or isinstance(people, Refused):
            return seat if isinstance(seat, Refused) else NO_PEOPLE
        cast = vote_of(transaction, record, people, seat, attempt)
        transaction.vote(cast)
        return _counted(parts, transaction, record, action, people, cast)

    ballot = parts.store.transact(work)
    if isinstance(ballot, Refused):
        raise ballot.error()
    return ballot


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
        "note": attempt.note,
        "viewed_at": attempt.viewed_at or last_view(reading, record, seat.voter),
        "stands_for": seat.stands_for,
        "late": frozenset(name for route in escalating.routes_of(record) for name in route["stands_for"]),
    }
    return Vote(**{**given, **changes})


def last_view(reading: Reading, record: EscalationRecord, voter: str) -> datetime | None:
    """Return when somebody last looked at an escalation."""
    views = [item for item in reading.entries_of(record.action_id) if item.kind == "viewed"]
    return max(
        (item.at for item in views if (item.document["escalation"], item.document["voter"]) == (record.id, voter)),
        default=None,
    )


def written(
    transaction: Transaction, record: EscalationRecord, action: ActionRecord, cast: Vote, state: str, **more: Any
) -> int:
    """Write the entry of a vote and return its position."""
    body = entry.moved(
        "voted",
        recorded.about(action, entry.Standing(State.WAITING, action.fence, action.attempt)),
        escalation=record.id,
        escalation_state=state,
        decision_entry=action.decision_entry,
        request_digest=record.request_digest,
        vote={**entry.vote(cast), "note": cast.note},
        **more,
    )
    return transaction.append(body).pos


def _counted(
    parts: Parts,
    transaction: Transaction,
    record: EscalationRecord,
    action: ActionRecord,
    people: People,
    cast: Vote,
) -> Ballot:
    """Count the votes that stand now, and end what one no or the last yes ends."""
    now = tally(parts, people, record, action, transaction.votes(record.id))
    state, left = escalating.OPEN, missing(record, now.votes)
    if not cast.approve:
        state, left = escalating.REJECTED, 0
    elif left == 0:
        state = escalating.APPROVED
    standing = {"missing": left, "not_counted": now.not_counted, "people": people.source or None}
    position = written(transaction, record, action, cast, state, **standing)
    if state != escalating.OPEN:
        transaction.close_escalation(record.id, escalating.OPEN, state)
    if state == escalating.REJECTED:
        reason = Reason("rejected", record.id, Verdict.DENY, because=cast.note)
        answer = end_waiting(transaction, action, reason, by=cast.voter, authenticated=cast.authenticated)
        position = answer.entry or position
    return Ballot(record.id, state, action.id, left, position, now.lost)


def carried(
    parts: Parts, transaction: Transaction, before: ActionRecord, opened: EscalationRecord, people: People | None
) -> bool:
    """Let the yes of whoever amended a request count for the new one, and return whether that is approval enough.

    It counts where the new route admits them too, and only if they saw every reason that there is now (law 7).
    """
    origin = transaction.action(before.relates_to) if before.state is State.PROPOSED and before.relates_to else None
    votes = transaction.votes(origin.escalation) if origin is not None and origin.escalation is not None else ()
    earlier = next((item for item in votes if item.approve and item.request_digest == opened.request_digest), None)
    action = transaction.action(before.id)
    if earlier is None or action is None or people is None or not earlier.reasons.issuperset(opened.reasons):
        return False
    attempt = Try(
        APPROVE, earlier.voter, earlier.authenticated, earlier.reason_code or None, earlier.note, earlier.viewed_at
    )
    seat = _admitted(parts, transaction, opened, action, people, attempt)
    if isinstance(seat, Refused):
        return False
    cast = vote_of(transaction, opened, people, seat, attempt, voted_at=earlier.voted_at)
    transaction.vote(cast)
    return _counted(parts, transaction, opened, action, people, cast).state == escalating.APPROVED
