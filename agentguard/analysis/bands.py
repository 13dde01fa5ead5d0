"""Values between bands for which no rule speaks, and bands that overlap; needs the extra `prove` (SPEC P20.16, P20.17).

What is compared is one request with several values along a number, everything else the same. A gap and a value that two
rules share are shown by a request that exists; that a threshold decides nothing is proved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter

import z3

from agentguard.analysis.along import Along, Beside
from agentguard.analysis.axes import Axis, Band, axes_of
from agentguard.analysis.finding import Finding
from agentguard.analysis.symbolic.logic import Truth, all_of, any_of, no
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Example, Search, Wanted
from agentguard.core.plan import PlannedPolicy
from agentguard.core.policy import Rule, Verdict

GAP = "band_gap"
OVERLAP = "band_overlap"
MOST_TOLD = 5
"""So many gaps of one number are told at most; a file with more has them all for one reason."""


def band_findings(search: Search) -> Iterator[Finding]:
    """Yield the gaps and overlaps among the bands of each file that governs an action."""
    for file in search.plan.enforced:
        for axis in axes_of(search.plan, file):
            bands = _Bands(search, file, axis)
            yield from bands.gaps()
            yield from bands.overlaps()


class _Bands:
    """The rules of one file along one axis."""

    def __init__(self, search: Search, file: PlannedPolicy, axis: Axis) -> None:
        self._search = search
        self._file = file
        self._axis = axis
        self._along: dict[int, tuple[Requests, Along]] = {}

    def gaps(self) -> Iterator[Finding]:
        """Yield the values for which nothing speaks though something does below and above."""
        told: list[tuple[int, int]] = []
        for wanted in (self._skipped, self._between):
            while len(told) < MOST_TOLD:
                found = self._search.find(self._where(wanted, told), self._is_silent)
                gap = None if found.example is None else self._around(found.example)
                if gap is None:
                    break
                (below, start), (above, end) = gap
                told.append((start, end))
                yield self._gap(below, start, above, end)

    def _where(self, wanted: Callable[[Along], Truth], told: Iterable[tuple[int, int]]) -> Wanted:
        """Return what is wanted outside the gaps that are told already."""
        known = tuple(told)

        def outside(among: Requests) -> Truth:
            """Return that something is wanted of requests whose value is in no known gap."""
            along = self._of(among)
            return all_of((wanted(along), *(z3.Or(along.any < start, along.any > end) for start, end in known)))

        return outside

    def _skipped(self, along: Along) -> Truth:
        """Return that rules speak one step below and one above, not both to deny, and none for the value itself."""
        below, above = along.any - 1, along.any + 1
        beside = [along.some(self._axis.bands, at) for at in (below, above)]
        open_ = [band for band in self._axis.bands if band.planned.rule.then.verdict is not Verdict.DENY]
        loose = any_of(along.some(open_, at) for at in (below, above))
        return all_of((*beside, loose, along.silent(self._file.rules), along.exists(below)))

    def _between(self, along: Along) -> Truth:
        """Return that rules less strict than `otherwise`, which speaks here, speak somewhere below and above."""
        strict = self._file.policy.otherwise.verdict
        looser = [band for band in self._axis.bands if Verdict.ABSTAIN < band.planned.rule.then.verdict < strict]
        below, above = z3.Int(f"below {self._axis.name}"), z3.Int(f"above {self._axis.name}")
        around = (below < along.any, along.any < above, along.exists(below))
        beside = (along.some(looser, at) for at in (below, above))
        return all_of((*around, *beside, along.silent(self._file.rules)))

    def overlaps(self) -> Iterator[Finding]:
        """Yield the values that two rules share, and the thresholds that decide nothing."""
        shared: set[str] = set()
        for lower, upper, at in self._meetings():
            if self._share(lower, upper, at):
                shared |= {lower.planned.id, upper.planned.id}
                yield self._overlap(lower.planned.rule, upper.planned.rule, at)
        for band in self._axis.bands:
            if band.planned.id not in shared:
                yield from self._idle_ends(band)

    def _meetings(self) -> Iterator[tuple[Band, Band, int]]:
        """Yield the rules of which one ends at a value and another one, that says something else, begins at it."""
        beginning: dict[int, list[Band]] = {}
        for band in self._axis.bands:
            for at in band.bottoms:
                beginning.setdefault(at, []).append(band)
        for lower in self._axis.bands:
            for at in sorted(lower.tops):
                for upper in beginning.get(at, ()):
                    if lower.planned.rule.then != upper.planned.rule.then and lower.may_meet(upper):
                        yield lower, upper, at

    def _share(self, lower: Band, upper: Band, at: int) -> bool:
        """Return whether some request gets both rules where one ends and the other begins."""

        def both(among: Requests) -> Truth:
            """Return that both speak for this value, and each alone on its side."""
            along = self._of(among)
            ends = along.ends(lower.planned, at, 1), along.ends(upper.planned, at, -1)
            return all_of((*ends, along.is_at(at)))

        def confirm(example: Example) -> bool:
            """Return whether they do for this request, as the tree walker says."""
            beside = Beside(self._search.plan, self._axis, example)
            return all(beside.speaks(band.planned, at) for band in (lower, upper))

        return self._search.find(both, confirm).example is not None

    def _idle_ends(self, band: Band) -> Iterator[Finding]:
        """Yield the ends of a rule at which stricter ones of the axis always speak already."""
        stricter = [other for other in self._axis.bands if self._rank(other) > self._rank(band)]
        for ends, step in ((band.tops, 1), (band.bottoms, -1)):
            for at in sorted(ends):
                covering = _covering(band, [other for other in stricter if other.holds(at)], self._axis.name)
                if covering and self._is_covered(band, covering, at, step):
                    yield self._idle(band.planned.rule, covering[0].planned.rule, at, step)

    def _is_covered(self, band: Band, covering: list[Band], at: int, step: int) -> bool:
        """Return whether a rule really ends here, and never without one of some others speaking."""

        def ends(among: Requests) -> Truth:
            """Return that the rule speaks for this value, and no more one step on."""
            return self._of(among).ends(band.planned, at, step)

        def alone(among: Requests) -> Truth:
            """Return that it does, and the others do not."""
            return all_of((ends(among), no(self._of(among).some(covering, at))))

        return self._search.never(alone) and not self._search.never(ends)

    def _rank(self, band: Band) -> tuple[Verdict, int]:
        """Return how strict a rule is."""
        then, routes = band.planned.rule.then, self._file.policy.routes
        return then.verdict, routes[then.route].strength if then.route else 0

    def _of(self, among: Requests) -> Along:
        """Return the rules' formulas along the axis, among requests whose lists are open or not."""
        known = self._along.get(id(among))
        if known is None:
            known = self._along[id(among)] = among, Along(among, self._axis)
        return known[1]

    def _is_silent(self, example: Example) -> bool:
        """Return whether no rule of the file speaks for a request, as the tree walker says."""
        beside = Beside(self._search.plan, self._axis, example)
        return beside.at is not None and not any(beside.speaks(planned, beside.at) for planned in self._file.rules)

    def _around(self, example: Example) -> tuple[tuple[Rule, int], tuple[Rule, int]] | None:
        """Return the nearest rules that speak below and above a request's value, and the values silent between them."""
        beside = Beside(self._search.plan, self._axis, example)
        at = beside.at
        if at is None:
            return None
        tops = [(top, band.planned) for band in self._axis.bands for top in band.tops if top < at]
        bottoms = [(bottom, band.planned) for band in self._axis.bands for bottom in band.bottoms if bottom > at]
        tops.sort(key=itemgetter(0), reverse=True)
        bottoms.sort(key=itemgetter(0))
        below, above = (
            next(((planned.rule, end) for end, planned in ends if beside.speaks(planned, end)), None)
            for ends in (tops, bottoms)
        )
        return None if below is None or above is None else ((below[0], below[1] + 1), (above[0], above[1] - 1))

    def _gap(self, below: Rule, start: int, above: Rule, end: int) -> Finding:
        axis = self._axis
        where = f"is exactly {axis.shown(start)}" if start == end else f"is {axis.shown(start)} to {axis.shown(end)}"
        some = "for some requests " if any(band.holds(start) for band in axis.bands) else ""
        message = (
            f"no rule speaks {some}where `{axis.name}` {where}, between rule `{below.id}` and rule `{above.id}`: "
            f"`otherwise` says {self._file.policy.otherwise}; let them meet"
        )
        return Finding(above.place, GAP, message)

    def _overlap(self, lower: Rule, upper: Rule, at: int) -> Finding:
        where = f"where `{self._axis.name}` is exactly {self._axis.shown(at)}"
        says = f"rule `{lower.id}` says {lower.then} and rule `{upper.id}` says {upper.then}"
        return Finding(upper.place, OVERLAP, f"{where}, {says}: let one begin behind the other's end")

    def _idle(self, rule: Rule, other: Rule, at: int, step: int) -> Finding:
        ends = (
            f"rule `{rule.id}` goes {'up to' if step > 0 else 'down to'} {self._axis.shown(at)} of `{self._axis.name}`"
        )
        said = f"where it ends rule `{other.id}` says {other.then} already"
        return Finding(rule.place, OVERLAP, f"{ends}, and {said}: this threshold decides nothing; let them meet")


def _covering(band: Band, others: list[Band], axis: str) -> list[Band]:
    """Return the rules that may always speak where another one does, alone or together.

    What a rule alone asks of a value that the other one does not look at need not hold there; several may share it out.
    """
    left = [other for other in others if other.may_meet(band)]
    free = {other.planned.id: _reads(other) - _reads(band) - {axis} for other in left}
    asked = Counter(name for names in free.values() for name in names)
    return [other for other in left if all(asked[name] > 1 for name in free[other.planned.id])]


def _reads(band: Band) -> frozenset[str]:
    when = band.planned.rule.when
    return frozenset() if when is None else when.reads
