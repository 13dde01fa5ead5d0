"""What waits for people: opening, answering, running late, waiting again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from agentguard.core import entry
from agentguard.core.calendar import Calendar
from agentguard.core.decision import AskedRoute, Decision, Reason
from agentguard.core.digest import canonical_bytes, encode, time_text
from agentguard.core.lifecycle import State
from agentguard.core.plan import Plan
from agentguard.core.policy import Bundle, Policy, Verdict, Within
from agentguard.engine import recorded
from agentguard.engine.answers import Waiting, WaitsFor
from agentguard.engine.asking import Ask
from agentguard.engine.parts import Parts
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, EntryRef, EscalationRecord

OPEN = "open"
APPROVED = "approved"
USED = "used"
"""It was approved, and its action went on or was decided in another way: there is nothing left to resume."""
REJECTED = "rejected"
EXPIRED = "expired"
WITHDRAWN = "withdrawn"
PASSED_ON = "passed_on"
AMENDED = "amended"
STATES = (OPEN, APPROVED, USED, REJECTED, AMENDED, EXPIRED, WITHDRAWN, PASSED_ON)

APPROVAL = "approval"
CONTEST = "contest"

SHOWN_OF_LIMITS = ("limit", "unit", "used", "amount", "max")


def escalation(parts: Parts, asked: Ask, decision: Decision, now: datetime) -> EscalationRecord:
    """Return the escalation that a decision asks for, with what is shown to whoever decides it."""
    policies = {file.policy.name: file.policy for file in asked.plan.files}
    routes = [opened_route(item, policies[item.id.partition("/")[0]], now) for item in decision.routes]
    asking = [reason for reason in decision.reasons if reason.verdict is Verdict.ESCALATE]
    shown = {
        "action": asked.request.action,
        "arguments": {
            name: "personal" if f"arguments.{name}" in asked.sealed else encode(value)
            for name, value in asked.request.arguments.items()
        },
        "agent": asked.request.actor.id,
        "on_behalf_of": asked.pseudonym,
        "reasons": [{"source": reason.source, "code": reason.code, "because": reason.because} for reason in asking],
        "limits": [{name: getattr(check, name) for name in SHOWN_OF_LIMITS} for check in decision.limits],
        "say": decision.say,
    }
    return EscalationRecord(
        id=parts.new_id("esc", now),
        tenant=asked.request.tenant,
        action_id=asked.action_id,
        routes=canonical_bytes(routes).decode(),
        request_digest=asked.digest,
        reasons=tuple(sorted({reason.identity for reason in asking})),
        shown=canonical_bytes(shown).decode(),
        opened_at=now,
        due_at=earliest(routes),
        remind_at=next_reminder(routes, now),
    )


def opened_route(asked: AskedRoute, policy: Policy, now: datetime) -> dict[str, Any]:
    """Return a route as an escalation that is opened now carries it."""
    due = due_at(asked.route.within, policy, now)
    remind = remind_at(asked.route.remind, policy, now, due)
    reminded = {} if remind is None else {"remind": time_text(remind)}
    taken: dict[str, Any] = {"hold": asked.route.hold, "reason_codes": list(asked.route.reason_codes)}
    if asked.route.may_change is not None:
        taken["may_change"] = list(asked.route.may_change)
    return {**entry.route(asked), "due": time_text(due), **reminded, **taken, "stands_for": []}


def due_at(within: Within, policy: Policy, start: datetime) -> datetime:
    """Return when a route is late: after plain time, or after so much of a calendar's open time."""
    calendar: Calendar | None = policy.calendars[within.calendar] if within.calendar else None
    if calendar is None:
        return start + within.duration
    # Where the calendar's hours never suffice, the plain time is the earlier bound, and early is the safe side.
    return calendar.add_working_time(start, within.duration, policy.zone) or start + within.duration


def remind_at(remind: Within | None, policy: Policy, start: datetime, due: datetime) -> datetime | None:
    """Return when the people of a route are reminded: so much time, or of a calendar's open time, before it is late."""
    if remind is None:
        return None
    if remind.calendar is not None:
        return policy.calendars[remind.calendar].last_start(start, due, remind.duration, policy.zone)
    moment = due - remind.duration
    return moment if moment > start else None


def is_open(record: EscalationRecord, action: ActionRecord) -> bool:
    """Return whether people can decide an escalation: nobody has yet, and its action waits for it or was contested."""
    waits = action.state is State.WAITING and action.escalation == record.id
    return record.state == OPEN and (waits or record.kind == CONTEST)


def awaited(reading: Reading, action: ActionRecord) -> EscalationRecord | None:
    """Return the escalation of an action that people can decide now."""
    found = reading.escalations_of(action.id) if action.state in (State.WAITING, State.DENIED) else ()
    return next((record for record in found if is_open(record, action)), None)


def routes_of(record: EscalationRecord) -> list[dict[str, Any]]:
    """Return the routes of an escalation: who, how many, by when, and the late routes that they stand for."""
    routes = orjson.loads(record.routes)
    return routes if isinstance(routes, list) else []


def earliest(routes: list[dict[str, Any]]) -> datetime | None:
    """Return when the first of these routes is late."""
    dues = [datetime.fromisoformat(route["due"]) for route in routes]
    return min(dues, default=None)


def next_reminder(routes: list[dict[str, Any]], after: datetime) -> datetime | None:
    """Return when people of these routes are to be reminded next."""
    times = [datetime.fromisoformat(route["remind"]) for route in routes if "remind" in route]
    return min((moment for moment in times if moment > after), default=None)


def held(parts: Parts, plan: Plan, decision: Decision) -> dict[str, tuple[str, int]]:
    """Return what an action holds while it waits, by account as (unit, amount): nothing, unless its route says so.

    Even then only on accounts of limits with `per`, and only where it fits all of them (law 10).
    """
    if not any(asked.route.hold for asked in decision.routes):
        return {}
    keyed = {limit.id for file in plan.enforced for limit in file.limits if limit.limit.per}
    spared = {check.account for check in decision.limits if not check.fits or check.limit not in keyed}
    return {
        parts.account(check.account): (check.unit, check.amount)
        for check in decision.limits
        if check.account and check.account not in spared and check.amount > 0
    }


def waiting(action_id: str, action: str, decision: Decision, record: EscalationRecord, written: EntryRef) -> Waiting:
    """Return the answer of an action that has just begun to wait."""
    return Waiting(
        decision_id=action_id,
        action=action,
        say=decision.say,
        language=decision.language,
        reasons=decision.reasons,
        entry=written.pos,
        leaf=written.leaf,
        escalations=waits(record),
    )


def still_waiting(record: ActionRecord, escalated: EscalationRecord) -> Waiting:
    """Return the answer of an action that waited before and still does."""
    approved = escalated.state == APPROVED
    return Waiting(**recorded.common(record), replayed=True, escalations=waits(escalated), approved=approved)


def waits(record: EscalationRecord) -> tuple[WaitsFor, ...]:
    """Return what an escalation waits for, one a route."""
    return tuple(
        WaitsFor(record.id, route["id"], tuple(route["who"]), route["people"], datetime.fromisoformat(route["due"]))
        for route in routes_of(record)
    )


def end_of(transaction: Transaction, before: ActionRecord | None) -> None:
    """Close the escalation of an action that is decided again: it was used, or nobody has to answer it any more."""
    record = None if before is None or before.escalation is None else transaction.escalation(before.escalation)
    if record is not None and record.state in (OPEN, APPROVED):
        transaction.close_escalation(record.id, record.state, WITHDRAWN if record.state == OPEN else USED)


def pass_on(
    parts: Parts, bundle: Bundle, record: EscalationRecord, late: Collection[str], now: datetime
) -> EscalationRecord | None:
    """Return the escalation that takes over from one whose time is over, or None where late means no.

    Whoever was not late is asked anew, with their route's full time, since a vote is for the escalation it was cast on.
    """
    policies: Mapping[str, Policy] = {policy.name: policy for policy in bundle.policies}
    routes: list[dict[str, Any]] = []
    for route in routes_of(record):
        if datetime.fromisoformat(route["due"]) > now:
            routes.append(route)
            continue
        is_late = route["id"] in late
        name, _, own = route["id"].partition("/")
        short = route["if_late"] if is_late else own
        following = policies[name].routes.get(short) if name in policies and short is not None else None
        if following is None:
            return None
        opened = opened_route(AskedRoute(policies[name].qualified(following.id), following), policies[name], now)
        over = {route["id"]} if is_late else set()
        routes.append({**opened, "stands_for": sorted({*route["stands_for"], *over})})
    return replace(
        record,
        id=parts.new_id("esc", now),
        routes=canonical_bytes(routes).decode(),
        opened_at=now,
        due_at=earliest(routes),
        remind_at=next_reminder(routes, now),
        state=OPEN,
        closed_at=None,
    )


def waits_again(
    transaction: Transaction,
    before: ActionRecord,
    decision: Decision,
    policies: Iterable[Policy],
    not_counted: list[dict[str, str]],
) -> Waiting | None:
    """Let an approved escalation wait for more votes, where nothing but some of its votes is missing now.

    Returns:
        The answer; None where people have to be shown something that they did not see.
    """
    record = transaction.escalation(before.escalation or "")
    asking = {reason.identity for reason in decision.reasons if reason.verdict is Verdict.ESCALATE}
    if record is None or record.state != APPROVED or not asking <= set(record.reasons):
        return None
    again = reopened(record, decision, policies, transaction.now())
    transaction.await_people(again, APPROVED)
    body = entry.moved(
        "reopened",
        recorded.about(before, entry.Standing(State.WAITING, before.fence, before.attempt)),
        escalation=record.id,
        decision_entry=before.decision_entry,
        due=None if again.due_at is None else time_text(again.due_at),
        not_counted=not_counted,
    )
    written = transaction.append(body)
    answer = recorded.changed_text(before, written)
    transaction.move(before.id, State.WAITING, before.fence, State.WAITING, answer=answer)
    return still_waiting(before, again)


def reopened(
    record: EscalationRecord, decision: Decision, policies: Iterable[Policy], now: datetime
) -> EscalationRecord:
    """Return an approved escalation as it waits again, with the time of its routes anew."""
    known = {policy.name: policy for policy in policies}
    asked = {item.id: item for route in decision.routes for item in _chain(route)}
    routes = []
    for route in routes_of(record):
        found = asked.get(route["id"])
        again = route if found is None else opened_route(found, known[found.id.partition("/")[0]], now)
        routes.append({**again, "stands_for": route["stands_for"]})
    return replace(
        record,
        routes=canonical_bytes(routes).decode(),
        due_at=earliest(routes),
        remind_at=next_reminder(routes, now),
        state=OPEN,
        closed_at=None,
    )


def _chain(asked: AskedRoute) -> Iterator[AskedRoute]:
    """Yield a route and those that take over from it, one after the other."""
    following: AskedRoute | None = asked
    while following is not None:
        yield following
        following = following.following


def ended_reason(record: EscalationRecord, code: str, because: str = "") -> Reason:
    """Return the reason that an escalation which ended without approval gives."""
    return Reason(code, record.id, Verdict.DENY, because=because)
