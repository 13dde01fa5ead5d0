"""When the votes on an escalation are enough: a pure count over routes, people and what they were shown.

Law 7: a vote counts for exactly the request and the reasons that were shown, and only if the voter is one of those whom
the route names as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentguard.core.decision import AskedRoute, Reason
from agentguard.core.policy import Route, Verdict
from agentguard.core.request import Vote


def admits(route: Route, voter: str, groups: Iterable[str]) -> bool:
    """Return whether a person may vote on a route: named as `user:…` or in one of its `group:…`."""
    allowed = frozenset(route.who)
    return f"user:{voter}" in allowed or not allowed.isdisjoint(groups)


def missing(route: Route, votes: Iterable[Vote]) -> int:
    """Return how many more people, all admitted by the route, have to say yes; a delegate has an absent one's place."""
    yes = [vote for vote in votes if vote.approve and admits(route, vote.voter, vote.groups)]
    return max(0, route.people - min(len({vote.voter for vote in yes}), len({vote.seat for vote in yes})))


def quorum_reached(route: Route, votes: Iterable[Vote]) -> bool:
    """Return whether enough different people, all admitted by the route, said yes."""
    return missing(route, votes) == 0


def satisfied(asked: AskedRoute, votes: Sequence[Vote]) -> bool:
    """Return whether a route reached its quorum, or was late and the one that took over from it did."""
    if quorum_reached(asked.route, votes):
        return True
    over = [vote for vote in votes if asked.id in vote.late]
    return asked.following is not None and bool(over) and satisfied(asked.following, over)


def rejected(votes: Iterable[Vote]) -> bool:
    """Return whether anybody said no; one no is enough."""
    return any(not vote.approve for vote in votes)


def approved(routes: Sequence[AskedRoute], reasons: Iterable[Reason], votes: Sequence[Vote]) -> bool:
    """Return whether votes lift every reason to escalate, under the routes as they are now.

    Args:
        routes: What the decision asks for; all of them must reach their quorum.
        reasons: The decision's reasons; those that escalate must all have been shown to each voter who counts.
        votes: Votes on this very request (the caller has compared the request's digest).
    """
    needed = frozenset(reason.identity for reason in reasons if reason.verdict is Verdict.ESCALATE)
    informed = [vote for vote in votes if needed <= vote.reasons]
    if not routes or rejected(votes):
        return False
    return all(satisfied(asked, informed) for asked in routes)
