"""Which small changes of a policy its own cases do not notice, and the row that would notice each of them.

A change that no request at all could tell is none; that takes the solver. What a request that was found shows is made
as near to the file's `given` as it can be, staged as any case is and decided by both policies before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from agentguard.analysis.casetest import plans_of, results_of, under_test
from agentguard.analysis.result import CaseResult
from agentguard.analysis.solver import has_solver
from agentguard.analysis.told import situation_of
from agentguard.core.cases import Case, CaseFile, Expectation, Situation
from agentguard.core.mutant import Mutant
from agentguard.core.plan import plan_action
from agentguard.core.policy import Bundle, Policy
from agentguard.errors import UsageError

UNWRITTEN = ("the request that was found cannot be written as a case",)
UNKNOWN_YET = Expectation("deny")
"""What a case expects before it is known what comes of it."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """A change that no case notices.

    Attributes:
        case: One that would notice it, with what the policy says now; None where none was found.
        open: What the search left open, in the policy's words.
    """

    mutant: Mutant
    case: Case | None = None
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Boundaries:
    """What a test file notices of the small changes of its policies.

    Attributes:
        noticed: Changes that make some case fail.
        equal: Changes of which it is proved that no request is decided otherwise.
        survivors: The others, in the order of the policies.
        searched: False where there is no solver: then equal changes are among the survivors.
    """

    file: str
    noticed: int
    equal: int
    survivors: tuple[Survivor, ...]
    searched: bool

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases that would notice the survivors, each once."""
        return tuple({case.name: case for survivor in self.survivors if (case := survivor.case) is not None}.values())


def boundaries(bundle: Bundle, cases: CaseFile, mutants: Iterable[Mutant]) -> Boundaries:
    """Return which changes the cases do not notice.

    Args:
        bundle: The policies that the test file names, and maybe others.
        cases: The test file, all of whose cases pass.
        mutants: Changes of the policies that it names.

    Raises:
        UsageError: A case fails already.
    """
    tested = under_test(bundle, cases)
    if not _all_pass(tested, cases):
        raise UsageError(f"{cases.file}: expected every case to pass before the policy is changed, got failures")
    noticed = equal = 0
    survivors: list[Survivor] = []
    for mutant in mutants:
        changed = _with(tested, mutant)
        actions = _touched(tested, changed)
        about = replace(cases, cases=tuple(case for case in cases.cases if case.action in actions))
        if not _all_pass(changed, about):
            noticed += 1
        elif (found := _survivor(tested, changed, about, mutant, survivors)) is not None:
            survivors.append(found)
        else:
            equal += 1
    return Boundaries(cases.file, noticed, equal, tuple(survivors), has_solver())


def _all_pass(tested: Bundle, cases: CaseFile) -> bool:
    return all(result.passed for result in results_of(tested, cases))


def _with(tested: Bundle, mutant: Mutant) -> Bundle:
    changed = replace(mutant.policy, shadow=False)
    return Bundle(tuple(changed if item.name == changed.name else item for item in tested.policies), tested.digest)


def _touched(tested: Bundle, changed: Bundle) -> frozenset[str]:
    """Return the actions of which something is said otherwise; the cases of all others come out as before."""
    pairs = zip(tested.policies, changed.policies, strict=True)
    return frozenset(
        action
        for old, new in pairs
        if old is not new
        for action in old.actions
        if _about(old, action) != _about(new, action)
    )


def _about(policy: Policy, action: str) -> tuple[object, ...]:
    said = (policy.rules, policy.limits, policy.requires)
    own = [item for items in said for item in items if action in item.on]
    return own, policy.otherwise, policy.on_error, policy.actions[action].computed


def _survivor(
    tested: Bundle, changed: Bundle, cases: CaseFile, mutant: Mutant, before: Iterable[Survivor]
) -> Survivor | None:
    """Return the survivor that a change is; None if it is proved to change nothing."""
    if not has_solver():
        return Survivor(mutant)
    for case in {id(item.case): item.case for item in before if item.case is not None}.values():
        if not _all_pass(changed, replace(cases, cases=(case,))):
            return Survivor(mutant, case)
    from agentguard.analysis.difference import difference

    left: set[str] = set()
    for action in sorted(_touched(tested, changed)):
        old, new = plan_action(tested, action), plan_action(changed, action)
        found = difference(old, new)
        if found.example is not None:
            request, evidence = found.example.request, found.example.evidence
            situation = situation_of(old, request, evidence)
            whole = Case(_name(mutant), action, situation, UNKNOWN_YET, (), mutant.place)
            nearest = _nearest(whole, tested, changed, cases)
            return Survivor(mutant, nearest, () if nearest is not None else UNWRITTEN)
        if not found.proved:
            left.update(found.loose or ("the solver could not tell",))
    return Survivor(mutant, None, tuple(sorted(left))) if left else None


def _name(mutant: Mutant) -> str:
    was = f"`{mutant.was}`, not `{mutant.now}`" if mutant.now else f"`{mutant.was}` counts"
    return f"{mutant.what}: {was}"


def _nearest(case: Case, tested: Bundle, changed: Bundle, cases: CaseFile) -> Case | None:
    """Return a case that says as little as it can and still notices a change; None if it does not say enough."""
    plans = [plans_of(tested), plans_of(changed)]

    def results(situation: Situation) -> list[CaseResult]:
        """Return what comes of a situation under the policy as it is, and as it would be."""
        one = replace(cases, cases=(replace(case, situation=situation),))
        return [next(results_of(bundle, one, known)) for bundle, known in zip((tested, changed), plans, strict=True)]

    def notices(situation: Situation) -> bool:
        """Return whether both can be asked and answer otherwise."""
        was, now = results(situation)
        return bool(was.verdict and now.verdict) and was.verdict != now.verdict

    situation = case.situation
    if not notices(situation):
        return None
    for field, names in _said(situation):
        if notices(smaller := _without(situation, field, names)):
            situation = smaller
    if notices(replace(situation, happened=None)):
        situation = replace(situation, happened=None)
    if notices(replace(situation, now=None)):
        situation = replace(situation, now=None)
    was = results(situation)[0]
    return replace(case, situation=situation, expectation=Expectation(was.verdict, was.by))


def _said(situation: Situation) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield what might be left out, so that the file's `given` counts: first what belongs together.

    Names that have the same value may have it because a rule compares them.
    """
    alike: dict[str, set[str]] = {}
    for name, value in situation.values.items():
        alike.setdefault(repr(value), set()).add(name)
    yield from (("values", frozenset(names)) for names in alike.values())
    yield from (("values", frozenset(pair)) for pair in _pairs(alike.values()))
    for field in ("failed", "without", "held", "used", "values"):
        yield from ((field, frozenset({name})) for name in getattr(situation, field))


def _pairs(groups: Iterable[set[str]]) -> Iterator[tuple[str, str]]:
    return ((one, other) for names in groups for one, other in combinations(sorted(names), 2))


def _without(situation: Situation, field: str, names: frozenset[str]) -> Situation:
    said = getattr(situation, field)
    left: Any = tuple(name for name in said if name not in names)
    if not isinstance(said, tuple):
        left = {name: said[name] for name in left}
    return replace(situation, **{field: left})
