"""Who may decide an escalation now, and what those who may not are told. Every refused try is an entry of the log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from agentguard.core import entry
from agentguard.core.hidden import hidden
from agentguard.core.people import AUTHENTICATED, Membership, People, User
from agentguard.engine import contesting, escalating, pausing, recorded
from agentguard.engine.expiry import run_late
from agentguard.engine.parts import Parts
from agentguard.engine.tally import NOT_ADMITTED, OWN_REQUEST, UNVERIFIED, asked_for, who_of
from agentguard.errors import NotFoundError, PeopleUnavailableError, UsageError, VoteRefusedError
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, EscalationRecord

APPROVE = "approve"
REJECT = "reject"
AMEND = "amend"
VIEW = "view"

MAX_NAME_CHARACTERS = 200
MAX_NOTE_CHARACTERS = 2_000
MOST_REFUSALS = 50
"""How many refused tries the log keeps for one escalation; the same one again is not written again."""

_REASON_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


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
        if self.doing != VIEW and not (isinstance(self.reason_code, str) and _REASON_CODE.fullmatch(self.reason_code)):
            raise UsageError(
                f"expected a reason code like `within_policy` or `goodwill`, got `{str(self.reason_code)[:70]}`"
            )
        if not _is_text(self.note, MAX_NOTE_CHARACTERS):
            raise UsageError(f"expected a note of at most {MAX_NOTE_CHARACTERS:,} characters")
        if found := hidden(self.note.replace("\r\n", "\n")):
            raise UsageError(f"expected a note that reads as it is written, got the character {found}; leave it out")
        if self.viewed_at is not None and not _is_moment(self.viewed_at):
            raise UsageError("expected `viewed_at` as a time with its zone: the moment when they saw what they vote on")


def _is_moment(given: object) -> bool:
    return isinstance(given, datetime) and given.tzinfo is not None


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
        raise NotFoundError(
            f"expected the id of an escalation, got `{escalation_id!s:.100}`; `agentguard escalations list` has them"
        )
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
    allowed = may_decide(parts, transaction, record, action, people, attempt)
    if isinstance(allowed, Refused):
        refuse(transaction, record, attempt, allowed)
    return allowed


def may_decide(
    parts: Parts,
    transaction: Transaction,
    record: EscalationRecord,
    action: ActionRecord,
    people: People | Refused,
    attempt: Try,
) -> Membership | Refused:
    """Return by what somebody may decide an escalation now, or why they may not."""
    over = closed(parts, transaction, record, action)
    if over is not None:
        return over
    if isinstance(people, Refused):
        return people
    if record.kind == escalating.CONTEST and attempt.doing == AMEND:
        return Refused("not_changeable", "a contest is upheld or rejected; nothing of what was asked can be changed")
    if attempt.authenticated == UNVERIFIED and not people.allow_unverified:
        words = (
            f"nobody checked who votes: say how `{attempt.by}` is known (`authenticated=`), log in, "
            "or allow it with `allow_unverified: yes` in the people file"
        )
        return Refused(UNVERIFIED, words)
    if attempt.doing != VIEW and action.on_behalf_of and not parts.has_keys(transaction):
        words = (
            f"nobody can tell here whether `{attempt.by}` is the customer: decide it where the keys file of the "
            "database is"
        )
        return Refused("customer_unknown", words)
    user = people.named(attempt.by)
    seat = None if user is None else _seat(parts, transaction, record, action, people, user, attempt)
    if user is None or seat is None:
        wanted = ", ".join(who_of(record))
        return Refused(NOT_ADMITTED, f"`{attempt.by}` may not decide this: it takes {wanted}")
    if isinstance(seat, Refused) or attempt.reason_code is None:
        return seat
    return _for_this_reason(record, seat, attempt.reason_code) or seat


def closed(parts: Parts, transaction: Transaction, record: EscalationRecord, action: ActionRecord) -> Refused | None:
    """Return why nobody can decide an escalation any more; one that is late is passed on or denied on this occasion."""
    if not escalating.is_open(record, action):
        return Refused("not_open", not_open(record))
    really = pausing.due_at(transaction, record, action, transaction.now())
    if really.due_at is None or transaction.now() < really.due_at:
        return None
    run_late(parts, action, transaction)
    return Refused("late", f"escalation `{record.id}` is late and was passed on or denied; see `escalations list`")


def not_open(record: EscalationRecord) -> str:
    """Return what to tell whoever wants to decide what is not open any more."""
    return (
        f"expected an open escalation, got `{record.id}`, which is {record.state}; "
        "`agentguard escalations show` says how it ended"
    )


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
    if record.kind == escalating.CONTEST and contesting.has_seen(transaction, action, user):
        return Refused("seen_before", f"`{user.id}` has seen this case before; a contest is for somebody who has not")
    if user.id in [people.id_of(vote.voter) for vote in votes]:
        return Refused(
            "voted_already", f"`{user.id}` has voted on `{record.id}` already; everybody has one vote, and it stands"
        )
    taken = frozenset(people.id_of(vote.seat) for vote in votes)
    free = people.membership(user.id, who_of(record), now, taken)
    if free is None and people.membership(user.id, who_of(record), now) is not None:
        return Refused(
            "voted_already", f"somebody has voted in the place of `{user.id}` already; each place has one vote"
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
