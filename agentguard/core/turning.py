"""Where a decision turns: for each input, the nearest other value with which it comes out otherwise.

Whatever is told was decided by the real `decide`. Nothing is tried with which other accounts or events would count,
since nobody knows what those say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from agentguard.core.asked import Asked, Input
from agentguard.core.candidates import Candidates
from agentguard.core.decision import Decision
from agentguard.core.language import Value
from agentguard.core.needs import Needs
from agentguard.core.policy import Verdict
from agentguard.core.scale import shifted, size

MAX_TRIALS = 40
"""How many values of one input are tried in each direction, the nearest first."""

Wanted = Callable[[Verdict], bool]


@dataclass(frozen=True, slots=True)
class Turn:
    """Another value of one input with which the decision comes out otherwise, everything else as it was.

    Attributes:
        value: None where it would not be there.
        before: The value one step nearer to what is there, where that changes nothing yet; None where it is not known.
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
        hidden: Names that are not to be seen, and so neither tried nor compared with.
    """

    def __init__(self, asked: Asked, decision: Decision, hidden: frozenset[str] = frozenset()) -> None:
        self._asked = asked
        self._decision = decision
        self._hidden = hidden
        self._needs = asked.needs()
        self._candidates = Candidates(asked, decision, hidden)

    def every(self) -> tuple[tuple[Input, tuple[Turn, ...]], ...]:
        """Return each input with its nearest turns; none where no value that was tried is one.

        What was not allowed turns where it would be, or at least where people would be asked instead of a refusal; what
        was allowed turns where it would not be.
        """
        shown = (item for item in self._asked.inputs() if item.name not in self._hidden)
        return tuple((item, self._nearest(item)) for item in shown)

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
        return Turn(item, value, decision, self._before(item, value, wanted))

    def _before(self, item: Input, value: Value | None, wanted: Wanted) -> Value | None:
        there, found = size(item.value), size(value)
        if value is None or there is None or found is None:
            return None
        nearer = shifted(value, 1 if found < there else -1, item.type)
        decision = None if nearer is None else self._decided(item, nearer)
        return None if decision is None or wanted(decision.verdict) else nearer

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
