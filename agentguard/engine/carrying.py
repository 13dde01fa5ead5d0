"""Steps 5 to 7: call the tool of an action that has begun, and write down what became of it."""

from __future__ import annotations

from functools import partial

from agentguard.core.lifecycle import State
from agentguard.engine.answers import Answer
from agentguard.engine.deciding import halted
from agentguard.engine.effect import Outcome, OutcomeKind
from agentguard.engine.finishing import Finishing, report
from agentguard.engine.insisting import Unwritten, written
from agentguard.engine.machine import uptime
from agentguard.engine.parts import Parts
from agentguard.engine.steps import Abandoned, AwaitWitness, Call, Commit, Look, Walk
from agentguard.engine.undertaking import Undertaking
from agentguard.errors import StoreUnavailableError
from agentguard.store import Reading

NOT_BEGUN = Outcome(OutcomeKind.NOT_DONE, error="not_begun")
NOT_WITNESSED = Outcome(OutcomeKind.NOT_DONE, error="not_witnessed")
NO_TIME = (0.0, 0.0)


def carry_out(parts: Parts, begun: Undertaking) -> Walk:
    """Call the tool of an action that has begun, and write down what became of it."""
    parts.running.begin(begun.action_id)
    try:
        return (yield from _carried_out(parts, begun))
    finally:
        parts.running.end(begun.action_id)


def _carried_out(parts: Parts, begun: Undertaking) -> Walk:
    (seconds, until), forgone = NO_TIME, NOT_BEGUN
    look = Look(partial(time_left, begun))
    try:
        seconds, until = yield look
        if seconds > 0 and begun.witness:
            # What is waited for here is time that the tool no longer has: half of it stays its own.
            longest = min(seconds / 2, parts.waits.witness.total_seconds())
            if (yield AwaitWitness(begun.position, longest)):
                seconds, until = yield look
            else:
                seconds, forgone = 0.0, NOT_WITNESSED
    except StoreUnavailableError:
        seconds = 0.0
    except Abandoned:
        # Whoever waited has gone before the tool was called.
        ending = Finishing(parts, begun, report(parts, begun, _of_all_attempts(begun, NOT_BEGUN)))
        given_back: Answer = yield Commit(Unwritten(ending), goes_first=True)
        return given_back
    outcome: Outcome
    if seconds <= 0:
        outcome = forgone
    else:
        bounded = begun.tool.timeout is not None and not begun.observed
        outcome = yield Call(begun.tool, begun, seconds, until) if bounded else Call(begun.tool, begun, None)
        if outcome.kind is not OutcomeKind.UNKNOWN:
            parts.running.tool_ended(begun.action_id)
    outcome = _of_all_attempts(begun, outcome)
    return (yield from written(parts, Finishing(parts, begun, report(parts, begun, outcome))))


def _of_all_attempts(begun: Undertaking, outcome: Outcome) -> Outcome:
    """Return what is known of an action: "not done" says that this attempt did nothing; an earlier one may have acted.

    Law 6: nobody knows the outcome of an earlier attempt, or there would not have been another one.
    """
    if outcome.kind is OutcomeKind.NOT_DONE and begun.standing.attempt > 1:
        return Outcome(OutcomeKind.UNKNOWN, error=outcome.error)
    return outcome


def time_left(begun: Undertaking, reading: Reading) -> tuple[float, float]:
    """Return how long the tool may still act, and until which uptime of this machine.

    Nothing is left if it is no longer this walk's, or a person stopped it (law 2).
    """
    record = reading.action(begun.action_id)
    mine = record is not None and record.state is State.EXECUTING and record.fence == begun.standing.fence
    if not mine or halted(reading, begun.request.action, begun.request.actor.id) is not None or begun.deadline is None:
        return NO_TIME
    seconds = (begun.deadline - reading.now()).total_seconds()
    return seconds, uptime() + seconds
