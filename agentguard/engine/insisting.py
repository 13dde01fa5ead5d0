"""Writing down how an action ended: what is known must not be lost because the store is away for a moment."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from agentguard.core.lifecycle import State
from agentguard.engine import recorded
from agentguard.engine.answers import Answer, InDoubt
from agentguard.engine.effect import OutcomeKind
from agentguard.engine.finishing import Finishing
from agentguard.engine.machine import monotonic
from agentguard.engine.parts import Parts
from agentguard.engine.steps import Abandoned, Commit, Pause, Walk
from agentguard.errors import ClockError, StoreUnavailableError
from agentguard.log import get_logger
from agentguard.store import Transaction

log = get_logger("insist")

PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds before each further try, as far as `Waits.outcome` lets there be one."""

_COMES_TO = {
    OutcomeKind.DONE: State.SETTLED,
    OutcomeKind.NOT_DONE: State.RELEASED,
    OutcomeKind.UNKNOWN: State.IN_DOUBT,
}


def written(parts: Parts, ending: Finishing) -> Walk:
    """Write down how an action ended, again if the store is unavailable; after that its hold stays, and it is in doubt.

    Nothing is tried again where only a person can help: a clock that jumped.
    """
    until = monotonic() + parts.waits.outcome.total_seconds()
    pauses = iter(PAUSES)
    step = Commit(ending, goes_first=True)
    while True:
        try:
            answer: Answer = yield step
        except Abandoned:
            pass  # whoever waited has gone, and has taken back what the store had not come to
        except StoreUnavailableError as error:
            pause = next(pauses, None)
            if pause is None or monotonic() + pause > until or isinstance(error, ClockError):
                begun = ending.begun
                log.error("action.outcome_not_written", action_id=begun.action_id, error=error.code)  # noqa: TRY400
                return InDoubt(decision_id=begun.action_id, action=begun.request.action, error="store_unavailable")
            with suppress(Abandoned):
                yield Pause(pause)
        else:
            return answer
        step = Commit(Unwritten(ending), goes_first=True)


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Write how an action ended, if it has begun, and if the unit that was to write it did not."""

    ending: Finishing

    def __call__(self, transaction: Transaction) -> Answer:
        """Write it, or nothing where the unit before had been committed after all, or had never begun anything."""
        begun, outcome = self.ending.begun, self.ending.report.outcome
        record = transaction.action(begun.action_id)
        if record is None or record.fence < begun.standing.fence:
            return recorded.not_now("", begun.request.action, "withdrawn")
        if record.fence == begun.standing.fence and record.state is _COMES_TO[outcome.kind]:
            return recorded.ended(record, outcome.result, replayed=False)
        return self.ending(transaction)
