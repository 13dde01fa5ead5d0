"""Whether one way of counting holds another one down: whose account it is, and how many windows cover a time."""

from __future__ import annotations

from math import ceil

from agentguard.analysis.windows import covers, longest, shortest
from agentguard.core.language import Expression, terms
from agentguard.core.plan import PlannedLimit
from agentguard.core.policy import Policy, Total, WindowKind

_CONVERSATION = "context.conversation"
_PARTS = {
    ("day", "week"): 7,
    ("day", "month"): 31,
    ("day", "year"): 366,
    ("week", "month"): 6,
    ("week", "year"): 54,
    ("month", "year"): 12,
}
"""How many of a smaller calendar unit a larger one of the same zone touches at most."""


def is_shared(planned: PlannedLimit, total: Total, policy: Policy) -> bool:
    """Return whether all requests of one sum, which a file writes, count on one account of a limit."""
    pinned = {expression.tree.name for expression in total.per if isinstance(expression.tree, terms.Read)}
    # another file may mean something else by the same words
    sources = {expression.source for expression in total.per} if planned.policy is policy else set()
    if total.window.kind is WindowKind.CONVERSATION:
        pinned.add(_CONVERSATION)
    conversation = planned.limit.window.kind is not WindowKind.CONVERSATION or _CONVERSATION in pinned
    return conversation and all(_is_pinned(item, pinned, sources) for item in planned.limit.per)


def _is_pinned(expression: Expression, pinned: set[str], sources: set[str]) -> bool:
    """Return whether an expression comes to the same wherever what is pinned does."""
    return expression.source in sources or (expression.reads <= pinned and not expression.limits)


def windows(planned: PlannedLimit, total: Total, policy: Policy) -> int | None:
    """Return how many windows of a limit it takes to cover the time of a sum; None where no number is enough.

    Args:
        planned: The limit.
        total: What is summed up.
        policy: The file that says so, in whose zone its days begin.
    """
    mine, theirs = total.window, planned.limit.window
    if theirs.kind in (WindowKind.FOREVER, WindowKind.CONVERSATION):
        return 1
    if mine.kind is WindowKind.CALENDAR and theirs.kind is WindowKind.CALENDAR:
        units = (str(theirs.unit), str(mine.unit))
        if policy.zone_name == planned.policy.zone_name:
            if covers(theirs, mine):
                return 1
            if units in _PARTS:
                return _PARTS[units]
    length, least = longest(mine), shortest(theirs)
    if length is None or least is None:
        return None
    return ceil(length / least) + (theirs.kind is WindowKind.CALENDAR)
