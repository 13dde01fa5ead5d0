"""Contesting a denial: people who have not seen the case look at it anew, and may ask for the same themselves.

The denial stays what it was, whatever comes of it. Upheld, the same request is a new action by whoever said the last
yes: decided on its own, under the policies of that moment, which know by `agent.kind` that a person asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from agentguard.core import entry
from agentguard.core.decision import AskedRoute
from agentguard.core.digest import canonical_bytes, time_text
from agentguard.core.lifecycle import State
from agentguard.core.people import User, one_spelling
from agentguard.core.policy import Policy, Verdict
from agentguard.core.request import Actor, ActorKind, Vote
from agentguard.engine import escalating, recorded
from agentguard.engine.asking import ask
from agentguard.engine.continuing import proposal_of
from agentguard.engine.parts import Parts
from agentguard.engine.proposing import propose
from agentguard.engine.sides import bundle_of
from agentguard.engine.told import spoken
from agentguard.errors import KeyConflictError, UsageError
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, Entry, EscalationRecord

CONTESTED = "contested"
ENDED = "contest_ended"
UPHELD = "upheld"
PLACE = "contest.words"
KEY = "contest:"


@dataclass(frozen=True, slots=True)
class Contested:
    """A contest as it was recorded.

    Attributes:
        escalation: What people decide.
        entry: Position in the audit log.
        due: By when they decide.
    """

    escalation: str
    action_id: str
    entry: int
    at: datetime
    due: datetime


def contest(
    parts: Parts, action_id: str, words: str, *, by: str | Actor, channel: str = "", key: str | None = None
) -> Contested:
    """Open what people decide who have not seen the case; the same words, or the same key, are one contest.

    Raises:
        NotFoundError: No action has this id.
        KeyConflictError: The key names a contest in other words.
        UsageError: It was not denied, nobody lets it be contested (any more), or it was contested before.
    """
    said = spoken(words, by, channel, key)
    who = by if isinstance(by, Actor) else Actor(by, kind=ActorKind.PERSON)
    digest = parts.keyed_value([said, channel, "" if key is None else key])

    def work(transaction: Transaction) -> Contested:
        """Write the contest down and open its escalation, unless that was done before."""
        action = recorded.whole(transaction, action_id)
        parts.require_keys(transaction)
        before = _before(transaction, action, digest, key)
        if before is not None:
            return before
        _require_open(parts, transaction, action)
        opened = _opened(parts, transaction, action)
        customer = parts.vault.customer_of(action.on_behalf_of)
        sealed = parts.vault.seal(action.on_behalf_of, PLACE, canonical_bytes(said), action.id)
        body = entry.moved(
            CONTESTED,
            _about(action),
            escalation=opened.id,
            routes=escalating.routes_of(opened),
            request_digest=action.request_digest,
            decision_entry=action.decision_entry,
            by=action.on_behalf_of if who.id == customer else who.id,
            by_kind=str(who.kind),
            channel=channel,
            contest_key=key,
            words={"sealed": transaction.store_sealed(sealed.packed)},
            words_digest=digest,
        )
        written = transaction.append(body)
        transaction.open_escalation(opened)
        return Contested(opened.id, action.id, written.pos, opened.opened_at, opened.due_at or opened.opened_at)

    return parts.store.transact(work)


def contest_until(parts: Parts, reading: Reading, action: ActionRecord) -> datetime | None:
    """Return until when a customer may contest what became of an action; None where they cannot (any more)."""
    until = None if _refusal(action, reading) else _until(parts, reading, action)
    return until if until is not None and reading.now() <= until else None


def contest_entry(reading: Reading, action_id: str) -> Entry | None:
    """Return the entry of an action's contest."""
    return next((item for item in reading.entries_of(action_id) if item.kind == CONTESTED), None)


def upheld_as(reading: Reading, action_id: str) -> str:
    """Return the action that a person asked for after an action's contest was upheld, or empty."""
    ends = [item.document for item in reading.entries_of(action_id) if item.kind == ENDED]
    return next((body["upheld_as"] for body in ends if body["outcome"] == UPHELD), "")


def made_of(reading: Reading, action: ActionRecord) -> EscalationRecord | None:
    """Return the contest that an action was made of."""
    record = reading.escalation(action.key.removeprefix(KEY)) if action.key.startswith(KEY) else None
    is_its = record is not None and record.kind == escalating.CONTEST and record.action_id == action.relates_to
    return record if is_its else None


def has_seen(reading: Reading, action: ActionRecord, user: User) -> bool:
    """Return whether somebody decided, looked into or took down the case that a contest is about."""
    names = {one_spelling(name) for name in _who_saw(reading, action)}
    return not names.isdisjoint(one_spelling(name) for name in (user.id, *user.logins, user.email) if name)


def _who_saw(reading: Reading, action: ActionRecord) -> Iterator[str]:
    """Yield who voted on, viewed, amended, withdrew or wrote down an action, or the ones that it took the place of."""
    contests = {item.id for item in reading.escalations_of(action.id) if item.kind == escalating.CONTEST}
    current: ActionRecord | None = action
    while current is not None:
        for item in reading.entries_of(current.id):
            if item.is_purged:
                continue
            body = item.document
            if item.kind in ("voted", "viewed") and body["escalation"] not in contests:
                yield body["vote"]["voter"] if item.kind == "voted" else body["voter"]
            elif item.kind in (CONTESTED, "withdrawn", "amended", "proposed") and body.get("by"):
                yield body["by"]
        origin = reading.action(current.relates_to) if current.relates_to is not None else None
        is_amended = origin is not None and recorded.kept(origin).get("amended") == current.id
        current = origin if is_amended else None


def ended(transaction: Transaction, record: EscalationRecord, action: ActionRecord, outcome: str, **more: Any) -> int:
    """Write down how a contest ended, and return the entry's position; the denial stands."""
    body = entry.moved(
        ENDED,
        _about(action),
        escalation=record.id,
        outcome=outcome,
        decision_entry=action.decision_entry,
        **more,
    )
    return transaction.append(body).pos


def decided(
    parts: Parts, transaction: Transaction, record: EscalationRecord, action: ActionRecord, last: Vote
) -> tuple[str, int]:
    """Close a contest after its last vote; returns the action that may go on, and the entry that says so.

    A no leaves the denial as it is. The last yes lets whoever said it ask for the same again.

    Raises:
        UsageError: The policies in force cannot read the request any more, or its customer was erased.
    """
    by, authenticated = last.voter, last.authenticated
    # What was upheld goes on as an action of its own, so that nothing of the contest itself is left to resume.
    state = escalating.USED if last.approve else escalating.REJECTED
    transaction.close_escalation(record.id, escalating.OPEN, state)
    if not last.approve:
        return action.id, ended(transaction, record, action, state, by=by, authenticated=authenticated)
    bundle = bundle_of(parts, transaction, action)
    plan = parts.force.plan(bundle, action.action)
    proposal = replace(
        proposal_of(parts, transaction, action.id),
        actor=Actor(last.voter, kind=ActorKind.PERSON),
        key=f"{KEY}{record.id}",
        relates_to=action.id,
    )
    known = parts.force.known_context(transaction)
    # It is asked for since the customer first did: the clock does not run against them while people think.
    asked = ask(parts, proposal, plan, known, now=transaction.now(), asked_at=action.asked_at)
    if asked.faults:
        raise UsageError(f"expected a request that the policies in force can read, got: {asked.faults[0]}")
    position = ended(transaction, record, action, UPHELD, upheld_as=asked.action_id, by=by, authenticated=authenticated)
    propose(parts, transaction, asked, by=by, authenticated=authenticated)
    return asked.action_id, position


def _about(action: ActionRecord) -> dict[str, Any]:
    return recorded.about(action, entry.Standing(action.state, action.fence, action.attempt, action.deadline))


def _before(reading: Reading, action: ActionRecord, digest: str, key: str | None) -> Contested | None:
    """Return an action's contest, where this is the same again.

    Raises:
        KeyConflictError: The key names a contest in other words.
        UsageError: It is another one.
    """
    found = contest_entry(reading, action.id)
    record = None if found is None else reading.escalation(found.document["escalation"])
    if found is None or record is None:
        return None
    if found.document["words_digest"] == digest:
        return Contested(record.id, action.id, found.pos, found.at, record.due_at or found.at)
    if key is not None and found.document["contest_key"] == key:
        raise KeyConflictError(f"expected the words that were given under the key `{key}` before, got others")
    raise UsageError(
        f"expected an action that was not contested yet, got `{action.id}`: that was done with `{record.id}`, "
        f"which is {record.state}"
    )


def _refusal(action: ActionRecord, reading: Reading) -> str:
    """Return why nobody could contest what became of an action, whatever the policies say; empty if somebody could."""
    if action.state is not State.DENIED:
        return f"which is {action.state}"
    if instead := recorded.kept(action).get("amended"):
        return f"which was amended: contest what took its place, `{instead}`"
    decided = reading.entry(action.decision_entry or 0)
    if decided is None or decided.kind != "decided":
        return "which was refused before any rule looked at it: ask again with what was wrong put right"
    if not action.on_behalf_of:
        return "which was for no customer"
    if made_of(reading, action) is not None:
        return "which a person asked for after a contest already"
    return ""


def _require_open(parts: Parts, reading: Reading, action: ActionRecord) -> None:
    refusal = _refusal(action, reading)
    if refusal:
        raise UsageError(f"expected an action that was denied, got `{action.id}`, {refusal}")
    until = _until(parts, reading, action)
    if until is None:
        raise UsageError(f"expected an action that may be contested, got `{action.action}`: no policy says `contest`")
    if reading.now() > until:
        raise UsageError(f"expected a contest of `{action.id}` up to {time_text(until)}, got one later")
    if parts.vault.customer_of(action.on_behalf_of) is None:
        raise UsageError(f"expected a customer who contests, got action `{action.id}`, whose customer was erased")


def _contestable(parts: Parts, reading: Reading, action: ActionRecord) -> list[Policy]:
    bundle = bundle_of(parts, reading, action)
    return [policy for policy in bundle.governing(action.action) if policy.contest is not None and not policy.shadow]


def _until(parts: Parts, reading: Reading, action: ActionRecord) -> datetime | None:
    """Return the end of the shortest time that the policies give, counted from the end of the action."""
    end = reading.entry(recorded.kept(action).get("entry", 0))
    times = [policy.contest.open_for for policy in _contestable(parts, reading, action) if policy.contest is not None]
    return end.at + min(times) if end is not None and times else None


def _opened(parts: Parts, reading: Reading, action: ActionRecord) -> EscalationRecord:
    now = reading.now()
    routes = []
    for policy in _contestable(parts, reading, action):
        assert policy.contest is not None  # noqa: S101 - those are the contestable ones
        route = policy.routes[policy.contest.to]
        route = replace(route, within=policy.contest.within or route.within, hold=False, may_change=())
        routes.append(escalating.opened_route(AskedRoute(policy.qualified(route.id), route), policy, now))
    decided = reading.entry(action.decision_entry or 0)
    body = {} if decided is None else decided.document
    reasons = [reason for reason in recorded.reasons_of(recorded.kept(action)) if reason.verdict > Verdict.ALLOW]
    shown = {
        "action": action.action,
        "arguments": {
            name: "personal" if isinstance(value, dict) and set(value) == {"sealed"} else value
            for name, value in orjson.loads(action.arguments).items()
        },
        "agent": orjson.loads(action.request)["id"],
        "on_behalf_of": action.on_behalf_of,
        "reasons": [{"source": item.source, "code": item.code, "because": item.because} for item in reasons],
        "limits": [{name: check[name] for name in escalating.SHOWN_OF_LIMITS} for check in body.get("limits", ())],
        "say": recorded.kept(action).get("say", ""),
    }
    return EscalationRecord(
        id=parts.new_id("esc", now),
        tenant=action.tenant,
        action_id=action.id,
        routes=canonical_bytes(routes).decode(),
        request_digest=action.request_digest,
        reasons=tuple(sorted({reason.identity for reason in reasons})),
        shown=canonical_bytes(shown).decode(),
        opened_at=now,
        due_at=escalating.earliest(routes),
        remind_at=escalating.next_reminder(routes, now),
        kind=escalating.CONTEST,
    )
