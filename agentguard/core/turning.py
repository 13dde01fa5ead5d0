"""Where a decision turns: for each input, the nearest other value with which it comes out otherwise.

Whatever is told was decided by the real `decide`. Nothing is tried with which other accounts or events would count,
since nobody knows what those say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from agentguard.core.asked import Asked, Input
from agentguard.core.candidates import Candidates
from agentguard.core.decision import Decision
from agentguard.core.language import Value
from agentguard.core.needs import Needs
from agentguard.core.policy import Verdict
from agentguard.core.scale import shifted, size, step

MAX_TRIALS = 40
"""How many values of one input are tried in each direction, the nearest first."""

Wanted = Callable[[Verdict], bool]


@dataclass(frozen=True, slots=True)
class Turn:
    """Another value of one input with which the decision comes out otherwise, everything else as it was.

    Attributes:
        value: None where it would not be there.
        before: The value one step nearer to what is there, which changes nothing yet; None where that is not known.
    """

    input: Input
    value: Value | None
    decision: Decision
    before: Value | None = None


class Turning:
    """Looks for the turns of one request.

    Args:
        asked: The request.
        decision: What `decide` says of it.
        hidden: Names that are not to be seen, and so not compared with.
    """

    def __init__(self, asked: Asked, decision: Decision, hidden: frozenset[str] = frozenset()) -> None:
        self._asked = asked
        self._decision = decision
        self._needs = asked.needs()
        self._candidates = Candidates(asked, decision, hidden)

    def every(self) -> tuple[tuple[Input, tuple[Turn, ...]], ...]:
        """Return each input with its nearest turns; none where no value that was tried is one.

        What was not allowed turns where it would be, or at least where people would be asked instead of a refusal; what
        was allowed turns where it would not be.
        """
        return tuple((item, self._nearest(item)) for item in self._asked.inputs())

    def turn(self, item: Input, value: Value | None) -> Turn | None:
        """Return what comes of another value, if it lets the agent do alone what it did not, or the other way round."""
        was = self._decision.verdict is Verdict.ALLOW
        return self._tried(item, value, lambda verdict: (verdict is Verdict.ALLOW) is not was)

    def allowing(self, item: Input) -> tuple[Turn, ...]:
        """Return the nearest values in each direction with which it would have been allowed, or all such choices."""
        return self._turns(item, lambda verdict: verdict is Verdict.ALLOW)

    def _nearest(self, item: Input) -> tuple[Turn, ...]:
        now = self._decision.verdict
        if now is Verdict.ALLOW:
            return self._turns(item, lambda verdict: verdict is not Verdict.ALLOW)
        return self.allowing(item) or self._turns(item, lambda verdict: verdict < now)

    def _turns(self, item: Input, wanted: Wanted) -> tuple[Turn, ...]:
        there = None if item.value is None else size(item.value)
        candidates = self._candidates.of(item)
        if there is None:
            return tuple(turn for value in candidates[:MAX_TRIALS] if (turn := self._tried(item, value, wanted)))
        sized = [(number, value) for value in candidates if (number := size(value)) is not None]
        below = [value for number, value in sorted(sized, key=_number, reverse=True) if number < there]
        above = [value for number, value in sorted(sized, key=_number) if number > there]
        away = [None] if None in candidates else []
        firsts = (self._first(item, values, wanted) for values in (below, above, away))
        return tuple(turn for turn in firsts if turn is not None)

    def _first(self, item: Input, values: Iterable[Value | None], wanted: Wanted) -> Turn | None:
        for _, value in zip(range(MAX_TRIALS), values, strict=False):
            turn = self._tried(item, value, wanted)
            if turn is not None:
                return turn
        return None

    def _tried(self, item: Input, value: Value | None, wanted: Wanted) -> Turn | None:
        decision = self._decided(item, value)
        if decision is None or not wanted(decision.verdict):
            return None
        return self._edge(Turn(item, value, decision), wanted)

    def _edge(self, turn: Turn, wanted: Wanted) -> Turn:
        """Return the turn moved towards what is there as far as it still is one, halving the way that is left."""
        there, found, grid = size(turn.input.value), size(turn.value), step(turn.input.type)
        if turn.value is None or there is None or found is None or grid is None:
            return turn
        start, side = turn.value, 1 if found < there else -1
        is_known, reached, missed = True, 0, math.ceil(abs(there - found) / grid)
        while missed - reached > 1:
            middle = reached + 1 if reached == 0 else (reached + missed) // 2  # it mostly is the edge already
            value = shifted(start, side * middle, turn.input.type)
            decision = self._decided(turn.input, value)
            if decision is not None and wanted(decision.verdict):
                reached, turn = middle, Turn(turn.input, value, decision)
            else:
                is_known, missed = decision is not None, middle
        return replace(turn, before=shifted(start, side * missed, turn.input.type) if is_known else None)

    def _decided(self, item: Input, value: Value | None) -> Decision | None:
        """Return how it would be decided; None where other accounts or events would count."""
        other = self._asked.changed(item, value)
        return other.decision() if _counts(other.needs()) == _counts(self._needs) else None


def _counts(needs: Needs) -> object:
    """Return which accounts and events count, whatever is asked of them."""
    accounts = {name: need.account for name, need in needs.accounts.items()}
    return accounts, {name: need.values for name, need in needs.requirements.items() if need.action is not None}


def _number(sized: tuple[Fraction, Value | None]) -> Fraction:
    return sized[0]
