"""What people are told: an event that an entry of the audit log makes, about an action that waited for them.

It names things and holds no personal data: ids, the action, routes, who and by when. Amounts are masked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import orjson

from agentguard.engine import contesting, escalating
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, Entry, EscalationRecord

OPENED = "escalation.opened"
REMINDED = "escalation.reminded"
PASSED_ON = "escalation.passed_on"
REOPENED = "escalation.reopened"
APPROVED = "escalation.approved"
REJECTED = "escalation.rejected"
EXPIRED = "escalation.expired"
WITHDRAWN = "escalation.withdrawn"
AMENDED = "escalation.amended"
CONTESTED = "escalation.contested"
ENDED = "action.ended"
NO_LONGER_FITS = "action.no_longer_fits"

TYPES = (
    OPENED, REMINDED, PASSED_ON, REOPENED, APPROVED, REJECTED, EXPIRED, WITHDRAWN, AMENDED, CONTESTED,
    ENDED, NO_LONGER_FITS,
)  # fmt: skip

_MONEY = re.compile(r"(-?)([0-9]+)(\.[0-9]+)? ([A-Z]{3})")
_OF_KIND: Mapping[str, str] = MappingProxyType(
    {
        "reminded": REMINDED,
        "passed_on": PASSED_ON,
        "reopened": REOPENED,
        "amended": AMENDED,
        "contested": CONTESTED,
        "settled": ENDED,
        "released": ENDED,
        "in_doubt": ENDED,
    }
)


@dataclass(frozen=True, slots=True)
class TellsRoute:
    """One route of an escalation: who decides, how many of them, and by when."""

    id: str
    who: tuple[str, ...]
    people: int
    due: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an action which waits, or waited, for people.

    Attributes:
        id: The log's name and the entry's position: whoever hears it twice can tell.
        type: One of `TYPES`.
        to: Whom it is for, as routes name them: those who may decide, or those who approved.
        state: Where the action stands after it.
        causes: The rules, limits and requirements that asked for people.
        amounts: Of the arguments, masked behind their first digit.
    """

    id: str
    type: str
    at: datetime
    tenant: str
    action: str
    action_id: str
    state: str
    escalation: str | None = None
    routes: tuple[TellsRoute, ...] = ()
    to: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    amounts: tuple[str, ...] = ()


def event_of(reading: Reading, entry: Entry) -> Event | None:
    """Return what an entry has to tell people, or None where it tells them nothing."""
    action = reading.action(entry.action_id) if entry.action_id else None
    if action is None:
        return None
    body = entry.document
    escalated = reading.escalation(str(body.get("escalation") or action.escalation or ""))
    kind = _type_of(entry.kind, body, escalated)
    if kind is None:
        return None
    made_of = contesting.made_of(reading, action) if kind in (ENDED, NO_LONGER_FITS) else None
    escalated = escalated or made_of  # what was upheld was asked about where it was contested
    routes = () if escalated is None else _routes(escalated, body)
    to = _to(reading, kind, action, routes, made_of)
    if kind in (ENDED, NO_LONGER_FITS) and not to:
        return None  # nobody said yes to it: it was denied at first sight and contested, or only belongs to such a one
    return Event(
        id=f"{reading.log_name()}-{entry.pos}",
        type=kind,
        at=entry.at,
        tenant=entry.stream,
        action=action.action,
        action_id=action.id,
        state=str(body.get("state") or action.state),
        escalation=None if escalated is None else escalated.id,
        routes=routes,
        to=to,
        causes=() if escalated is None else _causes(escalated),
        amounts=tuple(masked for value in orjson.loads(action.arguments).values() if (masked := mask(value))),
    )


def _type_of(kind: str, body: Mapping[str, Any], escalated: EscalationRecord | None) -> str | None:
    match kind:
        case "decided":
            return {"waiting": OPENED, "denied": NO_LONGER_FITS}.get(str(body.get("state")))
        case "voted":
            return {escalating.APPROVED: APPROVED, escalating.REJECTED: REJECTED}.get(str(body.get("escalation_state")))
        case contesting.ENDED:  # the last vote has told of what people decided
            return {escalating.EXPIRED: EXPIRED, escalating.WITHDRAWN: WITHDRAWN}.get(str(body["outcome"]))
        case "expired" | "withdrawn":
            # What was allowed and never begun expires too, and an approved escalation stays so.
            return f"escalation.{kind}" if escalated is not None and escalated.state == kind else None
        case "in_doubt" if body.get("why") == "lookup":
            return None  # it was told when the doubt began
        case _:
            return _OF_KIND.get(kind)


def _routes(escalated: EscalationRecord, body: Mapping[str, Any]) -> tuple[TellsRoute, ...]:
    """Return the routes of an escalation; of a reminder those that are late soon."""
    reminded = body.get("reminded")
    return tuple(
        TellsRoute(route["id"], tuple(route["who"]), route["people"], datetime.fromisoformat(route["due"]))
        for route in escalating.routes_of(escalated)
        if reminded is None or route["id"] in reminded
    )


def _to(
    reading: Reading, kind: str, action: ActionRecord, routes: tuple[TellsRoute, ...], made_of: EscalationRecord | None
) -> tuple[str, ...]:
    if kind in (ENDED, NO_LONGER_FITS):
        about = [item for item in reading.escalations_of(action.id) if item.kind == escalating.APPROVAL]
        votes = [vote for item in (*about, *([made_of] if made_of else ())) for vote in reading.votes(item.id)]
        return tuple(sorted({f"user:{vote.voter}" for vote in votes if vote.approve}))
    return tuple(sorted({who for route in routes for who in route.who}))


def _causes(escalated: EscalationRecord) -> tuple[str, ...]:
    shown = orjson.loads(escalated.shown)
    return tuple(sorted({str(reason["source"]) for reason in shown.get("reasons", ())}))


def mask(value: object) -> str:
    """Return an amount behind its first digit, `2xx.xx USD`; empty for what is no amount."""
    found = _MONEY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return ""
    sign, whole, fraction, currency = found.groups()
    return f"{sign}{whole[0]}{'x' * (len(whole) - 1)}{re.sub('[0-9]', 'x', fraction or '')} {currency}"
