"""Whether a total can be passed by many requests, each of which is allowed without a person; needs the extra `prove`.

It cannot be where limits count every such request (law 4): each by one of them, on an account that all of those share,
over windows that cover the time, for at least as much, and without ever letting more pass together. That is proved for
every request. Where no limits do it, a sequence is looked for and decided request by request (see `sequences`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice, product
from typing import TypeAlias

from agentguard.analysis.climbing import climb
from agentguard.analysis.covering import is_shared, windows
from agentguard.analysis.sequences import Sequence, find_sequence
from agentguard.analysis.summing import Sum
from agentguard.analysis.symbolic.logic import Truth, all_of, any_of, no
from agentguard.analysis.symbolic.number import Number, compared
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Search, Wanted
from agentguard.core.language import Expression, terms
from agentguard.core.limits import COUNT, in_unit
from agentguard.core.money import Money
from agentguard.core.plan import PlannedLimit, plan_action
from agentguard.core.policy import Bundle, Guarantee, Policy, Verdict
from agentguard.core.values import value_text

MOST_CHOICES = 64
"""So many ways are tried to hold each action down by its limits."""

MOST_TOGETHER = 2
"""So many limits of one action are held against it together."""


_Choice: TypeAlias = Mapping[str, tuple[PlannedLimit, ...]]
"""By action, the limits that are to hold it down together."""


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
    left = {action: search for action, search in searches.items() if not search.never(sums[action].allowed)}
    if not left:
        return Splitting("no such request is ever allowed without a person")
    tried: dict[str, str] = {}
    because = _held_down(left, sums, tried)
    if because:
        return Splitting(because)
    sequence = find_sequence(searches, sums)
    if sequence is not None:
        return Splitting(sequence=sequence)
    return Splitting(open=tuple(tried.values()) or ("no limit counts all of these requests",))


def _held_down(searches: Mapping[str, Search], sums: Mapping[str, Sum], tried: dict[str, str]) -> str:
    """Return why limits hold a sum down, or say among what was tried why each does not; the fewest and least first."""
    able = {action: list(_able(search, sums[action], tried)) for action, search in searches.items()}
    ways = {action: [*_together(limits)] for action, limits in able.items()}
    choices = [dict(zip(ways, choice, strict=True)) for choice in islice(product(*ways.values()), MOST_CHOICES)]
    sizes = _Sizes(searches, sums)
    for choice in sorted(choices, key=lambda choice: len(_by_id(choice))):
        holding = _Holding.of(choice, sizes, tried)
        if holding is not None and holding.holds(searches, sums):
            return holding.because
        if len(_by_id(choice)) == 1 and holding is not None:
            [name] = _by_id(choice)
            tried[name] = f"limit `{name}` does not count each of them, or lets more pass"
    return ""


def _together(limits: list[PlannedLimit]) -> Iterator[tuple[PlannedLimit, ...]]:
    """Yield each limit, and then those of which each may count what the others do not."""
    for many in range(1, MOST_TOGETHER + 1):
        yield from combinations(limits, many)


def _by_id(choice: _Choice) -> dict[str, PlannedLimit]:
    return {planned.id: planned for chosen in choice.values() for planned in chosen}


class _Sizes:
    """The largest request of each action that is allowed, worked out once."""

    def __init__(self, searches: Mapping[str, Search], sums: Mapping[str, Sum]) -> None:
        self._searches, self.sums = searches, sums
        self._known: dict[str, int | None] = {}

    def of(self, actions: Iterable[str]) -> int | None:
        """Return the largest request of some actions; None where it is not known for sure."""
        found = [self._of(action) for action in actions]
        return None if None in found else max(size for size in found if size is not None)

    def _of(self, action: str) -> int | None:
        if action not in self._known:
            self._known[action] = _largest(self._searches[action], self.sums[action])
        return self._known[action]


def _able(search: Search, wanted: Sum, tried: dict[str, str]) -> Iterator[PlannedLimit]:
    """Yield the enforced limits that may hold a sum down."""
    for planned in (limit for file in search.plan.enforced for limit in file.limits):
        reason = _unfit(planned, wanted)
        if reason:
            tried[planned.id] = reason
        else:
            yield planned


@dataclass(frozen=True, slots=True)
class _Holding:
    """Limits that may hold a sum down together, those of each action.

    Attributes:
        factors: By limit: by what its use is multiplied, for its windows and for the largest request that it counts.
        most: By limit: what it lets pass of the sum at most; empty where one limit is held against the sum's own most.
        because: Why they do, if they do.
    """

    limits: _Choice
    factors: Mapping[str, int]
    most: Mapping[str, int]
    because: str

    @classmethod
    def of(cls, limits: _Choice, sizes: _Sizes, tried: dict[str, str]) -> _Holding | None:
        """Return a choice with its numbers; None where they are not known, or together too much."""
        factors: dict[str, int] = {}
        said: list[str] = []
        for name, planned in _by_id(limits).items():
            actions = [action for action, chosen in limits.items() if name in {item.id for item in chosen}]
            wanted = sizes.sums[actions[0]]
            covers, largest = windows(planned, wanted.total, wanted.policy) or 0, None
            if covers > 1 and any(most.reads for most in wanted.total.max.values()):
                tried[name] = f"{covers} windows of limit `{name}` cover the time, and the most is not the same in each"
                return None
            if planned.measure is None and not wanted.counts:
                largest = sizes.of(actions)
                if largest is None:
                    tried[name] = f"limit `{name}` counts requests, and the largest one is not known"
                    return None
            factors[name] = covers * (1 if largest is None else largest)
            alone = all(len(limits[action]) == 1 for action in actions)
            said.append(_because(planned, wanted, covers, largest, "each of them" if alone else "some of them"))
        if len(factors) == 1:
            return cls(limits, factors, {}, said[0])
        ends = {name: _number(planned.limit.max) for name, planned in _by_id(limits).items()}
        most = {name: factors[name] * end for name, end in ends.items() if end is not None}
        promised = _number(next(iter(sizes.sums.values())).total.max)
        if len(most) < len(ends) or promised is None or sum(most.values()) > promised:
            return None
        return cls(limits, factors, most, f"{'; '.join(said)}; together they do not let more pass")

    def holds(self, searches: Mapping[str, Search], sums: Mapping[str, Sum]) -> bool:
        """Return whether every request that is allowed is held down by a limit of its action."""
        return all(
            searches[action].never(self._uncovered(sums[action], limits)) for action, limits in self.limits.items()
        )

    def _uncovered(self, wanted: Sum, limits: tuple[PlannedLimit, ...]) -> Wanted:
        """Return what a request is like that is allowed and not held down by any of some limits."""

        def uncovered(requests: Requests) -> Truth:
            """Return that a request counts for the sum and no limit holds it down."""
            held = any_of(
                _held(requests, wanted, planned.id, self.factors[planned.id], self.most.get(planned.id))
                for planned in limits
            )
            return all_of((wanted.allowed(requests), any_of((wanted.of(requests).unknown, no(held)))))

        return uncovered


def _held(requests: Requests, wanted: Sum, name: str, factor: int, most: int | None) -> Truth:
    """Return that a limit holds a request down, if it is allowed: to a number, or to the sum's most."""
    counted, summed = requests.counted[name], wanted.of(requests)
    used = Number(counted.held + counted.settled).plus(counted.amount)
    end = summed.most if most is None else Number(most)
    fits: Truth = False if end is None else Number(used.units * factor, used.scale).compared("<=", end)
    at_least = summed.amount if counted.planned.measure is not None or wanted.counts else Number(1)
    both = (counted.currency, summed.currency)
    same: Truth = None in both or compared("==", *both)
    enough = counted.amount.compared(">=", at_least)
    return all_of((counted.applies, no(counted.unknown), same, enough, fits, no(summed.no_most)))


def _number(by_currency: Mapping[str, Expression]) -> int | None:
    """Return a most that is one written number, in minor units or a count."""
    found = [item.tree.value for item in by_currency.values() if isinstance(item.tree, terms.Constant)]
    if len(by_currency) != 1 or len(found) != 1:
        return None
    value = found[0]
    return value.minor if isinstance(value, Money) else value if isinstance(value, int) else None


def _unfit(planned: PlannedLimit, wanted: Sum) -> str:
    """Return why a limit cannot hold a sum down, whatever the requests are; empty if it may."""
    if planned.freed_by:
        return f"limit `{planned.id}` is given back by {', '.join(planned.freed_by)}"
    if not is_shared(planned, wanted.total, wanted.policy):
        return f"limit `{planned.id}` counts some of them apart from others"
    if windows(planned, wanted.total, wanted.policy) is None:
        return f"limit `{planned.id}` begins anew in the meantime, no matter how often"
    return ""


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


def _because(planned: PlannedLimit, wanted: Sum, covers: int, largest: int | None, them: str) -> str:
    """Return in a sentence why nothing passes."""
    limit, window = f"limit `{planned.id}`", planned.limit.window
    times = "" if covers == 1 else f", and {covers} of its windows cover the time"
    times += "; what was done before it began is not counted (`starts: now`)" if planned.limit.starts_now else ""
    if largest is None:
        return f"{limit} counts {them} and never lets more pass{times}"
    unit = next(iter(wanted.total.currencies), COUNT)
    each = value_text(in_unit(largest, unit))
    return f"{limit} counts {them} ({window}), and none is more than {each}{times}"
