"""Which rules, limits, requirements and guarantees a set of cases has made speak, keep silent, meet their boundary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from agentguard.analysis.compared import Compared, parts_of
from agentguard.analysis.result import CaseResult
from agentguard.core.decision import Decision
from agentguard.core.policy import Policy


@dataclass(frozen=True, slots=True)
class Spoke:
    """How often one rule, limit or requirement spoke in the cases.

    Attributes:
        id: Qualified id; a file's `otherwise` and `on_error` are here too.
        kind: `rule`, `limit`, `requirement`, `guarantee`, `otherwise` or `on_error`.
        conditional: False if it always speaks, so that no case can show it silent.
        decided: Cases that it decided, alone or with others; for a guarantee, cases that are examples of it.
        silent: Cases of its actions in which it said nothing.
        at_max: For a limit: cases that used it up exactly.
        past_max: For a limit: cases that passed it by one minor unit, or by one.
    """

    id: str
    kind: str
    conditional: bool = True
    decided: int = 0
    silent: int = 0
    at_max: int = 0
    past_max: int = 0

    @property
    def covered(self) -> bool:
        """True if some case was decided by it and, where that can be, some case was not."""
        return self.decided > 0 and (self.silent > 0 or not self.conditional)


@dataclass(frozen=True, slots=True)
class Part:
    """How often one part of a condition was seen to hold, and not to hold."""

    compared: Compared
    yes: int = 0
    no: int = 0

    @property
    def covered(self) -> bool:
        """True if some case shows it to hold, and another shows that it does not."""
        return self.yes > 0 and self.no > 0


MUST_DECIDE = ("rule", "limit", "requirement")
"""The kinds that a full set of cases makes decide; the others are told beside them."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the cases of a test file covered, in the order of the policy file."""

    items: tuple[Spoke, ...]
    parts: tuple[Part, ...] = ()

    @property
    def uncovered(self) -> tuple[Spoke, ...]:
        """Rules, limits and requirements that no case decides, or that no case shows silent."""
        return tuple(item for item in self.items if item.kind in MUST_DECIDE and not item.covered)

    @property
    def without_boundary(self) -> tuple[Spoke, ...]:
        """Limits that no case uses up exactly, or none passes by the least that is possible."""
        return tuple(item for item in self.items if item.kind == "limit" and not (item.at_max and item.past_max))

    @property
    def without_example(self) -> tuple[Spoke, ...]:
        """Guarantees of which no case is an example."""
        return tuple(item for item in self.items if item.kind == "guarantee" and not item.decided)

    @property
    def share(self) -> tuple[int, int]:
        """How many rules, limits and requirements are covered, and how many there are."""
        counted = [item for item in self.items if item.kind in MUST_DECIDE]
        return len(counted) - len(self.uncovered), len(counted)

    @property
    def one_sided(self) -> tuple[Part, ...]:
        """Parts of conditions that no case shows to hold, or none shows not to."""
        return tuple(part for part in self.parts if not part.covered)

    @property
    def percent(self) -> int:
        """How much is covered of rules, limits, requirements and the parts of their conditions together."""
        covered, of = self.share
        covered, of = covered + len(self.parts) - len(self.one_sided), of + len(self.parts)
        return covered * 100 // of if of else 100


def measure(policies: Iterable[Policy], results: Iterable[CaseResult]) -> Coverage:
    """Return what the cases that could be run have covered of the policies."""
    found: dict[str, Spoke] = {}
    actions: dict[str, frozenset[str]] = {}
    parts: dict[Compared, Part] = {}
    for policy in policies:
        parts.update((part, Part(part)) for part in parts_of(policy))
        for spoke, on in _listed(policy):
            found[spoke.id] = spoke
            actions[spoke.id] = on
    for result in results:
        decision = result.decision
        if decision is None:
            continue
        heard = {reason.source for reason in decision.reasons} | {promise.id for promise in result.promises}
        decided = {*deciding(decision), *(promise.id for promise in result.promises if promise.shown)}
        for name, item in found.items():
            if result.action in actions[name]:
                found[name] = replace(
                    item, decided=item.decided + (name in decided), silent=item.silent + (name not in heard)
                )
        _count_boundaries(found, decision)
        for part in result.compared:
            seen = parts[part]
            parts[part] = replace(seen, yes=seen.yes + (part.result is True), no=seen.no + (part.result is False))
    return Coverage(tuple(found.values()), tuple(parts.values()))


def _listed(policy: Policy) -> Iterator[tuple[Spoke, frozenset[str]]]:
    """Everything in a file that can speak, with its actions, in the order of the file."""
    for rule in policy.rules:
        yield Spoke(policy.qualified(rule.id), "rule", conditional=rule.when is not None), rule.on
    for limit in policy.limits:
        yield Spoke(policy.qualified(limit.id), "limit"), limit.on
    for requirement in policy.requires:
        yield Spoke(policy.qualified(requirement.id), "requirement"), requirement.on
    for guarantee in (item for item in policy.guarantees if item.total is None):
        yield Spoke(policy.qualified(guarantee.id), "guarantee"), guarantee.on
    for kind in ("otherwise", "on_error"):
        yield Spoke(policy.qualified(kind), kind), frozenset(policy.actions)


def _count_boundaries(found: dict[str, Spoke], decision: Decision) -> None:
    for check in decision.limits:
        item = found.get(check.limit)
        if item is not None and check.max is not None:
            past = check.used + check.amount - check.max
            found[check.limit] = replace(item, at_max=item.at_max + (past == 0), past_max=item.past_max + (past == 1))


def deciding(decision: Decision) -> tuple[str, ...]:
    """Return the qualified ids of what decided: what asked for the verdict and, where it escalates, for its route."""
    routes = {asked.id for asked in decision.routes}
    return tuple(
        dict.fromkeys(
            reason.source
            for reason in decision.reasons
            if reason.verdict is decision.verdict and (not routes or reason.route in routes)
        )
    )
