"""Taking up an action that was abandoned or is in doubt: a guarded move under a higher fence, so that one acts.

The one who moved it has it until its lease is over; whoever comes second finds another fence and leaves it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from agentguard.core import entry
from agentguard.core.lifecycle import State
from agentguard.engine import recorded
from agentguard.engine.answers import Answer
from agentguard.engine.deciding import halted
from agentguard.engine.effect import Effect, Outcome, OutcomeKind, Queryable, Read, Unprotected
from agentguard.engine.finishing import Finishing, report
from agentguard.engine.parts import Parts
from agentguard.engine.registry import Tool
from agentguard.engine.restoring import Found
from agentguard.engine.undertaking import Undertaking
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, EntryFilter

LOST = Outcome(OutcomeKind.UNKNOWN, error="lost")
MAX_ATTEMPTS = 20
ASKED_AGAIN = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
_CONFIRMED = EntryFilter(kind="clock_confirmed")


@dataclass(frozen=True, slots=True)
class Asking:
    """An action in doubt whose receiver is asked by whoever has this."""

    begun: Undertaking
    effect: Queryable


def is_leased(record: ActionRecord, now: datetime) -> bool:
    """Return whether somebody has an action: who executes it, or who asks about it."""
    return record.lease_until is not None and now <= record.lease_until


def may_help(tool: Tool, record: ActionRecord, now: datetime) -> bool:
    """Return whether anything but a person can find out what became of an action."""
    effect = tool.effect
    if isinstance(effect, Queryable):
        return True
    if isinstance(effect, Unprotected) or record.attempt >= MAX_ATTEMPTS:
        return False
    if isinstance(effect, Read):
        return True
    # The call itself takes time: it must be over before the receiver forgets the key.
    ends = now + (tool.timeout or recorded.UNBOUNDED)
    return record.began_at is not None and ends < record.began_at + effect.ttl


def pause_after(tries: int) -> timedelta:
    """Return how long nothing is tried again by itself: a minute, and twice as long after each further try, to an hour.

    A lease keeps everybody away; a pause only what goes round by itself, and never a person who asks for it now.
    """
    return min(ASKED_AGAIN * (1 << min(max(0, tries - 1), 10)), LONGEST_PAUSE)


def tried_lately(record: ActionRecord, effect: Effect | None, now: datetime) -> bool:
    """Return whether an action was sent again, or asked about, so short a time ago that another try can wait."""
    tries, tried = record.fence - 1, record.updated_at or record.asked_at  # every try has a fence of its own
    if tries <= 0:
        return False
    if isinstance(effect, Queryable) and tried <= (record.deadline or record.asked_at) + effect.settle_lag < now:
        return False  # the first time at which "nothing found" counts
    return now < tried + pause_after(tries)


@dataclass(frozen=True, slots=True)
class TakingUp:
    """Take an action up, if nobody has it: to send it again, to ask about it, or to leave it in doubt.

    Attributes:
        patient: Do not ask a receiver that was asked just now.
    """

    parts: Parts
    found: Found
    patient: bool

    def __call__(self, transaction: Transaction) -> Undertaking | Asking | Answer:
        """Return what is to be done about it, after the entry that says so (law 2), or an answer where nothing is."""
        begun = self.found.begun
        record = transaction.action(begun.action_id)
        if record is None or record.state not in (State.EXECUTING, State.IN_DOUBT):
            return recorded.ended(record or self.found.record, replayed=True)
        if record.fence != begun.standing.fence or is_leased(record, transaction.now()):
            if record.state is State.IN_DOUBT:
                return recorded.ended(record, replayed=True)
            return recorded.not_now(record.id, record.action, "in_progress")
        if record.state is State.EXECUTING:
            Finishing(self.parts, begun, report(self.parts, begun, LOST))(transaction)
            record = transaction.action(record.id) or record
        # Read here, not when it was found: a stop that was pressed since then holds.
        if halted(transaction, record.action, record.agent) is None and not self.found.erased:
            if self._may_send_again(transaction, record):
                return self._sent_again(transaction, record)
            effect = begun.tool.effect
            waits = self.patient and tried_lately(record, effect, transaction.now())
            if isinstance(effect, Queryable) and not waits:
                return self._asking(transaction, record, effect)
        return recorded.ended(record, replayed=True)

    def _may_send_again(self, transaction: Transaction, record: ActionRecord) -> bool:
        tool = self.found.begun.tool
        if isinstance(tool.effect, Queryable) or not may_help(tool, record, transaction.now()):
            return False
        # How long ago it was really sent, a clock that was set meanwhile cannot tell.
        return isinstance(tool.effect, Read) or clock_confirmed_since(transaction, record) is None

    def _sent_again(self, transaction: Transaction, record: ActionRecord) -> Undertaking:
        deadline = transaction.now() + (self.found.begun.tool.timeout or recorded.UNBOUNDED)
        standing = entry.Standing(State.EXECUTING, record.fence + 1, record.attempt + 1, deadline)
        return self._moved(transaction, record, "sent_again", standing, deadline + self.parts.waits.grace)

    def _asking(self, transaction: Transaction, record: ActionRecord, effect: Queryable) -> Asking:
        timeout = self.found.begun.tool.timeout or recorded.UNBOUNDED
        standing = entry.Standing(State.IN_DOUBT, record.fence + 1, record.attempt, record.deadline)
        lease = transaction.now() + timeout + self.parts.waits.grace
        return Asking(self._moved(transaction, record, "taken_up", standing, lease), effect)

    def _moved(
        self, transaction: Transaction, record: ActionRecord, kind: str, standing: entry.Standing, lease: datetime
    ) -> Undertaking:
        begun = self.found.begun
        written = transaction.append(entry.moved(kind, begun.about(standing), decision_entry=record.decision_entry))
        transaction.move(
            record.id,
            State.IN_DOUBT,
            record.fence,
            State(standing.state),
            new_fence=standing.fence,
            attempt=standing.attempt,
            deadline=standing.deadline,
            lease_until=lease,
        )
        return begun._replace(standing=standing, position=written.pos, intent=written.leaf)


def too_early(reading: Reading, record: ActionRecord, effect: Queryable) -> bool:
    """Return whether "nothing found" means nothing yet, since a late request may still land."""
    since = record.deadline or record.asked_at
    confirmed = clock_confirmed_since(reading, record)
    return reading.now() <= max(since, confirmed or since) + effect.settle_lag


def left_over(transaction: Transaction, record: ActionRecord, begun: Undertaking, error: str) -> Answer:
    """Leave an action in doubt that was asked about in vain; nobody has it any more."""
    standing = entry.Standing(State.IN_DOUBT, record.fence, record.attempt, record.deadline)
    body = entry.moved(
        "in_doubt",
        begun.about(standing),
        outcome=str(OutcomeKind.UNKNOWN),
        error=error,
        why="lookup",
        decision_entry=record.decision_entry,
    )
    written = transaction.append(body)
    answer = recorded.changed_text(record, written, error=error)
    transaction.move(record.id, State.IN_DOUBT, record.fence, State.IN_DOUBT, answer=answer, lease_until=None)
    return recorded.ended(record._replace(answer=answer), replayed=False)


def clock_confirmed_since(reading: Reading, record: ActionRecord) -> datetime | None:
    """Return when a person confirmed the clock after an action was decided: what passed since then, nobody measured."""
    last = reading.entries(0, 1, _CONFIRMED, newest_first=True)
    return last[0].at if last and last[0].pos > (record.decision_entry or 0) else None
