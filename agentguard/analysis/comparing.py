"""What a change of policies changes, for every request that there can be; needs the extra `prove`.

Old and new are asked about the same request at once: each change of a verdict comes with one request, decided by both,
or with the proof that there is none.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from agentguard.analysis.symbolic.logic import all_of
from agentguard.analysis.symbolic.search import Example, Found, Search
from agentguard.core.plan import Plan, plan_action
from agentguard.core.policy import Bundle, Verdict

VERDICTS = (Verdict.ALLOW, Verdict.ESCALATE, Verdict.DENY)


class Direction(enum.StrEnum):
    """Which way a change goes: `looser` lets an agent do more by itself."""

    SAME = "same"
    LOOSER = "looser"
    TIGHTER = "tighter"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Change:
    """One way in which requests are decided otherwise.

    Attributes:
        before, after: One request, as the old and as the new policies decide it.
    """

    action: str
    old: Verdict
    new: Verdict
    before: Example
    after: Example

    @property
    def direction(self) -> Direction:
        """Which way it goes."""
        return Direction.LOOSER if self.new < self.old else Direction.TIGHTER


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes for one action.

    Attributes:
        changes: Every old and new verdict that some request gets.
        ruled_out: Every other pair of verdicts, of which it is proved that no request gets it.
        open: What was left open, in the policies' words, where something is neither shown nor ruled out.
        added, removed: The action is governed by one of them alone.
    """

    action: str
    changes: tuple[Change, ...] = ()
    ruled_out: tuple[tuple[Verdict, Verdict], ...] = ()
    open: tuple[str, ...] = ()
    added: bool = False
    removed: bool = False

    @property
    def direction(self) -> Direction:
        """Which way it goes in all; something that was left open may go either way."""
        found = {change.direction for change in self.changes}
        if self.added or self.removed:
            found.add(Direction.LOOSER if self.added else Direction.TIGHTER)
        if not found:
            return Direction.MIXED if self.open else Direction.SAME
        return found.pop() if len(found) == 1 and not self.open else Direction.MIXED


def compare(old: Bundle, new: Bundle) -> Iterator[Comparison]:
    """Yield what changes for each action that either governs, sorted by name."""
    for action in sorted({*old.actions(), *new.actions()}):
        if not new.governing(action) or not old.governing(action):
            yield Comparison(action, added=not old.governing(action), removed=not new.governing(action))
        else:
            yield _compared(old, new, action)


def _compared(old: Bundle, new: Bundle, action: str) -> Comparison:
    before, after = plan_action(old, action), plan_action(new, action)
    if [policy.digest for policy in old.governing(action)] == [policy.digest for policy in new.governing(action)]:
        return Comparison(action, ruled_out=tuple(permutations(VERDICTS, 2)))
    if retyped := _retyped(before, after):
        return Comparison(action, open=retyped)
    search = Search(before, after)
    changes: list[Change] = []
    ruled_out: list[tuple[Verdict, Verdict]] = []
    left: set[str] = set()
    for one, two in permutations(VERDICTS, 2):
        found = _pair(search, one, two)
        if found.proved:
            ruled_out.append((one, two))
        elif found.examples:
            changes.append(Change(action, one, two, *found.examples))
        else:
            left.update(found.loose or ("the solver could not tell",))
    return Comparison(action, tuple(changes), tuple(ruled_out), tuple(sorted(left)))


def _pair(search: Search, one: Verdict, two: Verdict) -> Found:
    return search.find(
        lambda old, new: all_of((old.verdicts[one], new.verdicts[two])),
        lambda before, after: before.decision.verdict is one and after.decision.verdict is two,
    )


def _retyped(before: Plan, after: Plan) -> tuple[str, ...]:
    """Return what has another type now, so that no request is one to both."""
    old, new = ({**plan.arguments, **plan.facts, **plan.context} for plan in (before, after))
    shared = sorted(old.keys() & new.keys())
    return tuple(f"`{name}` has another type" for name in shared if type(old[name].type) is not type(new[name].type))
