"""Bodies of audit entries, version 1: everything a decision looked at, so that it can be computed again (law 8).

What is not recorded now can never be added. The store adds `v`, `log`, `stream`, `seq`, `prev` and `ts_us`. Personal
values stand as `{"sealed": digest}`; accounts and other values that could be guessed stand as keyed digests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from agentguard.core.decision import AskedRoute, Decision, LimitCheck, Reason
from agentguard.core.digest import encode, time_text
from agentguard.core.language import Value
from agentguard.core.plan import Plan
from agentguard.core.policy import Place, Verdict
from agentguard.core.request import Actor, Evidence, Fact, FactStatus, Request, Vote

FORMAT = 1
ENFORCE = "enforce"
OBSERVE = "observe"
"""The mode of what was decided and not enforced."""
NO_PLACE = Place("", 0, 0)
"""The place of what stands in a record and in no file."""

Keyed = Callable[[str], str]
"""From a text that could be guessed to its keyed digest."""

SealedDigests = Mapping[str, str]
"""By place (`arguments.email`, `facts.customer.email`, `context.phone`): the digest of the sealed value."""


@dataclass(frozen=True, slots=True)
class Versions:
    """What decided: the engine's and the time zone data's versions."""

    engine: str
    tzdata: str


class Standing(NamedTuple):
    """Where an action stands after an entry: state, fence, attempt and, where it was or will be sent, the deadline."""

    state: str
    fence: int
    attempt: int
    deadline: datetime | None = None


def decided(
    action_id: str,
    request: Request,
    pseudonym: str,
    plan: Plan,
    evidence: Evidence,
    decision: Decision,
    *,
    standing: Standing,
    sealed: SealedDigests,
    keyed: Keyed,
    versions: Versions,
    relates_to: str | None = None,
    enforced: Verdict | None = None,
    canary: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the body of an entry that records one decision and what follows from it.

    `enforced` is what was done in place of what the verdict says, by a guard that only observes. `canary` says which
    policies a share of customers tries out, and whether they decided this.
    """
    body = {
        **about(action_id, request, pseudonym, standing),
        **_asked(request, plan, evidence.facts, sealed, versions),
        "kind": "decided",
        "relates_to": relates_to,
        "canary": None if canary is None else dict(canary),
        "now": time_text(evidence.now),
        "usage": {name: {"held": item.held, "settled": item.settled} for name, item in evidence.usage.items()},
        "history": dict(evidence.history),
        "votes": [vote(item) for item in evidence.votes],
        **verdict(decision, keyed),
        "shadow": None if decision.shadow is None else verdict(decision.shadow, keyed),
        "outcome": None,
        "external_reference": None,
        "settled": None,
    }
    return body if enforced is None else {**body, "mode": OBSERVE, "enforced": str(enforced)}


def is_observed(body: Mapping[str, Any]) -> bool:
    """Return whether an entry is of a decision that was recorded and not enforced."""
    return body.get("enforced") is not None


def recorded(
    action_id: str,
    request: Request,
    pseudonym: str,
    plan: Plan,
    facts: Mapping[str, Fact],
    *,
    standing: Standing,
    sealed: SealedDigests,
    versions: Versions,
    **told: Any,
) -> dict[str, Any]:
    """Return the body for what was done elsewhere: everything limits count by, as it was told, and no verdict."""
    return {
        **about(action_id, request, pseudonym, standing),
        **_asked(request, plan, facts, sealed, versions),
        "kind": "recorded",
        **told,
    }


def proposed(
    action_id: str,
    request: Request,
    pseudonym: str,
    plan: Plan,
    *,
    standing: Standing,
    sealed: SealedDigests,
    versions: Versions,
    **more: Any,
) -> dict[str, Any]:
    """Return the body for a request that a person made in place of another one, and that is not decided yet."""
    return {
        **about(action_id, request, pseudonym, standing),
        **_asked(request, plan, {}, sealed, versions),
        "kind": "proposed",
        **more,
    }


def _asked(
    request: Request, plan: Plan, facts: Mapping[str, Fact], sealed: SealedDigests, versions: Versions
) -> dict[str, Any]:
    """Return what was asked for or done, what was known about it, and the policies that govern it."""
    return {
        "context": _values("context", request.context, sealed),
        "asked_at": time_text(request.asked_at),
        "arguments": _values("arguments", request.arguments, sealed),
        "facts": {name: _fact(name, fact, sealed) for name, fact in facts.items()},
        "segments": _segments(plan, facts, sealed),
        **plan.described,
        "format": FORMAT,
        "engine": versions.engine,
        "tzdata": versions.tzdata,
    }


def about(action_id: str, request: Request, pseudonym: str, standing: Standing) -> dict[str, Any]:
    """Return what every entry of an action says: whose it is, and where the action stands after it."""
    return {
        "tenant": request.tenant,
        "action_id": action_id,
        "action": request.action,
        "key": request.key,
        "actor": actor(request.actor),
        "on_behalf_of": pseudonym,
        **stands(standing),
    }


def stands(standing: Standing) -> dict[str, Any]:
    """Return where an action stands, as entries say it."""
    return {
        "state": str(standing.state),
        "fence": standing.fence,
        "attempt": standing.attempt,
        "deadline": None if standing.deadline is None else time_text(standing.deadline),
    }


@lru_cache(maxsize=256)
def actor(who: Actor) -> Mapping[str, Any]:
    """Return who acts, as entries say it."""
    return {
        "kind": str(who.kind),
        "id": who.id,
        "version": who.version,
        "model": who.model,
        "prompt_digest": who.prompt_digest,
        "tools_digest": who.tools_digest,
        "operator": who.operator,
    }


def verdict(decision: Decision, keyed: Keyed) -> dict[str, Any]:
    """Return what was decided, as entries say it; two equal decisions give equal JSON."""
    return {
        "verdict": str(decision.verdict),
        "approved": decision.approved,
        "reasons": [_reason(reason) for reason in decision.reasons],
        "matched": list(decision.matched),
        "routes": [route(asked) for asked in decision.routes],
        "limits": [limit(check, keyed) for check in decision.limits],
        "requirements": {check.requirement: check.entry for check in decision.requirements},
        "say": decision.say,
        "language": decision.language,
        "witness": decision.witness,
    }


def route(asked: AskedRoute) -> dict[str, Any]:
    """Return a route as entries and escalations carry it."""
    within = asked.route.within
    return {
        "id": asked.id,
        "who": list(asked.route.who),
        "people": asked.route.people,
        "within_seconds": int(within.duration.total_seconds()),
        "calendar": within.calendar,
        "if_late": asked.route.if_late,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "code": reason.code,
        "source": reason.source,
        "verdict": str(reason.verdict),
        "route": reason.route,
        "because": reason.because,
        "detail": reason.detail,
        "disclose": str(reason.disclose),
    }


def limit(check: LimitCheck, keyed: Keyed) -> dict[str, Any]:
    """Return a limit held against its max, as entries say it."""
    return {
        "limit": check.limit,
        "account": keyed(check.account) if check.account else None,
        "unit": check.unit,
        "window_start": None if check.window_start is None else time_text(check.window_start),
        "used": encode(check.used),
        "held": encode(check.held),
        "amount": encode(check.amount),
        "max": None if check.max is None else encode(check.max),
        "fits": check.fits,
    }


def _values(place: str, values: Mapping[str, Value], sealed: SealedDigests) -> dict[str, Any]:
    if not sealed:
        return {name: encode(value) for name, value in values.items()}
    return {name: _value(place_of(place, name), value, sealed) for name, value in values.items()}


def place_of(place: str, name: str) -> str:
    """Return under which place a value of an entry is sealed: `arguments.email`, `context.phone`."""
    return name if name.startswith(f"{place}.") else f"{place}.{name}"


def _value(place: str, value: Value, sealed: SealedDigests) -> Any:
    return {"sealed": sealed[place]} if place in sealed else encode(value)


def _fact(name: str, fact: Fact, sealed: SealedDigests) -> dict[str, Any]:
    recorded: dict[str, Any] = {
        "status": str(fact.status),
        "source": fact.source,
        "read_at": None if fact.read_at is None else time_text(fact.read_at),
    }
    if fact.status is FactStatus.VALUE and fact.value is not None:
        recorded["value"] = _value(f"facts.{name}", fact.value, sealed)
    return recorded


def _segments(plan: Plan, facts: Mapping[str, Fact], sealed: SealedDigests) -> dict[str, Any]:
    return {
        name: _value(f"facts.{name}", facts[name].value, sealed)  # type: ignore[arg-type]
        for name in plan.segments
        if name in facts and facts[name].status is FactStatus.VALUE
    }


def vote(given: Vote) -> dict[str, Any]:
    """Return a vote as entries say it, without its words."""
    return {
        "escalation": given.escalation,
        "voter": given.voter,
        "approve": given.approve,
        "groups": sorted(given.groups),
        "authenticated": given.authenticated,
        "request_digest": given.request_digest,
        "reasons": sorted(given.reasons),
        "reason_code": given.reason_code,
        "viewed_at": None if given.viewed_at is None else time_text(given.viewed_at),
        "voted_at": time_text(given.voted_at),
        "stands_for": given.stands_for,
        "late": sorted(given.late),
    }


def refused(
    action_id: str,
    request: Request,
    pseudonym: str,
    reasons: Sequence[Reason],
    *,
    standing: Standing,
    bundle: str,
    versions: Versions,
    input_digest: str,
    say: str,
    language: str,
) -> dict[str, Any]:
    """Return the body for a request that was refused before any rule: bad arguments, no policy, halted.

    What the model sent is recorded only as a keyed digest, since what is personal in it is not known.
    """
    return {
        **about(action_id, request, pseudonym, standing),
        "kind": "refused",
        "context": {name: value for name, value in request.context.items() if name == "context.conversation"},
        "asked_at": time_text(request.asked_at),
        "input": input_digest,
        "bundle": bundle,
        "format": FORMAT,
        "engine": versions.engine,
        "tzdata": versions.tzdata,
        "verdict": "deny",
        "approved": False,
        "reasons": [_reason(reason) for reason in reasons],
        "say": say,
        "language": language,
    }


def moved(kind: str, about_it: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the body for any other step of an action: begun, settled, released, in doubt, voted, passed on."""
    return {**about_it, "kind": kind, **more}
