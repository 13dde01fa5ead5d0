"""A request that two plans of one action decide otherwise, in verdict or in who is asked; needs the extra `prove`."""

from __future__ import annotations

from agentguard.analysis.symbolic.logic import Truth, all_of, any_of, no
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Found, Search
from agentguard.core.decision import Decision
from agentguard.core.plan import Plan
from agentguard.core.policy import Policy, Verdict

VERDICTS = (Verdict.ALLOW, Verdict.ESCALATE, Verdict.DENY)


def difference(old: Plan, new: Plan) -> Found:
    """Look for a request that both decide, each in its own way."""
    search = Search(old, new)

    def other_verdict(old: Requests, new: Requests) -> Truth:
        """Return that the verdicts differ."""
        return any_of(all_of((old.verdicts[verdict], no(new.verdicts[verdict]))) for verdict in VERDICTS)

    def other_route(old: Requests, new: Requests) -> Truth:
        """Return that both escalate, and one asks for a route that the other does not ask for."""
        both = all_of((old.verdicts[Verdict.ESCALATE], new.verdicts[Verdict.ESCALATE]))
        routes = {(file.policy.name, route) for file in search.plan.enforced for route in file.policy.routes}
        asked = [(_asked(old, *route), _asked(new, *route)) for route in sorted(routes)]
        return all_of((both, any_of(any_of((all_of((a, no(b))), all_of((b, no(a))))) for a, b in asked)))

    found = search.find(other_verdict, lambda before, after: before.decision.verdict is not after.decision.verdict)
    if not found.proved:
        return found
    return search.find(other_route, lambda before, after: _routes(before.decision) != _routes(after.decision))


def _routes(decision: Decision) -> frozenset[str]:
    return frozenset(asked.id for asked in decision.routes)


def _asked(requests: Requests, name: str, route: str) -> Truth:
    """Return when a route is the strongest of its file that something asks for."""
    asks = [item for item in requests.asks if item.policy.name == name and item.then.verdict is Verdict.ESCALATE]
    stronger = (item.when for item in asks if _strength(item.policy, item.then.route) > _strength(item.policy, route))
    return all_of((any_of(item.when for item in asks if item.then.route == route), no(any_of(stronger))))


def _strength(policy: Policy, route: str | None) -> int:
    return -1 if route is None else policy.routes[route].strength
