"""What happens when a time is over: a route that nobody answered, an action that was allowed and never begun."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from agentguard.core import entry
from agentguard.core.decision import Reason
from agentguard.core.lifecycle import State
from agentguard.core.policy import Verdict
from agentguard.core.request import Vote
from agentguard.engine import contesting, escalating, pausing, recorded
from agentguard.engine.answers import Answer
from agentguard.engine.parts import Parts
from agentguard.engine.sides import bundle_of
from agentguard.engine.tally import unanswered
from agentguard.store import Transaction
from agentguard.store.records import ActionRecord, EscalationRecord


def run_late(parts: Parts, record: ActionRecord, transaction: Transaction) -> Answer | None:
    """Pass a late escalation on to its next route, or deny; None if somebody moved the action meanwhile."""
    current = transaction.action(record.id)
    escalated = None if current is None else escalating.awaited(transaction, current)
    if current is None or escalated is None or current.escalation != record.escalation:
        return None
    escalated = pausing.due_at(transaction, escalated, current, transaction.now())
    if escalated.due_at is None or transaction.now() < escalated.due_at:
        return None
    late = _late(escalated, transaction.votes(escalated.id), transaction.now())
    following = escalating.pass_on(parts, bundle_of(parts, transaction, current), escalated, late, transaction.now())
    if following is None:
        transaction.close_escalation(escalated.id, escalating.OPEN, escalating.EXPIRED)
        if escalated.kind == escalating.CONTEST:
            contesting.ended(transaction, escalated, current, escalating.EXPIRED, by=None)
            return recorded.ended(current, replayed=True)
        return end_waiting(transaction, current, escalating.ended_reason(escalated, "expired"), by=None)
    transaction.close_escalation(escalated.id, escalating.OPEN, escalating.PASSED_ON)
    transaction.open_escalation(following)
    return _passed_on(transaction, current, escalated, following)


def _late(record: EscalationRecord, votes: Sequence[Vote], now: datetime) -> list[str]:
    """Return the routes whose people were late; where all said yes, those that somebody has left since."""
    over = [route["id"] for route in escalating.routes_of(record) if datetime.fromisoformat(route["due"]) <= now]
    asked = {route["id"] for route in unanswered(record, votes)}
    return [name for name in over if name in asked] or over


def _passed_on(
    transaction: Transaction, record: ActionRecord, late: EscalationRecord, following: EscalationRecord
) -> Answer:
    standing = entry.Standing(record.state, record.fence, record.attempt)
    routes = escalating.routes_of(following)
    given_back: dict[str, dict[str, int]] = {}
    if record.state is State.WAITING and not any(route["hold"] for route in routes):
        transaction.hold_anew(record.id)
        given_back = {"holds": {}}
    body = entry.moved(
        "passed_on",
        recorded.about(record, standing),
        escalation=following.id,
        late=late.id,
        routes=routes,
        **given_back,
    )
    written = transaction.append(body)
    if record.state is not State.WAITING:
        return recorded.ended(record, replayed=True)
    answer = recorded.changed_text(record, written)
    transaction.move(record.id, State.WAITING, record.fence, State.WAITING, escalation=following.id, answer=answer)
    return escalating.still_waiting(record, following)


def end_waiting(
    transaction: Transaction,
    record: ActionRecord,
    reason: Reason,
    *,
    by: str | None,
    authenticated: str | None = None,
    **more: Any,
) -> Answer:
    """Deny an action whose escalation ended without approval, in the transaction that ended it."""
    return _deny(transaction, record, reason, by=by, authenticated=authenticated, **more)


def expire(record: ActionRecord, transaction: Transaction) -> Answer | None:
    """Give back what an action holds that was allowed and not begun in time; None if it moved meanwhile."""
    current = transaction.action(record.id)
    if current is None or current.state is not State.READY or current.fence != record.fence:
        return None
    current = pausing.ready_until(transaction, current, transaction.now())
    if current.lease_until is None or transaction.now() <= current.lease_until:
        return None
    reason = Reason("expired", record.id, Verdict.DENY, detail="it was allowed and not begun in time")
    return _deny(transaction, current, reason, by=None)


def _deny(
    transaction: Transaction,
    record: ActionRecord,
    reason: Reason,
    *,
    by: str | None,
    authenticated: str | None = None,
    **more: Any,
) -> Answer:
    body = entry.moved(
        reason.code,
        recorded.about(record, entry.Standing(State.DENIED, record.fence, record.attempt)),
        decision_entry=record.decision_entry,
        escalation=record.escalation,
        by=by,
        authenticated=authenticated,
        **more,
    )
    written = transaction.append(body)
    transaction.release(record.id)
    reasons = (reason, *recorded.reasons_of(recorded.kept(record)))
    # Without the words for the customer: they were true while it waited.
    answer = recorded.document_text(reasons=reasons, written=written, amended=more.get("amended", ""))
    transaction.move(record.id, record.state, record.fence, State.DENIED, answer=answer)
    ended = transaction.action(record.id)
    return recorded.ended(ended or record, replayed=False)
