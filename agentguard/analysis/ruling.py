"""Which rules of a policy do nothing, for every request that there can be; needs the extra `prove`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentguard.analysis.symbolic.logic import Truth, all_of, any_of, no
from agentguard.analysis.symbolic.requests import Asks, Requests, Says
from agentguard.analysis.symbolic.search import Example, Search, Wanted
from agentguard.core.plan import plan_action
from agentguard.core.policy import Bundle, Place, Rule, Verdict

NEVER_FIRES = "rule_never_fires"
NEVER_DECIDES = "rule_never_decides"
CAN_FAIL = "rule_can_fail"


@dataclass(frozen=True, slots=True)
class Idle:
    """What is wrong with a rule: a code, and words that say what to do."""

    place: Place
    code: str
    message: str


def idle_rules(bundle: Bundle) -> Iterator[Idle]:
    """Yield the rules that never fire, and those that never decide anything.

    A rule of several actions does nothing only if it does nothing for each of them.
    """
    rules: dict[str, Rule] = {}
    working: dict[str, set[str]] = {}
    for action in bundle.actions():
        search = Search(plan_action(bundle, action))
        for planned in (planned for file in search.plan.enforced for planned in file.rules):
            name = planned.id
            rules[name] = planned.rule
            found = working.setdefault(name, set())
            if NEVER_FIRES not in found and not search.never(_speaks(name)):
                found.add(NEVER_FIRES)
            if NEVER_DECIDES not in found and not search.never(_decides(name)):
                found.add(NEVER_DECIDES)
    for name, rule in rules.items():
        if NEVER_FIRES not in working[name]:
            message = f"rule `{rule.id}` can never match: its conditions exclude each other; change or remove it"
            yield Idle(rule.place, NEVER_FIRES, message)
        elif NEVER_DECIDES not in working[name]:
            message = f"rule `{rule.id}` never decides anything: whenever it matches, others say the same or more"
            yield Idle(rule.place, NEVER_DECIDES, f"{message}; change or remove it")


def failing_rules(bundle: Bundle) -> Iterator[Idle]:
    """Yield the rules that cannot be evaluated for some request of which everything is known, and why.

    A calendar or a table's entry that a fact names and the file does not have, an empty list without a least item.
    """
    told: set[str] = set()
    for action in bundle.actions():
        search = Search(plan_action(bundle, action))
        for planned in (planned for file in search.plan.enforced for planned in file.rules):
            detail = "" if planned.id in told else _failure(search, planned.id)
            if detail:
                told.add(planned.id)
                message = f"rule `{planned.rule.id}` cannot be evaluated for some known facts: {detail}"
                yield Idle(planned.rule.place, CAN_FAIL, message)


def _speaks(rule: str) -> Wanted:
    return lambda requests: requests.said[rule].speaks


def _decides(rule: str) -> Wanted:
    return lambda requests: decides(requests, rule)


def _failure(search: Search, rule: str) -> str:
    """Return why a rule cannot be evaluated for some request of which everything is known; empty if it always can."""

    def detail(example: Example) -> str:
        """Return what the decision says of it."""
        said = (reason for reason in example.decision.reasons if reason.code == "cannot_evaluate")
        return next((reason.detail for reason in said if reason.source == rule), "")

    found = search.find(
        lambda requests: fails_knowing(requests, requests.said[rule]), lambda example: bool(detail(example))
    )
    return "" if found.example is None else detail(found.example)


def decides(requests: Requests, rule: str) -> Truth:
    """Return when a rule is what decides: its verdict comes out, and no other rule or limit says the same or more.

    `otherwise` does not count: what it says comes without the rule's reason and words.
    """
    says = requests.said[rule]
    verdict = says.then.verdict
    if verdict is Verdict.ABSTAIN:
        return False
    others = any_of(
        asks.when for asks in requests.asks if asks.source != rule and not asks.is_fallback and _as_much(asks, says)
    )
    spoke = says.speaks if verdict is Verdict.ALLOW else any_of((says.speaks, says.fails))
    return all_of((spoke, requests.verdicts[verdict], no(others)))


def _as_much(asks: Asks, says: Says) -> bool:
    """Return whether something asks for the same verdict, of the same file for a route that is as strong."""
    if asks.then.verdict is not says.then.verdict:
        return False
    if says.then.verdict is not Verdict.ESCALATE:
        return True
    own, other = (item.policy.routes.get(item.then.route or "") for item in (says, asks))
    return asks.policy is says.policy and own is not None and other is not None and other.strength >= own.strength


def fails_knowing(requests: Requests, says: Says) -> Truth:
    """Return when a rule cannot be evaluated though nothing is missing that has to be there."""
    known = (slot.known for slot in requests.translation.environment.values())
    counted = (no(limit.unknown) for limit in requests.counted.values())
    return all_of((says.fails, *known, *counted))
