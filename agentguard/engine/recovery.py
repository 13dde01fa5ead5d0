"""What becomes of actions that began and whose end nobody wrote down: by what kind of effect they have.

Read and idempotent tools are called again (never past their ttl), queryable ones are asked, and for the rest a person
looks: `guard.resolve`. An unknown outcome is never retried blindly (law 6).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

from agentguard.core.lifecycle import State
from agentguard.engine import recorded
from agentguard.engine.answers import Answer
from agentguard.engine.carrying import carry_out
from agentguard.engine.effect import Outcome, OutcomeKind
from agentguard.engine.finishing import Finishing, report
from agentguard.engine.parts import Parts
from agentguard.engine.registry import signature_of
from agentguard.engine.restoring import Found, find
from agentguard.engine.steps import Call, Commit, Look, Step
from agentguard.engine.taking_up import Asking, TakingUp, left_over, too_early
from agentguard.errors import StaleFenceError, StoreUnavailableError
from agentguard.store import Transaction
from agentguard.store.records import ActionRecord

LOOKUP_SECONDS = 30.0
"""How long a lookup of a tool without a timeout may take."""


def recovering(parts: Parts, record: ActionRecord, *, patient: bool = True) -> Generator[Step, Any, Answer]:
    """Find out what became of an action that is in doubt, or was abandoned while it executed.

    Args:
        parts: With the tool.
        record: The action as it was found.
        patient: Do not ask a receiver that was asked just now.
    """
    try:
        found: Found | None = yield Look(lambda reading: find(parts, record.id, reading))
        if found is None:
            return recorded.not_now(record.id, record.action, "no_tool")
        taken: Any = yield Commit(TakingUp(parts, found, patient))
        if isinstance(taken, Answer):
            return taken
        if isinstance(taken, Asking):
            return (yield from _ask(parts, taken))
        return (yield from carry_out(parts, taken))
    except StaleFenceError:
        return recorded.not_now(record.id, record.action, "in_progress")
    except StoreUnavailableError as error:
        return recorded.unavailable(record.id, record.action, error)


def _ask(parts: Parts, asking: Asking) -> Generator[Step, Any, Answer]:
    """Ask the receiver what became of it, and write down what it said."""
    begun, effect = asking.begun, asking.effect
    tool = replace(begun.tool, function=effect.lookup, signature=signature_of(effect.lookup), retry=None)
    seconds = LOOKUP_SECONDS if begun.tool.timeout is None else begun.tool.timeout.total_seconds()
    said: Outcome = yield Call(tool, begun._replace(tool=tool), seconds)
    known: Answer
    if said.kind is OutcomeKind.DONE and said.result is not None:
        known = yield Commit(Finishing(parts, begun, report(parts, begun, said, why="lookup")))
    else:
        known = yield Commit(NothingFound(parts, asking, said))
    return known


@dataclass(frozen=True, slots=True)
class NothingFound:
    """Write down that the receiver knows nothing, or could not say; it counts once no late request can land."""

    parts: Parts
    asking: Asking
    said: Outcome

    def __call__(self, transaction: Transaction) -> Answer:
        """Release the action, or leave it in doubt until it is asked about again."""
        begun = self.asking.begun
        record = transaction.action(begun.action_id)
        if record is None or record.state is not State.IN_DOUBT or record.fence != begun.standing.fence:
            return recorded.not_now(begun.action_id, begun.request.action, "in_progress")
        if self.said.kind is not OutcomeKind.DONE:
            return left_over(transaction, record, begun, self.said.error or "lookup")
        if too_early(transaction, record, self.asking.effect):
            return left_over(transaction, record, begun, "not_found")
        outcome = Outcome(OutcomeKind.NOT_DONE, error="not_found")
        return Finishing(self.parts, begun, report(self.parts, begun, outcome, why="lookup"))(transaction)
