"""The whole difference of two bundles: what is said otherwise, what is decided otherwise, and which way it goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agentguard.analysis.changes.difference import Concern, Difference, Direction, Effect
from agentguard.analysis.changes.policies import differences
from agentguard.analysis.solver import at_work, has_solver
from agentguard.core.english.values import list_words
from agentguard.core.language import Value
from agentguard.core.money import Money
from agentguard.core.policy import Bundle
from agentguard.core.prose import name_words
from agentguard.core.values import value_text

if TYPE_CHECKING:
    from agentguard.analysis.comparing import Comparison, Reach, Silent

_GOES = {Effect.LOOSENS: Direction.LOOSER, Effect.TIGHTENS: Direction.TIGHTER, Effect.EITHER: Direction.MIXED}


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything in which two bundles differ.

    Attributes:
        said: What is said otherwise, each with what it does; where decisions were compared, as they show it.
        decided: What is decided otherwise, for each action; None where there is no solver to compare decisions.
        differs: False only if all files are the same to the letter.
    """

    said: tuple[Difference, ...]
    decided: tuple[Comparison, ...] | None
    differs: bool

    @property
    def decides_otherwise(self) -> bool:
        """Whether some request is decided otherwise, or that could not be ruled out."""
        if self.decided is None:
            return any(item.concern is Concern.DECISIONS and item.effect is not Effect.NEITHER for item in self.said)
        return any(item.direction is not Direction.SAME for item in self.decided) or any(
            item.concern is Concern.REQUESTS and item.effect is not Effect.NEITHER for item in self.said
        )

    @property
    def direction(self) -> Direction:
        """Which way it goes in all: what may go either way is mixed."""
        seen = self.decided is not None
        found = {
            _GOES[item.effect]
            for item in self.said
            if item.effect is not Effect.NEITHER and not (seen and item.concern is Concern.DECISIONS)
        }
        found |= {item.direction for item in self.decided or ()}
        return _joined(found)

    @property
    def is_known(self) -> bool:
        """Whether it is known for sure which way it goes."""
        either = (item for item in self.said if item.effect is Effect.EITHER)
        return self.decided is not None and not (
            any(item.open for item in self.decided) or any(item.concern is not Concern.DECISIONS for item in either)
        )

    @property
    def silent(self) -> tuple[Silent, ...]:
        """Changed rules that change no decision."""
        return tuple(item for comparison in self.decided or () for item in comparison.silent)

    def summary(self) -> str:
        """Return the whole in a sentence."""
        if not self.differs:
            return "nothing changes"
        reached = [(item, reach) for item in self.decided or () for reach in item.reach]
        if reached:
            said = list_words(_reach_words(item.action, reach) for item, reach in reached)
            return f"{said}; {'nothing else changes' if self._nothing_else() else 'more changes, as shown'}"
        if self.decided is None:
            return "decisions were not compared, which takes the solver"
        if self.decides_otherwise:
            changed = [item.action for item in self.decided if item.direction is not Direction.SAME]
            weighty = [item for item in self.said if item.concern is not Concern.WORDS]
            if len(weighty) == 1:
                return f"{weighty[0]}; nothing else changes"
            verb = "is" if len(changed) == 1 else "are"
            return f"{list_words(changed)} {verb} decided otherwise" if changed else _BEFOREHAND
        kinds = {item.concern for item in self.said}
        if not kinds:
            return "the layout, the comments or the version change; no decision does"
        care_moves = any(item.concern is Concern.CARE and item.effect is not Effect.NEITHER for item in self.said)
        if Concern.DECISIONS in kinds and not care_moves:
            return "the rules change, but no decision does"
        return "what happens around decisions changes; no decision does" if Concern.CARE in kinds else _WORDS_ALONE

    def _nothing_else(self) -> bool:
        """Return whether a reach is all that changes: proved for decisions, and nothing else that matters is said."""
        others = [item for item in self.said if item.concern in (Concern.CARE, Concern.REQUESTS) and _matters(item)]
        changed = [item for item in self.decided or () if item.direction is not Direction.SAME]
        return not others and all(_is_reach_alone(item) for item in changed)


def _is_reach_alone(item: Comparison) -> bool:
    moves = item.direction in (Direction.LOOSER, Direction.TIGHTER)
    return moves and not item.open and any(reach.alone for reach in item.reach)


_BEFOREHAND = "what can be asked for, or is known, changes"
_WORDS_ALONE = "the wording changes, no decision does"


def _matters(item: Difference) -> bool:
    return item.part != "guarantee"


def diff(old: Bundle, new: Bundle) -> Whole:
    """Return everything in which two bundles differ; without the solver, what their files say and nothing proved."""
    said = differences(old, new)
    differs = old.digest != new.digest
    if not has_solver():
        return Whole(said, None, differs)
    from agentguard.analysis.comparing import compare

    with at_work():
        decided = tuple(compare(old, new, said))
    return Whole(tuple(_settled(said, decided)), decided, differs)


def _settled(said: tuple[Difference, ...], decided: tuple[Comparison, ...]) -> Iterator[Difference]:
    """Yield what is said, with the effects that the decisions show: where nothing tightens, no sentence does."""
    whole = _joined({item.direction for item in decided})
    silent = {item.rule for comparison in decided for item in comparison.silent}
    known = {
        Direction.SAME: dict.fromkeys(Effect, Effect.NEITHER),
        Direction.LOOSER: {Effect.TIGHTENS: Effect.NEITHER, Effect.EITHER: Effect.LOOSENS},
        Direction.TIGHTER: {Effect.LOOSENS: Effect.NEITHER, Effect.EITHER: Effect.TIGHTENS},
        Direction.MIXED: {},
    }[whole]
    shown = {
        item: Effect.NEITHER if _silent_everywhere(item, silent, decided) else known.get(item.effect, item.effect)
        for item in said
        if item.concern is Concern.DECISIONS
    }
    wanted = next((effect for effect, direction in _GOES.items() if direction is whole), Effect.EITHER)
    if shown and whole in (Direction.LOOSER, Direction.TIGHTER) and wanted not in shown.values():
        shown = dict.fromkeys(
            shown, wanted
        )  # where something cannot be evaluated, a sentence does what it does not say
    for item in said:
        yield replace(item, effect=shown.get(item, item.effect))


def _silent_everywhere(item: Difference, silent: set[str], decided: tuple[Comparison, ...]) -> bool:
    name = f"{item.policy}/{item.id}"
    said = [comparison for comparison in decided if any(one.rule == name for one in comparison.silent)]
    changing = [comparison for comparison in decided if comparison.changes or comparison.open]
    return item.part == "rule" and name in silent and all(comparison in said for comparison in changing)


def _joined(found: set[Direction]) -> Direction:
    moving = found - {Direction.SAME}
    return moving.pop() if len(moving) == 1 else Direction.MIXED if moving else Direction.SAME


def _size(value: Value) -> Any:
    return value.minor if isinstance(value, Money) else value


def _reach_words(action: str, reach: Reach) -> str:
    assert reach.old.value is not None and reach.new.value is not None  # noqa: S101, PT018 - only such are compared
    up = _size(reach.new.value) > _size(reach.old.value)
    verb = "rises" if up else "falls"
    values = f"from {value_text(reach.old.value)} to {value_text(reach.new.value)}"
    return f"the largest automatic {name_words(reach.name)} of {action} {verb} {values}"
