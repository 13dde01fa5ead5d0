"""Actions that are taken up again by their id: approved or ready ones, abandoned ones, ones a person looked into."""

from __future__ import annotations

from typing import Any

from agentguard.core.lifecycle import State
from agentguard.engine import escalating, recorded
from agentguard.engine.answers import Answer
from agentguard.engine.asking import CONVERSATION, Proposal
from agentguard.engine.drive import drive
from agentguard.engine.effect import Outcome, OutcomeKind
from agentguard.engine.expiry import expire, run_late
from agentguard.engine.finishing import Finishing, report
from agentguard.engine.parts import Parts
from agentguard.engine.recovery import recovering
from agentguard.engine.restoring import find, reader_of
from agentguard.engine.undertaking import tool_of
from agentguard.errors import AgentGuardError, NotFoundError, UsageError
from agentguard.log import get_logger
from agentguard.store import Reading
from agentguard.store.records import ActionRecord

log = get_logger("continue")

MAX_RECOVERED = 1_000


def again(parts: Parts, action_id: str) -> Proposal:
    """Return the proposal of an action as it was made, rebuilt from its record.

    Raises:
        NotFoundError: No action has this id.
        UsageError: Its arguments were never right, or its customer was erased.
    """

    def read(reading: Reading) -> Proposal:
        record = reading.action(action_id)
        if record is None:
            raise NotFoundError(f"expected the id of an action, got `{action_id!s:.100}`, which none has")
        found = reading.entry(record.decision_entry or 0)
        if found is None or found.kind != "decided":
            raise UsageError(
                f"action `{action_id}` was refused before any rule looked at it; there is nothing to go on with"
            )
        plan = parts.force.plan(parts.force.bundle(reading, found.document["bundle"]), record.action)
        reader = reader_of(parts, reading, found.document, plan)
        request = reader.request(parts.vault.customer_of(record.on_behalf_of) if record.on_behalf_of else "")
        if reader.erased:
            raise UsageError(
                f"expected the whole request of action `{action_id}`, but this was erased: {reader.erased}"
            )
        context = {name.removeprefix("context."): value for name, value in request.context.items()}
        return Proposal(
            action=record.action,
            arguments=request.arguments,
            actor=request.actor,
            on_behalf_of=request.on_behalf_of,
            context={**context, **({"conversation": record.conversation} if CONVERSATION in request.context else {})},
            key=record.key,
            tenant=record.tenant,
            relates_to=record.relates_to,
        )

    return parts.store.read(read)


def recover_all(parts: Parts) -> list[Answer]:
    """Take up every action that was abandoned, is in doubt, or whose time is over; returns what they came to."""
    answers: list[Answer] = []
    for state in (State.IN_DOUBT, State.EXECUTING, State.READY, State.WAITING):
        after = ""
        while len(answers) < MAX_RECOVERED:
            page, now = parts.store.read(lambda reading: (reading.actions(state, after=after), reading.now()))  # noqa: B023
            for record in page:
                try:
                    answer = _recover(parts, record, now)
                except AgentGuardError as error:
                    # One action that cannot be taken up must not keep the others, or the guard, from starting.
                    # A traceback would show every local name, and personal data with them.
                    log.error("guard.not_recovered", action_id=record.id, error=error.code)  # noqa: TRY400
                    answer = recorded.not_now(record.id, record.action, "not_recovered")
                if answer is not None:
                    answers.append(answer)
            if not page:
                break
            after = page[-1].id
    if answers:
        log.info("guard.recovered", count=len(answers))
    return answers


def _recover(parts: Parts, record: ActionRecord, now: Any) -> Answer | None:
    lease_over = record.lease_until is not None and now > record.lease_until
    match record.state:
        case State.EXECUTING if lease_over:
            return drive(parts, recovering(parts, record))
        case State.IN_DOUBT:
            return drive(parts, recovering(parts, record))
        case State.READY if lease_over:
            return parts.store.transact(lambda transaction: expire(record, transaction))
        case State.WAITING:
            escalated = parts.store.read(lambda reading: reading.escalation(record.escalation or ""))
            if escalated is None or escalated.state != escalating.OPEN:
                return None
            if escalated.due_at is None or now < escalated.due_at:
                return None
            return parts.store.transact(lambda transaction: run_late(parts, record, transaction))
        case _:
            return None


def resolve(parts: Parts, action_id: str, *, done: bool, by: str, why: str, result: Any = None) -> Answer:
    """Settle or release an action in doubt by what a person found out.

    Raises:
        NotFoundError: No action has this id.
        UsageError: It is not in doubt, or nobody and no reason is named.
    """
    if not by or not why:
        raise UsageError("expected who found out (`by`) and how (`why`), got nothing; both go into the record")
    record = parts.store.read(lambda reading: reading.action(action_id))
    if record is None:
        raise NotFoundError(f"expected the id of an action, got `{action_id!s:.100}`, which none has")
    if record.state is State.RELEASED and not done:
        return recorded.ended(record, replayed=True)
    if record.state not in (State.IN_DOUBT, State.RELEASED):
        raise UsageError(f"expected an action in doubt, got `{action_id}`, which is {record.state}")
    tool_of(parts, record.action)
    found = parts.store.read(lambda reading: find(parts, action_id, reading))
    if found is None:
        raise UsageError(f"action `{record.action}` has no tool in this process; resolve it where it has one")
    outcome = Outcome(OutcomeKind.DONE if done else OutcomeKind.NOT_DONE, result, error="" if done else "resolved")
    return parts.store.transact(Finishing(parts, found.begun, report(parts, found.begun, outcome, by=by, why=why)))
