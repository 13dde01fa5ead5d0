"""What limits and requirements remember of one past, in one version of policies and across several.

Limits on one account read the same postings, over longer or shorter times; requirements look for events in one record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

from agentguard.analysis.changes.conditions import moved
from agentguard.analysis.changes.difference import Holds
from agentguard.analysis.symbolic.logic import Truth, follows
from agentguard.analysis.symbolic.requests import Counts, Requests
from agentguard.analysis.windows import covers
from agentguard.core.policy import Requirement


def one_past(versions: Sequence[Requests]) -> Iterator[Truth]:
    """Yield what is true of all of them because the same actions were done before."""
    counted = [counts for requests in versions for counts in requests.counted.values()]
    for one, two in combinations(counted, 2):
        if one.planned.identity == two.planned.identity:
            yield from _over_other_times(one, two)
        elif one.planned.id == two.planned.id:
            yield from _of_other_requests(one, two)
    yield from _events(versions)


def _over_other_times(one: Counts, two: Counts) -> Iterator[Truth]:
    """Yield for one account that the longer window has counted no less."""
    for inner, outer in ((one, two), (two, one)):
        zones = {counts.planned.policy.zone_name for counts in (inner, outer)}
        if covers(outer.planned.limit.window, inner.planned.limit.window, one_zone=len(zones) == 1):
            yield inner.settled <= outer.settled


def _of_other_requests(before: Counts, after: Counts) -> Iterator[Truth]:
    """Yield for a limit that only counts fewer requests than before that it has counted no more, or the reverse."""
    one, two = before.planned, after.planned
    alike = {**one.identity, "when": None} == {**two.identity, "when": None} and one.limit.window == two.limit.window
    if not alike or one.limit.starts_now or two.limit.starts_now:
        return
    ways = {item.holds for item in moved(one.limit.when, two.limit.when)}
    if ways == {Holds.LESS}:
        yield from (after.held <= before.held, after.settled <= before.settled)
    elif ways == {Holds.MORE}:
        yield from (after.held >= before.held, after.settled >= before.settled)


def _events(versions: Sequence[Requests]) -> Iterator[Truth]:
    """Yield that what happened as one requirement asks happened as well where another asks for no more."""
    asked = {
        requests.happened[planned.id]: planned.requirement
        for requests in versions
        for file in requests.plan.enforced
        for planned in file.requires
    }
    for (happened, one), (also, two) in permutations(asked.items(), 2):
        if _asks_for_no_more(two, one):
            yield follows(happened, also)


def _asks_for_no_more(one: Requirement, two: Requirement) -> bool:
    if one.action != two.action or not set(one.same) <= set(two.same):
        return False
    return one.within is None or (two.within is not None and two.within <= one.within)
