"""What would have changed a decision, one thing at a time; with the solver also that nothing would have."""

from __future__ import annotations

from dataclasses import dataclass

from agentguard.analysis.solver import at_work, has_solver
from agentguard.core.asked import Input
from agentguard.core.explain import Explanation
from agentguard.core.policy import Verdict
from agentguard.core.turning import Turn


@dataclass(frozen=True, slots=True)
class Turned:
    """What would have changed a decision.

    Attributes:
        turns: Each input with the nearest values that would.
        fixed: Inputs of which it is proved that no value alone would let the agent do it alone, or keep it from that.
    """

    turns: tuple[tuple[Input, tuple[Turn, ...]], ...]
    fixed: tuple[Input, ...] = ()


def turned(explanation: Explanation) -> Turned:
    """Return what would have changed a decision; every value in it was decided again."""
    turns = explanation.turns()
    if not has_solver():
        return Turned(turns)
    with at_work():
        from agentguard.analysis.symbolic.alone import Alone

        alone = Alone(explanation.about)
        is_allowed = explanation.decision.verdict is Verdict.ALLOW
        fixed = tuple(
            item
            for item, found in turns
            if all((turn.decision.verdict is Verdict.ALLOW) is is_allowed for turn in found)
            and alone.never(item, allowed=not is_allowed)
        )
        return Turned(turns, fixed)
