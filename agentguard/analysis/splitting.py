"""Whether a total can be passed by many requests, each of which is allowed without a person; needs the extra `prove`.

It cannot be where a limit counts every such request (law 4): on an account that all of them share, over windows that
cover the time, for at least as much, and without ever letting more pass. That is proved for every request. Where no
limit does it, a sequence is looked for and decided request by request (see `sequences`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agentguard.analysis.climbing import climb
from agentguard.analysis.covering import is_shared, windows
from agentguard.analysis.sequences import Sequence, find_sequence
from agentguard.analysis.summing import Sum
from agentguard.analysis.symbolic.logic import Truth, all_of, any_of, no
from agentguard.analysis.symbolic.number import Number, compared
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Search, Wanted
from agentguard.core.limits import COUNT, in_unit
from agentguard.core.plan import PlannedLimit, plan_action
from agentguard.core.policy import Bundle, Guarantee, Policy, Verdict
from agentguard.core.words import value_text


@dataclass(frozen=True, slots=True)
class Splitting:
    """What becomes of a promise about many requests.

    Attributes:
        because: Why it is kept, in a sentence; empty if it is not proved.
        sequence: The requests that break it; None if none were found.
        open: What stood in the way of a proof, where nothing breaks it either.
    """

    because: str = ""
    sequence: Sequence | None = None
    open: tuple[str, ...] = ()


def split(bundle: Bundle, policy: Policy, guarantee: Guarantee) -> Splitting:
    """Return what becomes of a guarantee of one of the files that says what nobody reaches by splitting."""
    searches = {action: Search(plan_action(bundle, action)) for action in sorted(guarantee.on)}
    sums = {action: Sum(search.plan, policy, guarantee) for action, search in searches.items()}
    left = {action for action, search in searches.items() if not search.never(sums[action].allowed)}
    if not left:
        return Splitting("no such request is ever allowed without a person")
    tried: dict[str, str] = {}
    for name in _limits_of_all(searches, left):
        because = _held_down(name, {action: searches[action] for action in left}, sums, tried)
        if because:
            return Splitting(because)
    sequence = find_sequence(searches, sums)
    if sequence is not None:
        return Splitting(sequence=sequence)
    return Splitting(open=tuple(tried.values()) or ("no limit counts all of these requests",))


def _limits_of_all(searches: Mapping[str, Search], actions: set[str]) -> Iterator[str]:
    """Yield the qualified ids of the enforced limits that every one of some actions has."""
    having = [
        {limit.id: None for file in searches[action].plan.enforced for limit in file.limits}
        for action in sorted(actions)
    ]
    yield from (name for name in having[0] if all(name in limits for limits in having))


def _held_down(name: str, searches: Mapping[str, Search], sums: Mapping[str, Sum], tried: dict[str, str]) -> str:
    """Return why a limit holds a sum down, or say among what was tried why it does not."""
    [planned, *_] = (
        limit
        for search in searches.values()
        for file in search.plan.enforced
        for limit in file.limits
        if limit.id == name
    )
    [wanted, *_] = sums.values()
    covers = windows(planned, wanted.total, wanted.policy)
    tried[name] = _unfit(planned, wanted, covers)
    if tried[name] or covers is None:
        return ""
    largest = None
    if planned.measure is None and not wanted.counts:
        sizes = [_largest(search, sums[action]) for action, search in searches.items()]
        if None in sizes:
            tried[name] = f"limit `{name}` counts requests, and the largest one is not known"
            return ""
        largest = max(size for size in sizes if size is not None)
    factor = covers if largest is None else covers * largest
    if not all(search.never(_uncovered(sums[action], name, factor)) for action, search in searches.items()):
        tried[name] = f"limit `{name}` does not count each of them, or lets more pass"
        return ""
    return _because(planned, wanted, covers, largest)


def _unfit(planned: PlannedLimit, wanted: Sum, covers: int | None) -> str:
    """Return why a limit cannot hold a sum down, whatever the requests are; empty if it may."""
    if planned.freed_by:
        return f"limit `{planned.id}` is given back by {', '.join(planned.freed_by)}"
    if not is_shared(planned, wanted.total, wanted.policy):
        return f"limit `{planned.id}` counts some of them apart from others"
    if covers is None:
        return f"limit `{planned.id}` begins anew in the meantime, no matter how often"
    return ""


def _uncovered(wanted: Sum, name: str, factor: int) -> Wanted:
    """Return what a request is like that is allowed and not counted as it should be."""

    def uncovered(requests: Requests) -> Truth:
        """Return that a request counts for the sum and the limit does not hold it down."""
        counted, summed = requests.counted[name], wanted.of(requests)
        used = Number(counted.held + counted.settled).plus(counted.amount)
        fits: Truth = False
        if summed.most is not None:
            fits = Number(used.units * factor, used.scale).compared("<=", summed.most)
        at_least = summed.amount if counted.planned.measure is not None or wanted.counts else Number(1)
        both = (counted.currency, summed.currency)
        same: Truth = None in both or compared("==", *both)
        covered = all_of(
            (
                counted.applies,
                no(counted.unknown),
                same,
                counted.amount.compared(">=", at_least),
                fits,
                no(summed.no_most),
            )
        )
        return all_of((wanted.allowed(requests), any_of((summed.unknown, no(covered)))))

    return uncovered


def _largest(search: Search, wanted: Sum) -> int | None:
    """Return the largest amount of a request that is allowed; None where it is not known for sure."""
    top = climb(
        search,
        lambda requests: wanted.of(requests).amount.units,
        lambda example: (wanted.measured(example) or (0, COUNT))[0],
        wanted.allowed,
        lambda example: example.decision.verdict is Verdict.ALLOW,
    )
    return top.size if top.exact and top.size > 0 else None


def _because(planned: PlannedLimit, wanted: Sum, covers: int, largest: int | None) -> str:
    """Return in a sentence why nothing passes."""
    limit, window = f"limit `{planned.id}`", planned.limit.window
    times = "" if covers == 1 else f", and {covers} of its windows cover the time"
    if largest is None:
        return f"{limit} counts each of them and never lets more pass{times}"
    unit = next(iter(wanted.total.currencies), COUNT)
    each = value_text(in_unit(largest, unit))
    return f"{limit} counts each of them ({window}), and none is more than {each}{times}"
