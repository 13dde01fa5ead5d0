"""What two versions of policies remember alike: of one past, each counts what its limits and requirements ask for."""

from __future__ import annotations

from collections.abc import Iterator

from agentguard.analysis.changes.conditions import moved
from agentguard.analysis.changes.difference import Holds
from agentguard.analysis.symbolic.logic import Truth
from agentguard.analysis.symbolic.requests import Counts, Requests
from agentguard.core.policy import WindowKind


def one_past(old: Requests, new: Requests) -> Iterator[Truth]:
    """Yield what is true of both because the same actions were done before."""
    for before in old.counted.values():
        for after in new.counted.values():
            if before.planned.identity == after.planned.identity:
                yield from _over_other_times(before, after)
            elif before.planned.id == after.planned.id and not after.planned.limit.starts_now:
                yield from _of_other_requests(before, after)
    yield from _same_events(old, new)


def _over_other_times(before: Counts, after: Counts) -> Iterator[Truth]:
    """Yield for one account that what is held is the same, and that the longer window has counted no less."""
    if before.held is after.held:
        return
    yield before.held == after.held
    one, two = _length(before), _length(after)
    if one is not None and two is not None and one != two:
        yield before.settled <= after.settled if one < two else before.settled >= after.settled


def _length(counts: Counts) -> float | None:
    window = counts.planned.limit.window
    if window.kind is WindowKind.FOREVER:
        return float("inf")
    return None if window.size is None else window.size.total_seconds()


def _of_other_requests(before: Counts, after: Counts) -> Iterator[Truth]:
    """Yield for a limit that only counts fewer requests than before that it has counted no more, or the reverse."""
    one, two = before.planned, after.planned
    alike = {**one.identity, "when": None} == {**two.identity, "when": None} and one.limit.window == two.limit.window
    ways = {item.holds for item in moved(one.limit.when, two.limit.when)} if alike else set()
    if ways == {Holds.LESS}:
        yield from (after.held <= before.held, after.settled <= before.settled)
    elif ways == {Holds.MORE}:
        yield from (after.held >= before.held, after.settled >= before.settled)


def _same_events(old: Requests, new: Requests) -> Iterator[Truth]:
    """Yield that what requirements of different names ask for has happened in both or in none, where it is the same."""
    asked = ({one.id: one.requirement for file in item.plan.files for one in file.requires} for item in (old, new))
    before, after = ({name: (it.action, it.same, it.within) for name, it in found.items()} for found in asked)
    for name, event in before.items():
        for other in (other for other, same in after.items() if same == event and other != name):
            if name in old.happened and other in new.happened:
                yield old.happened[name] == new.happened[other]
