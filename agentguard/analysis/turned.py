"""What would have changed a decision, one thing at a time; with the solver the nearest, or the proof of none."""

from __future__ import annotations

from dataclasses import dataclass

from agentguard.analysis.solver import at_work, has_solver
from agentguard.core.asked import Input
from agentguard.core.explain import Explanation
from agentguard.core.policy import Verdict
from agentguard.core.scale import size
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
    if not has_solver():
        return Turned(explanation.turns())
    with at_work():
        return _searched(explanation)


def _searched(explanation: Explanation) -> Turned:
    from agentguard.analysis.symbolic.alone import NONE, Alone

    alone, turning = Alone(explanation.about), explanation.turning()
    was_allowed = explanation.decision.verdict is Verdict.ALLOW
    is_open = not _has_secrets(explanation)
    turns, fixed = [], []
    for item, found in explanation.turns():
        value = alone.nearest(item, allowed=not was_allowed)
        if value is NONE:
            fixed.append(item)
        turn = None if value is NONE or value is None else turning.turn(item, value)
        if turn is not None and is_open and explanation.may_show(item.name, turn.value):
            turns.append((item, _nearer(found, turn, was_allowed=was_allowed)))
        else:
            turns.append((item, found))
    return Turned(tuple(turns), tuple(fixed))


def _has_secrets(explanation: Explanation) -> bool:
    """Return whether a value that the solver finds could tell one that may not be seen; the customer is no size."""
    secret = explanation.hidden - {"on_behalf_of"}
    return any(item.name in secret and item.value is not None for item in explanation.about.inputs())


def _nearer(found: tuple[Turn, ...], turn: Turn, *, was_allowed: bool) -> tuple[Turn, ...]:
    """Return the turns with one that the solver found, where it is nearer than those on its side, or the only one."""
    alike = tuple(one for one in found if (one.decision.verdict is Verdict.ALLOW) is not was_allowed)
    there, value = size(turn.input.value), size(turn.value)
    if there is None or value is None:
        return alike or (turn,)
    sizes = {id(one): size(one.value) for one in alike}
    same_side = [one for one in alike if (number := sizes[id(one)]) is not None and (number < there) == (value < there)]
    if any(abs((sizes[id(one)] or there) - there) <= abs(value - there) for one in same_side):
        return alike
    return (turn, *(one for one in alike if one not in same_side))
