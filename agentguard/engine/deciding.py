"""Steps 3 and 4 in one transaction: decide with what is held and settled now, hold, record (laws 2, 4 and 5)."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agentguard.core import entry
from agentguard.core.decide import decide
from agentguard.core.decision import Decision, Reason
from agentguard.core.lifecycle import State
from agentguard.core.needs import Needs, RequirementNeed, needs
from agentguard.core.people import People
from agentguard.core.policy import Policy, Verdict
from agentguard.core.request import Evidence, Fact, FactStatus, Vote
from agentguard.engine import confirming, drawing, escalating, recorded
from agentguard.engine import tally as tallying
from agentguard.engine.answers import Answer, Denied
from agentguard.engine.asking import Ask
from agentguard.engine.counting_beside import Sides, hold_beside
from agentguard.engine.effect import name_of
from agentguard.engine.parts import Parts
from agentguard.engine.undertaking import Undertaking, undertaking
from agentguard.engine.voting import carried
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionChanges, ActionRecord, EntryFilter, EntryRef, Sealed

POSTS_NOTHING = frozenset(
    {"decided", "refused", "released", "in_doubt", "sent_again", "taken_up", "review_drawn", "reviewed"}
)
"""Kinds of entries beside which no account is posted to."""


class Again(enum.Enum):
    """Why there is no decision to go by: what it rested on has changed meanwhile, or it came with its approval."""

    LOOK = "look"
    GATHER = "gather"


@dataclass(frozen=True, slots=True)
class Deciding:
    """One attempt to decide, as a unit of work that may be run again.

    Attributes:
        before: The action's row as it was looked up, or None for a new one.
        position: How long the log was before the facts were gathered.
        gathered: Drawn from `parts.running` right before the first lookup.
        sides: What was in force then, with its canary.
        begin: False to stop at `ready`.
        people: Who may decide what waited; None where nothing did.
        patient: False to go by the facts as they are, even if others have posted since.
    """

    parts: Parts
    ask: Ask
    before: ActionRecord | None
    facts: Mapping[str, Fact]
    sealed: Mapping[str, Sealed]
    position: int
    gathered: int
    sides: Sides
    begin: bool
    people: People | None = None
    patient: bool = True

    @property
    def observes(self) -> bool:
        """Whether nothing is enforced: the guard observes, and people were not asked about this action."""
        before = self.before
        return self.parts.observe and (before is None or (before.state is State.READY and before.escalation is None))

    def __call__(self, transaction: Transaction) -> Answer | Undertaking | Again:
        """Decide, hold and record, or say what to do again first."""
        if self._overtaken(transaction):
            return Again.LOOK
        stopped = halted(transaction, self.ask.request.action, self.ask.request.actor.id)
        if stopped is not None:
            return self._halted(transaction, stopped)
        now = transaction.now()
        wanted = needs(self.ask.plan, self.ask.request, self.facts, now)
        watched = self.parts.force.watched(self.ask.plan)
        accounts = [self.parts.account(need.account) for limit, need in wanted.accounts.items() if limit in watched]
        if self.facts and self.patient and self._are_stale(transaction, accounts):
            return Again.GATHER
        tally = tallying.at_second_look(self.parts, transaction, self.before, self.people, now)
        own = None if self.before is None else self.ask.action_id
        evidence = collect(self.parts, transaction, self.ask, self.facts, wanted, own, tally.votes)
        decision = decide(self.ask.plan, self.ask.request, evidence, wanted)
        if self.observes:
            return self._permitted(transaction, evidence, decision)
        if self.before is not None and not decision.permits and self._lookup_failed():
            return recorded.not_now(self.ask.action_id, self.ask.request.action, "lookup_failed")
        if decision.permits and self._is_ready() and not self._holds_the_same(transaction, decision):
            decision = _withdrawn(decision, self.ask.action_id)
        if decision.permits:
            return self._permitted(transaction, evidence, decision)
        if decision.verdict is Verdict.ESCALATE and not self._is_ready():
            if self.before is not None and tally.lost:
                again = escalating.waits_again(transaction, self.before, decision, self._policies(), tally.not_counted)
                if again is not None:
                    return again
            return self._escalated(transaction, evidence, decision)
        return self._denied(transaction, evidence, decision)

    def _overtaken(self, transaction: Transaction) -> bool:
        request = self.ask.request
        current = transaction.action_by_key(request.tenant, request.actor.id, self.ask.conversation, request.key)
        moved = (current and (current.state, current.fence, current.escalation)) != (
            self.before and (self.before.state, self.before.fence, self.before.escalation)
        )
        return moved or transaction.in_force() != self.sides.in_force

    def _are_stale(self, transaction: Transaction, accounts: Sequence[str]) -> bool:
        """Return whether the facts may miss what others did that no hold says any more.

        What was settled since they were looked up, by a tool that had ended before that, is in them.
        """
        if not transaction.posted_since(accounts, self.position):
            return False
        for kind, action_id in transaction.written_since(self.position):
            if kind in POSTS_NOTHING or self.parts.running.ended_before(action_id, self.gathered):
                continue
            if action_id is None or not transaction.accounts_posted(action_id).isdisjoint(accounts):
                return True
        return False

    def _policies(self) -> list[Policy]:
        return [file.policy for file in self.ask.plan.files]

    def _lookup_failed(self) -> bool:
        return any(fact.status is FactStatus.FAILED for fact in self.facts.values())

    def _is_ready(self) -> bool:
        return self.before is not None and self.before.state is State.READY

    def _permitted(self, transaction: Transaction, evidence: Evidence, decision: Decision) -> Answer | Undertaking:
        now, attempt, fence = evidence.now, 0, 0 if self.before is None else self.before.fence
        tool = self.parts.registry.tools.get(self.ask.request.action)
        deadline = None
        if self.begin and tool is not None:
            attempt, fence = 1, fence + 1
            deadline = now + (recorded.UNBOUNDED if self.observes else tool.timeout or recorded.UNBOUNDED)
        state = State.EXECUTING if self.begin else State.READY
        lease = deadline + self.parts.waits.grace if deadline else now + self.parts.waits.ready
        standing = entry.Standing(state, fence, attempt, deadline)
        written = self._record(
            transaction,
            evidence,
            decision,
            standing,
            lease_until=lease,
            deadline=deadline,
            began_at=now if self.begin else None,
            escalation=None if self.before is None else self.before.escalation,
        )
        self._hold(transaction, self._amounts(decision))
        if self.sides.other is not None:
            beside = self.sides.counted(self.parts, self.ask.request, evidence.now)
            about = entry.about(self.ask.action_id, self.ask.request, self.ask.pseudonym, standing)
            hold_beside(transaction, beside, about)
        escalating.end_of(transaction, self.before)
        if decision.requirements:
            confirming.use(transaction, self.ask, decision, written.pos)
        if not self.begin:
            return recorded.ready(self.ask, decision, written, lease, observed=self.observes)
        given = self.parts, self.ask, self.facts, evidence.now, decision, standing, written
        return undertaking(*given, observed=self.observes)

    def _amounts(self, decision: Decision) -> dict[str, tuple[str, int]]:
        return {
            self.parts.account(check.account): (check.unit, check.amount)
            for check in decision.limits
            if check.account and check.amount > 0
        }

    def _hold(self, transaction: Transaction, amounts: Mapping[str, tuple[str, int]]) -> None:
        held_before = transaction.held(self.ask.action_id) if self._is_ready() else amounts
        if self.before is not None and (self.before.state is State.WAITING or held_before != amounts):
            transaction.hold_anew(self.ask.action_id)
        transaction.hold_all(self.ask.action_id, amounts)

    def _holds_the_same(self, transaction: Transaction, decision: Decision) -> bool:
        """Return whether what is wanted is held, and nothing else but for limits that ended, or that a canary has."""
        held, wanted = transaction.held(self.ask.action_id), self._amounts(decision)
        if held == wanted:
            return True
        beside = self.sides.counted(self.parts, self.ask.request, transaction.now())
        more = held.keys() - wanted.keys() - beside.needs.keys()
        return held.items() >= wanted.items() and (not more or self._activated_since(transaction))

    def _activated_since(self, transaction: Transaction) -> bool:
        last = transaction.entries(0, 1, EntryFilter(kind="activated"), newest_first=True)
        before = None if self.before is None else self.before.decision_entry
        return bool(last) and last[0].pos > (before or 0)

    def _escalated(self, transaction: Transaction, evidence: Evidence, decision: Decision) -> Answer | Again:
        fence = 0 if self.before is None else self.before.fence
        opened = escalating.escalation(self.parts, self.ask, decision, evidence.now)
        standing = entry.Standing(State.WAITING, fence, 0)
        held = escalating.held(self.parts, self.ask.plan, decision)
        extra = {"escalation": opened.id, "holds": {account: amount for account, (_, amount) in held.items()}}
        written = self._record(transaction, evidence, decision, standing, escalation=opened.id, extra=extra)
        self._hold(transaction, held)
        escalating.end_of(transaction, self.before)
        transaction.open_escalation(opened)
        if self.before is not None and carried(self.parts, transaction, self.before, opened, self.people):
            return Again.LOOK
        return escalating.waiting(self.ask.action_id, self.ask.request.action, decision, opened, written)

    def _denied(self, transaction: Transaction, evidence: Evidence, decision: Decision) -> Answer:
        fence = 0 if self.before is None else self.before.fence
        # A lookup that failed may be tried again, and a customer asked for their yes: the denial is recorded, the key
        # stays free (law 3).
        free = self.before is None and (self._lookup_failed() or _only_unconfirmed(decision))
        answer = Denied(
            decision_id=self.ask.action_id,
            action=self.ask.request.action,
            say=decision.say,
            language=decision.language,
            reasons=decision.reasons,
            may_retry=free,
        )
        if self.before is not None:
            transaction.release(self.ask.action_id)
        escalating.end_of(transaction, self.before)
        written = self._record(
            transaction, evidence, decision, entry.Standing(State.DENIED, fence, 0), answer=answer, keep=not free
        )
        return recorded.with_entry(answer, written)

    def _record(
        self,
        transaction: Transaction,
        evidence: Evidence,
        decision: Decision,
        standing: entry.Standing,
        *,
        answer: Answer | None = None,
        keep: bool = True,
        extra: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> EntryRef:
        ask = self.ask
        sealed = {place: transaction.store_sealed(item.packed) for place, item in {**ask.sealed, **self.sealed}.items()}
        body = entry.decided(
            ask.action_id,
            ask.request,
            ask.pseudonym,
            ask.plan,
            evidence,
            decision,
            standing=standing,
            sealed=sealed,
            keyed=self.parts.account,
            versions=self.parts.versions,
            relates_to=ask.relates_to,
            enforced=Verdict.ALLOW if self.observes else None,
            canary=self.sides.recorded(ask.request),
        )
        body |= {**(extra or {}), "request_digest": ask.digest}
        if not keep:
            del body["state"]  # no row stands beside this entry, so there is no state that it could say
        drawn = drawing.drawn_by_share(self.parts, ask, decision) if keep and self.before is None else None
        if drawn is not None:
            body["review"] = [item.draw.policy for item in drawn]
        written = transaction.append(body)
        for item in drawn or ():
            drawing.write(transaction, item, body, written.pos, evidence.now)
        if keep:
            moves: ActionChanges = {
                "new_fence": standing.fence,
                "attempt": standing.attempt,
                "bundle": ask.plan.bundle_digest,
                "decision_entry": written.pos,
                "answer": recorded.answer_text(decision, answer, written, observed=self.observes),
                **changes,  # type: ignore[typeddict-item]
            }
            self._move(transaction, State(standing.state), moves)
        return written

    def _move(self, transaction: Transaction, state: State, changes: ActionChanges) -> None:
        tool = self.parts.registry.tools.get(self.ask.request.action)
        effect = name_of(tool.effect) if tool else "unprotected"
        if self.before is not None:
            if self.before.state is State.PROPOSED:
                changes["effect"] = effect
            transaction.move(self.ask.action_id, self.before.state, self.before.fence, state, **changes)
            return
        rest: dict[str, Any] = {**changes, "updated_at": transaction.now()}
        fence = rest.pop("new_fence", 0)
        transaction.open_action(recorded.new_record(self.ask, effect, state=state, fence=fence, **rest))

    def _halted(self, transaction: Transaction, target: str) -> Answer:
        reason = Reason("halted", target, Verdict.DENY)
        body = recorded.refused_entry(self.parts, self.ask, (reason,), self.before)
        if self.before is None:
            del body["state"]  # a stopped request leaves its key free
        written = transaction.append(body)
        return Denied(
            decision_id=self.ask.action_id,
            action=self.ask.request.action,
            reasons=(reason,),
            entry=written.pos,
            leaf=written.leaf,
            may_retry=True,
        )


def _only_unconfirmed(decision: Decision) -> bool:
    return all(item.code == "not_confirmed" for item in decision.reasons if item.verdict is Verdict.DENY)


def _withdrawn(decision: Decision, action_id: str) -> Decision:
    reason = Reason("withdrawn", action_id, Verdict.DENY, detail="what it would use has changed since it was allowed")
    return replace(decision, verdict=Verdict.DENY, approved=False, reasons=(reason, *decision.reasons), routes=())


def halted(reading: Reading, action: str, agent: str) -> str | None:
    """Return the stop that a person pressed for this action or agent, or None."""
    halts = reading.halts()
    if not halts:
        return None
    stopped = {halt.target for halt in halts}
    return next((target for target in ("all", f"action:{action}", f"agent:{agent}") if target in stopped), None)


def collect(
    parts: Parts,
    reading: Reading,
    asked: Ask,
    facts: Mapping[str, Fact],
    wanted: Needs,
    own: str | None = None,
    votes: tuple[Vote, ...] = (),
) -> Evidence:
    """Return the evidence of one moment: usage and history as the store has them in this transaction.

    Args:
        parts: Where digests come from.
        reading: The transaction.
        asked: Who asks.
        facts: What was looked up.
        wanted: What `needs` gave for it.
        own: The action's id, where it may hold something already, which is left out.
        votes: On its escalation.
    """
    usage = {
        limit: reading.usage(
            parts.account(need.account), need.window_start, inclusive=need.inclusive, exclude_action=own
        )
        for limit, need in wanted.accounts.items()
    }
    history = {name: _happened(parts, reading, asked, need) for name, need in wanted.requirements.items()}
    return Evidence(facts=facts, usage=usage, history=history, votes=votes, now=reading.now())


def _happened(parts: Parts, reading: Reading, asked: Ask, need: RequirementNeed) -> int | None:
    values = {key: parts.keyed_value(value) for key, value in need.values.items()}
    if need.action is None:
        return confirming.confirmed(reading, asked.request.tenant, values, need, asked.action_id)
    return reading.settled(asked.request.tenant, need.action, values, need.since)


def decide_now(parts: Parts, reading: Reading, asked: Ask, facts: Mapping[str, Fact]) -> tuple[Decision, Evidence]:
    """Return a decision without storing anything: what `guard.decide` shows."""
    now: datetime = reading.now()
    wanted = needs(asked.plan, asked.request, facts, now)
    evidence = collect(parts, reading, asked, facts, wanted)
    return decide(asked.plan, asked.request, evidence, wanted), evidence
