"""Which rules of a policy do nothing, or cannot be evaluated, for every request that there can be; needs `prove`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from agentguard.analysis.finding import Finding
from agentguard.analysis.symbolic.logic import Truth, all_of, any_of, no
from agentguard.analysis.symbolic.requests import Asks, Requests, Says
from agentguard.analysis.symbolic.search import Example, Search, Wanted
from agentguard.core.asked import Asked
from agentguard.core.language import Integer, Text, evaluate
from agentguard.core.language.inside import names_in, terms_in
from agentguard.core.language.terms import During, Lookup
from agentguard.core.plan import PlannedRule, plan_action
from agentguard.core.policy import Bundle, Place, Policy, Rule, Verdict
from agentguard.errors import EvaluationError

NEVER_FIRES = "rule_never_fires"
NEVER_DECIDES = "rule_never_decides"
CAN_FAIL = "rule_can_fail"
MOST_NAMED = 4


def searches_of(bundle: Bundle) -> dict[str, Search]:
    """Return a search among the requests of each action, for all that is asked of them."""
    return {action: Search(plan_action(bundle, action)) for action in bundle.actions()}


def idle_rules(bundle: Bundle, searches: Mapping[str, Search] | None = None) -> Iterator[Finding]:
    """Yield the rules and requirements that never fire, and those that never decide, with what decides in their place.

    One of several actions does nothing only if it does nothing for each of them.

    Args:
        bundle: The policies as they are in force together.
        searches: By action, where they are there already.
    """
    searches = searches_of(bundle) if searches is None else searches
    named: dict[str, tuple[str, Place]] = {}
    working: dict[str, set[str]] = {}
    for search in searches.values():
        for name, what, place in _sentences(search):
            named[name] = what, place
            found = working.setdefault(name, set())
            if NEVER_FIRES not in found and not search.never(_speaks(name)):
                found.add(NEVER_FIRES)
            if NEVER_DECIDES not in found and not search.never(_decides(name)):
                found.add(NEVER_DECIDES)
    for name, (what, place) in named.items():
        if NEVER_FIRES not in working[name]:
            message = f"{what} can never match: its conditions exclude each other; change or remove it"
            yield Finding(place, NEVER_FIRES, message)
        elif NEVER_DECIDES not in working[name]:
            instead = _instead(name, [search for search in searches.values() if name in search.requests.said])
            message = f"{what} never decides anything: whenever it matches, {instead}; change or remove it"
            yield Finding(place, NEVER_DECIDES, message)


def _sentences(search: Search) -> Iterator[tuple[str, str, Place]]:
    """Yield the rules and requirements of an action: the id in the bundle, what it is called, and where it stands."""
    for file in search.plan.enforced:
        for planned in file.rules:
            yield planned.id, f"rule `{planned.rule.id}`", planned.rule.place
        for required in file.requires:
            yield required.id, f"requirement `{required.requirement.id}`", required.requirement.place


def _instead(rule: str, searches: Iterable[Search]) -> str:
    """Return in words what decides wherever a rule matches."""
    found = list(dict.fromkeys(asks for search in searches for asks in _covering(search, rule)))
    if not found or len(found) > MOST_NAMED:
        return "others say the same or more"
    policy = rule.partition("/")[0]
    named = [f"{kind} `{source.removeprefix(f'{policy}/')}`" for kind, source, _ in found]
    if len(found) == 1:
        return f"{named[0]} says {found[0][2]}"
    return f"{', '.join(named[:-1])} or {named[-1]} says the same or more"


def _covering(search: Search, rule: str) -> list[tuple[str, str, str]]:
    """Return what says the same or more wherever a rule matches, as kind, id and what it asks for.

    One alone if one is enough; nothing if it does not match at all, or if there is no telling.
    """
    requests = search.requests
    if search.never(_speaks(rule)):
        return []
    others = {asks.source: asks for asks in requests.asks if _outdoes(asks, requests.said[rule])}
    for source, asks in others.items():
        if search.never(_matches_without(rule, [source])):
            return [_named(requests, asks)]
    covering: list[str] = []
    for _ in range(MOST_NAMED + 1):
        found = search.find(_matches_without(rule, covering), bool)
        if found.example is None:
            break
        spoke = {reason.source for reason in found.example.decision.reasons}
        covering += [source for source in others if source in spoke and source not in covering][:1]
    return [_named(requests, others[source]) for source in covering]


def _matches_without(rule: str, others: Iterable[str]) -> Wanted:
    """Return that a rule matches and none of some others asks for anything."""
    known = tuple(others)
    return lambda among: all_of((among.said[rule].speaks, *(no(_asking(among, source)) for source in known)))


def _asking(among: Requests, source: str) -> Truth:
    return any_of(asks.when for asks in among.asks if asks.source == source)


def _named(requests: Requests, asks: Asks) -> tuple[str, str, str]:
    kind = "limit" if asks.source in requests.counted else "requirement" if asks.source in requests.happened else "rule"
    return kind, asks.source, str(asks.then)


def failing_rules(bundle: Bundle, searches: Mapping[str, Search] | None = None) -> Iterator[Finding]:
    """Yield the rules that cannot be evaluated for some request of which everything is known, together for each cause.

    A calendar or a table's entry that a fact names and the file does not have, an empty list without a least item.
    """
    found: dict[tuple[str, str], dict[str, Place]] = {}
    known: set[str] = set()
    for search in (searches_of(bundle) if searches is None else searches).values():
        for file in search.plan.enforced:
            for planned in (planned for planned in file.rules if planned.id not in known):
                why = _failure(search, planned)
                if why:
                    known.add(planned.id)
                    cause = file.policy.name, _where(planned.rule, why)
                    found.setdefault(cause, {})[planned.rule.id] = planned.rule.place
    for (_, where), places in found.items():
        place = min(places.values(), key=lambda place: (place.line, place.column))
        message = f"{_rules(sorted(places, key=lambda name: places[name].line))} cannot be evaluated {where}"
        yield Finding(place, CAN_FAIL, f"{message}: what allows is then silent, and what refuses speaks")


def _rules(names: list[str]) -> str:
    """Return rules as a sentence begins with them."""
    named = [f"`{name}`" for name in names]
    return f"rule {named[0]}" if len(named) == 1 else f"rules {', '.join(named[:-1])} and {named[-1]}"


def _speaks(rule: str) -> Wanted:
    return lambda requests: requests.said[rule].speaks


def _decides(rule: str) -> Wanted:
    return lambda requests: decides(requests, rule)


def _failure(search: Search, planned: PlannedRule) -> str:
    """Return why a rule cannot be evaluated for some request of which everything is known; empty if it always can."""
    found = search.find(
        lambda requests: fails_knowing(requests, requests.said[planned.id]),
        lambda example: bool(_error(search, planned, example)),
    )
    return "" if found.example is None else _error(search, planned, found.example)


def _error(search: Search, planned: PlannedRule, example: Example) -> str:
    """Return why a rule cannot be evaluated for a request, as the tree walker says; empty if it can."""
    try:
        if planned.rule.when is not None:
            evaluate(planned.rule.when, Asked(search.plan, example.request, example.evidence).values())
    except EvaluationError as error:
        return str(error)
    return ""


def _where(rule: Rule, why: str) -> str:
    """Return in words where a rule cannot be evaluated, the same for every request that shows it.

    Args:
        rule: The rule.
        why: What is wrong with one such request.
    """
    for term in terms_in(rule.when.tree) if rule.when is not None else ():
        keys = (term.calendar,) if isinstance(term, During) else term.keys if isinstance(term, Lookup) else ()
        names = [name for key in keys if isinstance(key.type, Text | Integer) for name in sorted(names_in(key))]
        if names and isinstance(term, During) and why.startswith("there is no calendar"):
            return f"where `{names[0]}` names a calendar that the file does not have"
        if names and isinstance(term, Lookup) and f"`{term.table.name}[" in why:
            return f"where `{names[0]}` has no entry in the table `{term.table.name}`"
    return f"for some facts that are known ({why})"


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


def _outdoes(asks: Asks, says: Says) -> bool:
    """Return whether something else, that is no fallback, asks for the same as a rule or for more."""
    if asks.source == says.id or asks.is_fallback:
        return False
    return asks.then.verdict > says.then.verdict or _as_much(asks, says)


def _as_much(asks: Asks, says: Says) -> bool:
    """Return whether something asks for the same verdict, of the same file for a route that is as strong."""
    if asks.then.verdict is not says.then.verdict:
        return False
    return says.then.verdict is not Verdict.ESCALATE or is_as_strong(asks.policy, asks.then.route, says)


def is_as_strong(policy: Policy, route: str | None, says: Says) -> bool:
    """Return whether a route of a file is of the same file as another, and as strong."""
    own, other = says.policy.routes.get(says.then.route or ""), policy.routes.get(route or "")
    return policy is says.policy and own is not None and other is not None and other.strength >= own.strength


def fails_knowing(requests: Requests, says: Says) -> Truth:
    """Return when a rule cannot be evaluated though nothing is missing that has to be there."""
    known = (slot.known for slot in requests.translation.environment.values())
    counted = (no(limit.unknown) for limit in requests.counted.values())
    return all_of((says.fails, *known, *counted))
