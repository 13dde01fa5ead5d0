"""The largest that something can be among requests: found by asking for ever larger, and ruling out what is above."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentguard.analysis.symbolic.logic import Truth, Whole, all_of
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Example, Search

MOST_STEPS = 200
HIGHEST = 2**62


@dataclass(frozen=True, slots=True)
class Top:
    """How far it goes.

    Attributes:
        example: The request that goes farthest; None if none is like that.
        size: How far, in whole units; 0 without an example.
        exact: False if something was left open, so that no larger one could be ruled out.
    """

    example: Example | None
    size: int
    exact: bool


def climb(
    search: Search,
    size: Callable[[Requests], Whole],
    size_of: Callable[[Example], int],
    wanted: Callable[[Requests], Truth],
    confirm: Callable[[Example], bool],
) -> Top:
    """Return the request that is wanted, and is really like that, for which something is the largest.

    Args:
        search: Where to look.
        size: What is to be large, in whole units.
        size_of: The same of a request that was found.
        wanted: What must hold of it.
        confirm: Whether a request that was found and decided is really like that.
    """
    best: Example | None = None
    low, high, exact = 0, HIGHEST, True
    for _ in range(MOST_STEPS):
        least = low if best is None else (low + high + 1) // 2

        def large(requests: Requests, least: int = least) -> Truth:
            """Return that it is wanted, and so large."""
            return all_of((size(requests) >= least, wanted(requests)))

        found = search.find(large, confirm)
        if found.example is not None:
            best, low = found.example, max(least, size_of(found.example))
        else:
            exact = exact and found.proved
            high = least - 1
        if best is None or low >= high:
            break
    return Top(best, low, exact)
