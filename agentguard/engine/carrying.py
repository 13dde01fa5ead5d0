"""Steps 5 to 7: call the tool of an action that has begun, and write down what became of it."""

from __future__ import annotations

from agentguard.core.lifecycle import State
from agentguard.engine.answers import Answer, InDoubt
from agentguard.engine.deciding import halted
from agentguard.engine.effect import Outcome, OutcomeKind
from agentguard.engine.finishing import Finishing, report
from agentguard.engine.parts import Parts
from agentguard.engine.steps import Call, Commit, Look, Walk
from agentguard.engine.undertaking import Undertaking
from agentguard.errors import StoreUnavailableError
from agentguard.store import Reading


def carry_out(parts: Parts, begun: Undertaking) -> Walk:
    """Call the tool of an action that has begun, and write down what became of it."""
    try:
        seconds: float = yield Look(lambda reading: seconds_left(begun, reading))
    except StoreUnavailableError:
        seconds = 0.0
    if seconds <= 0:
        outcome = Outcome(OutcomeKind.NOT_DONE, error="not_begun")
    else:
        outcome = yield Call(begun.tool, begun, seconds if begun.tool.timeout is not None else None)
    if outcome.kind is OutcomeKind.NOT_DONE and begun.standing.attempt > 1:
        # It says that this attempt did nothing; an earlier one, whose outcome nobody knows, may have acted (law 6).
        outcome = Outcome(OutcomeKind.UNKNOWN, error=outcome.error)
    told = report(parts, begun, outcome)
    try:
        answer: Answer = yield Commit(Finishing(parts, begun, told))
    except StoreUnavailableError:
        # The effect may have happened and the record could not be written: the hold stays, and recovery finds it.
        return InDoubt(decision_id=begun.action_id, action=begun.request.action, error="store_unavailable")
    return answer


def seconds_left(begun: Undertaking, reading: Reading) -> float:
    """Return how long the tool may still act; 0 if it is no longer this walk's, or a person stopped it (law 2)."""
    record = reading.action(begun.action_id)
    mine = record is not None and record.state is State.EXECUTING and record.fence == begun.standing.fence
    if not mine or halted(reading, begun.request.action, begun.request.actor.id) is not None or begun.deadline is None:
        return 0.0
    return (begun.deadline - reading.now()).total_seconds()
