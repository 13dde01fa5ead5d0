"""The walk of one action, written once: it yields what it needs, and a driver (sync or async) gets it.

    propose ─► look ─► gather ─► decide + hold ─► execute ─► settle ─► answer

Every stop on the way is an answer. A walk that is driven again under the same key goes on where the action stands.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from agentguard.core.beside import Beside
from agentguard.core.canary import InForce
from agentguard.core.decision import Reason
from agentguard.core.lifecycle import State
from agentguard.core.people import People
from agentguard.core.policy import Verdict
from agentguard.core.request import Fact
from agentguard.engine import escalating, pausing, recorded
from agentguard.engine.answers import Answer, Denied
from agentguard.engine.asking import Ask, Proposal, ask, seal_facts
from agentguard.engine.carrying import carry_out
from agentguard.engine.conflicting import conflict, conflict_error
from agentguard.engine.continuing import proposal_of
from agentguard.engine.counting_beside import Sides
from agentguard.engine.deciding import Again, Deciding
from agentguard.engine.expiry import expire, run_late
from agentguard.engine.machine import jitter
from agentguard.engine.parts import Parts
from agentguard.engine.recovery import recovering
from agentguard.engine.results import read_result
from agentguard.engine.steps import Abandoned, Commit, Convene, Gather, Look, Meet, Pause, Step, Walk
from agentguard.engine.undertaking import Undertaking, tool_of
from agentguard.errors import BundleUnreadableError, PeopleUnavailableError, StoreUnavailableError
from agentguard.log import get_logger
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, EscalationRecord

log = get_logger("walk")

MAX_GATHERINGS = 12
MAX_GATHERINGS_OBSERVING = 3
"""How often a guard that only observes gathers at most: then it decides by what there is, and nobody waits longer."""
MAX_LOOKS = 20
PAUSE_SECONDS = 0.05
MAX_FAULTS = 20


class Seen(NamedTuple):
    """What was there when a walk looked: the canonical request, the action under its key, how long the log was.

    Attributes:
        in_force: What decides, for this customer and for others.
        other: What the version of a canary that does not decide this one counts of it.
    """

    ask: Ask
    in_force: InForce
    other: Beside | None
    record: ActionRecord | None
    escalated: EscalationRecord | None
    result: Any
    position: int
    now: datetime


def walk(parts: Parts, proposal: Proposal, *, begin: bool = True) -> Walk:
    """Take one action as far as its policy says; `begin=False` stops where it is allowed and held."""
    try:
        decided = yield from _decide(parts, proposal, begin=begin)
    except StoreUnavailableError as error:
        return recorded.unavailable("", proposal.action, error)
    except BundleUnreadableError as error:
        log.error("guard.bundle_unreadable", action=proposal.action, reason=str(error))  # noqa: TRY400 - no locals
        return recorded.not_now("", proposal.action, "bundle")
    except PeopleUnavailableError as error:
        log.warning("people.unknown", action=proposal.action, reason=str(error))
        return recorded.not_now("", proposal.action, "people")
    if isinstance(decided, Answer):
        return decided
    return (yield from carry_out(parts, decided))


def _decide(parts: Parts, proposal: Proposal, *, begin: bool) -> Generator[Step, Any, Answer | Undertaking]:
    """Look, gather and decide, again where something moved meanwhile, until there is an answer or a beginning."""
    if parts.witnessing.refusal:
        log.warning("guard.log_refused", action=proposal.action, reason=parts.witnessing.refusal)
        return recorded.not_now("", proposal.action, "log_refused")
    if not parts.vault.knows(proposal.tenant, proposal.on_behalf_of):
        yield Meet(proposal.tenant, proposal.on_behalf_of)
    gatherings = 0
    patience = parts.waits.in_progress.total_seconds()
    for _ in range(MAX_LOOKS + int(patience / PAUSE_SECONDS)):
        seen: Seen = yield Look(partial(look, parts, proposal), proposal.keys)
        earlier = seen.record
        if earlier is not None and earlier.request_digest != seen.ask.digest:
            yield Commit(partial(conflict, earlier, seen.ask))
            raise conflict_error(seen.ask)
        if earlier is not None and earlier.state is State.EXECUTING and seen.now <= (earlier.lease_until or seen.now):
            if patience <= 0:
                return recorded.not_now(earlier.id, earlier.action, "in_progress")
            patience -= yield Pause(PAUSE_SECONDS, earlier.id, patience)
            continue
        answer = yield from _settled_before(parts, seen, begin=begin)
        if answer is not None:
            return answer
        if begin:
            tool_of(parts, proposal.action)
        people = yield from _people(earlier)
        if gatherings == MAX_GATHERINGS:
            return recorded.not_now("", proposal.action, "stale_facts")
        gatherings += 1
        gather = Gather(seen.ask.plan if seen.other is None else seen.other.looking, seen.ask.request)
        gathered: Mapping[str, Fact] = yield gather
        facts = gathered if seen.other is None else {name: gathered[name] for name in seen.ask.plan.facts}
        sealed = seal_facts(parts, seen.ask, facts)
        sides = Sides(seen.in_force, seen.other, gathered)
        found = parts, seen.ask, earlier, facts, sealed, seen.position, gather.began
        patient = not parts.observe or gatherings < MAX_GATHERINGS_OBSERVING
        deciding = Commit(Deciding(*found, sides, begin=begin, people=people, patient=patient))
        decided: Answer | Undertaking | Again
        try:
            decided = yield deciding
        except Abandoned:
            decided = deciding.given
            if not isinstance(decided, Undertaking):
                raise
        if not isinstance(decided, Again):
            return decided
        if decided is Again.LOOK:
            gatherings -= 1
        else:
            yield Pause(jitter(PAUSE_SECONDS * gatherings))
    return recorded.not_now("", proposal.action, "in_progress")


def _people(earlier: ActionRecord | None) -> Generator[Step, Any, People | None]:
    """Ask who the people are, where some of them decided about this action.

    Raises:
        PeopleUnavailableError: Nobody knows; votes count only with the people of now.
    """
    if earlier is None or (earlier.escalation is None and earlier.state is not State.PROPOSED):
        return None
    people: People | None = yield Convene()
    if people is None:
        raise PeopleUnavailableError("expected a `people.yaml` or `Guard(people=…)` where people decided, got none")
    return people


def _in_its_place(parts: Parts, action_id: str, *, begin: bool) -> Walk:
    """Take the action that an approver put in the place of another one as far as its policy says."""
    proposal: Proposal = yield Look(partial(proposal_of, parts, action_id=action_id))
    return (yield from walk(parts, proposal, begin=begin))


def look(parts: Parts, proposal: Proposal, reading: Reading) -> Seen:
    """Return what stands under a proposal's key, and the proposal made canonical under the bundle that decides it.

    Raises:
        UsageError: The host's own part of the proposal is wrong.
    """
    in_force = parts.force.standing(reading)
    bundle = parts.force.bundle(reading, in_force.side(proposal.tenant, proposal.on_behalf_of).bundle)
    plan = parts.force.plan(bundle, proposal.action)
    sides = in_force, parts.force.beside(reading, plan)
    known = parts.force.known_context(reading)
    now = reading.now()
    asked = ask(parts, proposal, plan, known, now=now)
    record = reading.action_by_key(asked.request.tenant, asked.request.actor.id, asked.conversation, asked.request.key)
    if record is None:
        return Seen(asked, *sides, None, None, None, reading.position(), now)
    asked = ask(parts, proposal, plan, known, now=now, action_id=record.id, asked_at=record.asked_at)
    if asked.digest != record.request_digest:
        return Seen(asked, *sides, record, None, None, reading.position(), now)
    record = pausing.ready_until(reading, record, now)
    escalated = reading.escalation(record.escalation) if record.escalation else None
    if escalated is not None:
        escalated = pausing.due_at(reading, escalated, record, now)
    packed = reading.result(record.id) if record.state is State.SETTLED else None
    result = read_result(parts, parts.registry.tools.get(record.action), packed, record.id)
    return Seen(asked, *sides, record, escalated, result, reading.position(), now)


def _settled_before(parts: Parts, seen: Seen, *, begin: bool) -> Generator[Step, Any, Answer | None]:
    """Return the answer that the action has already, or None if it is to be decided (again) now."""
    record = seen.record
    if record is None:
        if not seen.ask.plan.files or seen.ask.faults:
            refusal: Answer | None = yield Commit(partial(refuse, parts, seen.ask))
            return refusal
        return None
    match record.state:
        case State.DENIED if instead := recorded.kept(record).get("amended"):
            return (yield from _in_its_place(parts, instead, begin=begin))
        case State.SETTLED | State.RELEASED | State.DENIED:
            return recorded.ended(record, seen.result, replayed=True)
        case State.EXECUTING | State.IN_DOUBT:
            return (yield from recovering(parts, record))
        case State.WAITING if seen.escalated is not None and seen.escalated.state == escalating.OPEN:
            if seen.escalated.due_at is None or seen.now < seen.escalated.due_at:
                return escalating.still_waiting(record, seen.escalated)
            late: Answer | None = yield Commit(partial(run_late, parts, record))
            return late
        case State.READY if not begin and seen.now <= (record.lease_until or seen.now):
            return recorded.ready_again(record)
        case State.READY if seen.now > (record.lease_until or seen.now):
            expired: Answer | None = yield Commit(partial(expire, record))
            return expired
        case _:
            return None


def refuse(parts: Parts, asked: Ask, transaction: Transaction) -> Answer | None:
    """Deny a request that no rule needs to look at: nothing governs its action, or its arguments are wrong."""
    request = asked.request
    if transaction.action_by_key(request.tenant, request.actor.id, asked.conversation, request.key) is not None:
        return None
    kept_faults = [fault.for_record for fault in asked.faults[:MAX_FAULTS]]
    if asked.plan.files:
        reasons = tuple(
            Reason("arguments_invalid", request.action, Verdict.DENY, detail=f"{fault.argument or '-'}: {fault.code}")
            for fault in kept_faults
        )
    else:
        reasons = (Reason("action_unknown", request.action, Verdict.DENY),)
    written = transaction.append(recorded.refused_entry(parts, asked, reasons, None))
    problems = tuple(str(fault) for fault in asked.faults[:MAX_FAULTS]) if asked.plan.files else ()
    repeated = tuple(map(str, kept_faults)) if asked.plan.files else ()
    kept = recorded.document_text(reasons=reasons, written=written, problems=repeated)
    bundle = asked.plan.bundle_digest
    transaction.open_action(
        recorded.new_record(
            asked, "unprotected", state=State.DENIED, answer=kept, decision_entry=written.pos, bundle=bundle
        )
    )
    denied = Denied(decision_id=asked.action_id, action=request.action, reasons=reasons, problems=problems)
    return recorded.with_entry(denied, written)
