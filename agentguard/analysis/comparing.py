"""What a change of policies changes, for every request that there can be; needs the extra `prove`.

Old and new are asked about the same request at once: each change of a verdict, and of who decides, comes with one
request, decided by both, or with the proof that there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from agentguard.analysis.changes.difference import Difference, Direction
from agentguard.analysis.changes.policies import pairs
from agentguard.analysis.proving import Largest, largest_of
from agentguard.analysis.symbolic.logic import Truth, all_of, any_of, no
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Confirm, Example, Found, Search, Wanted
from agentguard.analysis.symbolic.value import Amount, Code
from agentguard.core.decision import Decision
from agentguard.core.plan import Plan, plan_action
from agentguard.core.policy import Bundle, Route, Verdict
from agentguard.core.request import ActorKind

VERDICTS = (Verdict.ALLOW, Verdict.ESCALATE, Verdict.DENY)
MOST_EXPLAINED = 20
"""Of how many changed rules it is asked whether and why they decide nothing."""


@dataclass(frozen=True, slots=True)
class Change:
    """One way in which requests are decided otherwise.

    Attributes:
        before, after: One request, as the old and as the new policies decide it.
        routes: Where both escalate: the qualified ids of the route of one file, before and after; empty for no route.
        direction: Which way it goes.
    """

    action: str
    old: Verdict
    new: Verdict
    before: Example
    after: Example
    direction: Direction
    routes: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Reroute:
    """A file asks for another route than before: by the file's name in both versions, empty where it is not in one.

    Attributes:
        was, now: Names of its routes; empty where it asks for none.
    """

    files: tuple[str, str]
    was: str
    now: str

    @property
    def qualified(self) -> tuple[str, str]:
        """The ids of both routes; empty for no route."""
        return _qualified(self.files[0], self.was), _qualified(self.files[1], self.now)


@dataclass(frozen=True, slots=True)
class Silent:
    """A rule that speaks for other requests than before, and changes no decision by that.

    Attributes:
        rule: Its qualified id.
        before, after: One of these requests; None if it speaks for the same ones as before.
        still: Who decides them as before, by qualified id.
        always: True if one and the same does for all of them.
    """

    rule: str
    before: Example | None = None
    after: Example | None = None
    still: tuple[str, ...] = ()
    always: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """The largest value of an argument that an agent gets by itself, before and after.

    Attributes:
        alone: True if it is proved that nothing is decided otherwise outside of the values between both.
    """

    name: str
    old: Largest
    new: Largest
    alone: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes for one action.

    Attributes:
        changes: Every old and new verdict that some request gets, and every old and new route.
        ruled_out: Every other pair of verdicts, of which it is proved that no request gets it.
        open: What was left open, in the policies' words, where something is neither shown nor ruled out.
        added, removed: The action is governed by one of them alone.
        silent: Changed rules that change no decision, and why.
        reach: How far the agent goes by itself, for each argument whose bound was changed.
    """

    action: str
    changes: tuple[Change, ...] = ()
    ruled_out: tuple[tuple[Verdict, Verdict], ...] = ()
    open: tuple[str, ...] = ()
    added: bool = False
    removed: bool = False
    silent: tuple[Silent, ...] = ()
    reach: tuple[Reach, ...] = ()

    @property
    def direction(self) -> Direction:
        """Which way it goes in all; something that was left open may go either way."""
        found = {change.direction for change in self.changes}
        if self.added or self.removed:
            found.add(Direction.LOOSER if self.added else Direction.TIGHTER)
        if not found:
            return Direction.MIXED if self.open else Direction.SAME
        return found.pop() if len(found) == 1 and not self.open else Direction.MIXED


def compare(old: Bundle, new: Bundle, said: Sequence[Difference] = ()) -> Iterator[Comparison]:
    """Yield what changes for each action that either governs, sorted by name.

    Args:
        old: The policies before.
        new: The policies after.
        said: What they say otherwise: of these rules and arguments it is shown what becomes of them.
    """
    for action in sorted({*old.actions(), *new.actions()}):
        if not new.governing(action) or not old.governing(action):
            yield Comparison(action, added=not old.governing(action), removed=not new.governing(action))
        elif _digests(old, action) == _digests(new, action):
            yield Comparison(action, ruled_out=tuple(permutations(VERDICTS, 2)))
        else:
            yield _Compared(old, new, action).comparison(said)


def _digests(bundle: Bundle, action: str) -> list[str]:
    return [policy.digest for policy in bundle.governing(action)]


class _Compared:
    """Two bundles about one action."""

    def __init__(self, old: Bundle, new: Bundle, action: str) -> None:
        self.old, self.new, self.action = old, new, action
        self.before, self.after = plan_action(old, action), plan_action(new, action)
        self.routes = tuple(_reroutes(old, new, self.before, self.after))
        self.left: set[str] = set(_retyped(self.before, self.after))
        self.search = Search(self.before, self.after) if not self.left else None

    def comparison(self, said: Sequence[Difference]) -> Comparison:
        """Return everything that changes."""
        if self.search is None:
            return Comparison(self.action, open=tuple(sorted(self.left)))
        changes: list[Change] = []
        ruled_out: list[tuple[Verdict, Verdict]] = []
        for pair in permutations(VERDICTS, 2):
            found = self._verdicts(pair)
            if found.proved:
                ruled_out.append(pair)
            elif found.examples:
                direction = Direction.LOOSER if pair[1] < pair[0] else Direction.TIGHTER
                before, after = found.examples
                changes.append(Change(self.action, *pair, before, after, direction))
            else:
                self.left.update(found.loose or ("the solver could not tell",))
        changes += self._routes()
        silent = tuple(self._silent(self.search, said, changed=bool(changes)))
        reach = tuple(self._reach(said)) if changes else ()
        open_ = tuple(sorted(self.left))
        return Comparison(self.action, tuple(changes), tuple(ruled_out), open_, silent=silent, reach=reach)

    def _find(self, wanted: Wanted, confirm: Confirm) -> Found:
        assert self.search is not None  # noqa: S101 - who asks has seen to it
        return self.search.find(wanted, confirm)

    def _shown(self, wanted: Wanted, confirm: Confirm) -> Found:
        """Look for a request to show: one of an agent, where all is known, if there is such a one."""
        found = self._find(wanted, confirm)
        if not found.examples:
            return found
        plain = self._find(lambda old, new: all_of((wanted(old, new), *_plain(old), *_plain(new))), confirm)
        return plain if plain.examples else found

    def _verdicts(self, pair: tuple[Verdict, Verdict]) -> Found:
        return self._shown(
            lambda old, new: all_of((old.verdicts[pair[0]], new.verdicts[pair[1]])),
            lambda before, after: (before.decision.verdict, after.decision.verdict) == pair,
        )

    def _routes(self) -> Iterator[Change]:
        """Yield what is escalated as before, and to another route of some file."""
        if not self.routes or self._find(self._rerouted, _any).proved:
            return
        for item in self.routes:
            found = self._shown(
                lambda old, new, item=item: _rerouted(old, new, item),
                lambda before, after, item=item: (
                    (_route_of(before.decision, item.files[0]), _route_of(after.decision, item.files[1]))
                    == item.qualified
                ),
            )
            if found.examples:
                before, after = found.examples
                direction = self._strength(item)
                yield Change(self.action, Verdict.ESCALATE, Verdict.ESCALATE, before, after, direction, item.qualified)
            elif not found.proved:
                self.left.update(found.loose or ("the solver could not tell",))

    def _rerouted(self, old: Requests, new: Requests) -> Truth:
        return any_of(_rerouted(old, new, item) for item in self.routes)

    def _decided_otherwise(self, old: Requests, new: Requests) -> Truth:
        verdicts = (all_of((old.verdicts[verdict], no(new.verdicts[verdict]))) for verdict in VERDICTS)
        return any_of((*verdicts, self._rerouted(old, new)))

    def _strength(self, item: _Reroute) -> Direction:
        """Return which way another route goes, as the file orders them that was in force, if it does so still."""
        if not item.was or not item.now:
            return Direction.TIGHTER if item.now else Direction.LOOSER
        before, after = (_routes(bundle, file) for bundle, file in zip((self.old, self.new), item.files, strict=True))
        orders = {
            routes[item.now].strength > routes[item.was].strength
            for routes in (before, after)
            if item.was in routes and item.now in routes
        }
        if item.now not in before or len(orders) != 1:
            return Direction.MIXED
        return Direction.TIGHTER if orders.pop() else Direction.LOOSER

    def _silent(self, search: Search, said: Sequence[Difference], *, changed: bool) -> Iterator[Silent]:
        """Yield the changed rules by which no decision changes."""
        named = dict.fromkeys(f"{item.policy}/{item.id}" for item in said if item.part == "rule")
        known = [
            name
            for name in named
            if name in search.requests.said
            or any(name == rule.id for file in self.after.enforced for rule in file.rules)
        ]
        for rule in known[:MOST_EXPLAINED]:
            if (
                not changed
                or self._find(
                    lambda old, new, rule=rule: all_of(
                        (_speaks_otherwise(old, new, rule), self._decided_otherwise(old, new))
                    ),
                    _any,
                ).proved
            ):
                yield self._why_silent(rule)

    def _why_silent(self, rule: str) -> Silent:
        found = Found((), True)
        for verdict in VERDICTS:  # the mildest is the most telling: there least else speaks
            found = self._shown(
                lambda old, new, verdict=verdict: all_of((_speaks_otherwise(old, new, rule), new.verdicts[verdict])),
                lambda before, after: before.decision.verdict is after.decision.verdict,
            )
            if found.examples:
                break
        if not found.examples:
            return Silent(rule)
        before, after = found.examples
        decision = after.decision
        still = [item.source for item in decision.reasons if item.verdict is decision.verdict and item.source != rule]
        for source in still:
            if self._find(
                lambda old, new, source=source: all_of((_speaks_otherwise(old, new, rule), no(_asks(new, source)))),
                _any,
            ).proved:
                return Silent(rule, before, after, (source,), always=True)
        return Silent(rule, before, after, tuple(dict.fromkeys(still)))

    def _reach(self, said: Sequence[Difference]) -> Iterator[Reach]:
        """Yield how far the agent goes by itself, for what is compared otherwise."""
        for name in dict.fromkeys(item.argument for item in said):
            if name not in self.before.asked or name not in self.after.asked or not self._is_number(name):
                continue
            old, new = (largest_of(plan, name, Verdict.ALLOW) for plan in (self.before, self.after))
            if old.value != new.value and old.value is not None and new.value is not None:
                yield Reach(name, old, new, old.exact and new.exact and self._only_between(name, old, new))

    def _is_number(self, name: str) -> bool:
        assert self.search is not None  # noqa: S101 - who asks has seen to it
        return isinstance(self.search.requests.translation.slot(name).value, Number | Amount)

    def _only_between(self, name: str, old: Largest, new: Largest) -> bool:
        def outside(before: Requests, after: Requests) -> Truth:
            """Return that a request is decided otherwise whose value is not between both."""
            value = before.translation.slot(name).value
            ends = [before.translation.constant(end.value) for end in (old, new) if end.value is not None]
            number, low, high = (item.minor if isinstance(item, Amount) else item for item in (value, *ends))
            assert isinstance(number, Number) and isinstance(low, Number) and isinstance(high, Number)  # noqa: S101, PT018 - it is a number
            beyond = [number.compared("<=", low), number.compared("<=", high)]
            return all_of((self._decided_otherwise(before, after), any_of((all_of(beyond), no(any_of(beyond))))))

        return self._find(outside, _any).proved


def _any(*_examples: Example) -> bool:
    return True


def _speaks_otherwise(old: Requests, new: Requests, rule: str) -> Truth:
    """Return that a rule asks for a verdict in one version alone, or for another one."""
    one, two = _asks(old, rule), _asks(new, rule)
    said = [requests.said[rule].then for requests in (old, new) if rule in requests.said]
    if len(set(said)) > 1:
        return any_of((one, two))
    return any_of((all_of((one, no(two))), all_of((two, no(one)))))


def _plain(requests: Requests) -> Iterator[Truth]:
    """Yield what makes a request an ordinary one: an agent asks, for somebody, and every lookup works."""
    environment = requests.translation.environment
    kind = environment["agent.kind"].value
    if isinstance(kind, Code):
        yield kind.code == requests.lexicon.code(ActorKind.AGENT)
    yield from (slot.known for slot in environment.values())


def _asks(requests: Requests, source: str) -> Truth:
    return any_of(asks.when for asks in requests.asks if asks.source == source)


def _reroutes(old: Bundle, new: Bundle, before: Plan, after: Plan) -> Iterator[_Reroute]:
    """Yield for each file each two routes that it may ask for; one that is in one version alone asks for none there."""
    was, now = ({file.policy.name: [*file.policy.routes] for file in plan.enforced} for plan in (before, after))
    several = len(was) > 1 or len(now) > 1
    for one, two in pairs(old, new):
        files = ("" if one is None else one.name, "" if two is None else two.name)
        routes, others = was.get(files[0], []), now.get(files[1], [])
        for route in (*routes, *[""] * (several or not routes)):
            for other in (*others, *[""] * (several or not others)):
                if route != other:
                    yield _Reroute(files, route, other)


def _routes(bundle: Bundle, file: str) -> Mapping[str, Route]:
    return next((policy.routes for policy in bundle.policies if policy.name == file), {})


def _rerouted(old: Requests, new: Requests, item: _Reroute) -> Truth:
    escalates = (requests.verdicts[Verdict.ESCALATE] for requests in (old, new))
    return all_of((*escalates, _asks_for(old, item.files[0], item.was), _asks_for(new, item.files[1], item.now)))


def _asks_for(requests: Requests, policy: str, route: str) -> Truth:
    """Return that a route is the strongest that a file asks for; that it asks for none where it is empty."""
    asks = [item for item in requests.asks if item.policy.name == policy and item.then.verdict is Verdict.ESCALATE]
    routes = next((item.policy.routes for item in asks), {})
    least = routes[route].strength if route in routes else -1
    stronger = [item.when for item in asks if routes[item.then.route or ""].strength > least]
    here = any_of(item.when for item in asks if item.then.route == route) if route else True
    return all_of((here, no(any_of(stronger))))


def _qualified(policy: str, route: str) -> str:
    return f"{policy}/{route}" if route else ""


def _route_of(decision: Decision, policy: str) -> str:
    return next((item.id for item in decision.routes if item.id.partition("/")[0] == policy), "")


def _retyped(before: Plan, after: Plan) -> tuple[str, ...]:
    """Return what has another type now, so that no request is one to both."""
    old, new = ({**plan.arguments, **plan.facts, **plan.context} for plan in (before, after))
    shared = sorted(old.keys() & new.keys())
    return tuple(f"`{name}` has another type" for name in shared if type(old[name].type) is not type(new[name].type))
