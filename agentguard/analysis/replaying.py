"""The recorded past under other policies: each request decided again, with limits as they would have stood.

What counts on an account is what the record says (or what the replay counted itself, for a limit that was not there),
plus what differs: an action that is denied now frees what it used, one that is allowed now and was not uses it at once.
What waits for people now counts as it was: done if it was done. So a policy replayed over its own past changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import orjson

from agentguard.analysis.replaying_ledger import Ledger, named
from agentguard.core.counting import identity_of
from agentguard.core.decide import decide
from agentguard.core.decision import Decision
from agentguard.core.digest import encode
from agentguard.core.language import UNKNOWN, Value
from agentguard.core.limits import AccountNeed
from agentguard.core.money import Money
from agentguard.core.needs import Needs, RequirementNeed, needs_of
from agentguard.core.plan import Environment, Plan, environment, plan_action
from agentguard.core.policy import Bundle, Verdict, Window, WindowKind
from agentguard.core.request import Evidence, Fact, Request, Usage
from agentguard.errors import EvaluationError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CALENDAR = {"day": 2, "week": 8, "month": 32, "year": 367}
_SURE = frozenset({"rule_matched", "limit_exceeded", "requirement_missing", "action_unknown"})
NO_YES = "nobody asked the customer for this yes then"

_Moves = tuple[tuple[bytes, str, int, int | None], ...]
"""What an action counts: the account, the limit, how much, and how long a posting counts (None for ever)."""


@dataclass(frozen=True, slots=True)
class Past:
    """One request of the past as far as other policies can know it.

    Attributes:
        place: Where it stands: the entry of the log, or the line of the file.
        unknown: By full name that the policies read: why its value is not known.
        permitted: It began at once. `waits` says that it waited for people; neither means that it was refused.
        verdict, sources: What was decided then, and what decided it.
        usage, history: By ids of the policies replayed: what the record says. A limit or requirement that is not here
            was not there then.
    """

    place: int
    action_id: str
    customer: str
    request: Request
    facts: Mapping[str, Fact]
    now: datetime
    verdict: Verdict
    sources: tuple[str, ...] = ()
    permitted: bool = False
    waits: bool = False
    unknown: Mapping[str, str] = field(default_factory=dict)
    usage: Mapping[str, Usage] = field(default_factory=dict)
    history: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A request of the past as other policies decide it.

    Attributes:
        missing: What would have had to be known to say; empty where the verdict is certain.
        worth: The money it is about; None where there is none, or it cannot be known.
    """

    decision: Decision
    missing: Mapping[str, str]
    worth: Money | None


@dataclass(slots=True)
class _Flight:
    """An action whose end still moves something.

    Attributes:
        moves, counted: What it counts on any account, and on those that the replay counts itself.
        undone: It does not happen in the replay, or happened earlier: what it did then is taken off again.
    """

    past: Past
    moves: _Moves
    counted: _Moves
    undone: bool
    holds: bool = False


class Replay:
    """Policies that decide the past again, in the order in which it happened."""

    def __init__(self, bundle: Bundle, recomputed: Iterable[str] = (), remembered: Iterable[str] = ()) -> None:
        """Begin with nothing counted.

        Args:
            bundle: The policies.
            recomputed: Qualified ids of the limits that were not there in some of the past.
            remembered: The same of requirements.
        """
        self.bundle = bundle
        self._plans: dict[str, Plan] = {}
        self.recomputed, self.remembered = frozenset(recomputed), frozenset(remembered)
        self._happened, self._differs = Ledger(), Ledger()
        self._flights: dict[str, _Flight] = {}
        self._keep = _kept(bundle)
        self._asked = _asked(bundle)
        self._seen: dict[bytes, tuple[int, int]] = {}
        self._more: dict[bytes, tuple[int, int]] = {}
        self._gone: set[int] = set()

    @property
    def reach(self) -> timedelta | None:
        """How far back something counts that the replay has to count itself; None for ever."""
        found = [self._keep[limit] for limit in self.recomputed]
        forever = None in found or self.remembered
        return None if forever else timedelta(microseconds=max((item or 0 for item in found), default=0))

    def plan(self, action: str) -> Plan:
        """Return what governs an action."""
        found = self._plans.get(action)
        if found is None:
            found = self._plans[action] = plan_action(self.bundle, action)
        return found

    def follows(self, action_id: str) -> bool:
        """Return whether what becomes of an action matters to the replay."""
        return action_id in self._flights

    def decide(self, past: Past) -> Replayed:
        """Return what the policies decide about a request, with what is counted at this point of the replay."""
        plan = self.plan(past.request.action)
        values = environment(plan, past.request, past.facts, past.now, past.unknown)
        wanted = needs_of(plan, past.request, values, past.now) if plan.counts else Needs({}, {}, values)
        missing = {name: why for name, why in past.unknown.items() if name not in plan.segments}
        usage = {name: found for name, need in wanted.accounts.items() if (found := self._usage(need, past))}
        history = {}
        for name, item in wanted.requirements.items():
            if name in past.history or item.action is not None:
                history[name] = self._entry(item, past)
            else:
                missing[name] = NO_YES
        decision = decide(plan, past.request, Evidence(past.facts, usage, history, past.now), wanted)
        open_ = missing if missing and not _certain(decision) else {}
        return Replayed(decision, open_, _worth(plan, values))

    def follow(self, past: Past, replayed: Replayed) -> None:
        """Count what differs, and what has to be counted, from now until the action ends."""
        verdict = past.verdict if replayed.missing else replayed.decision.verdict
        at = microseconds(past.now)
        moves = self._moves(replayed.decision)
        sooner = verdict is Verdict.ALLOW and not past.permitted
        if sooner:
            self._post(self._differs, moves, at, 1)
            self._remember(self._more, past.request, at, past.place)
        if not past.permitted and not past.waits:
            return
        # What was only observed was done whatever its verdict says.
        undone = sooner or (verdict is Verdict.DENY and not replayed.missing)
        if undone or self._matters(past.request.action, replayed.decision):
            flight = self._flights[past.action_id] = _Flight(past, moves, self._counted(moves), undone)
            if past.permitted:
                self._begin(flight)

    def merely(self, past: Past) -> None:
        """Count what happened before the time that is looked at, and decide nothing else."""
        if past.permitted or past.waits:
            self.follow(past, replace(self.decide(past), missing={"": ""}))

    def began(self, action_id: str) -> None:
        """Say that an action that waited began."""
        flight = self._flights.get(action_id)
        if flight is not None and not flight.holds:
            self._begin(flight)

    def settled(self, action_id: str, at: int, place: int, real: Mapping[str, Value] | None = None) -> None:
        """Say that an action was done, when in microseconds; `real` are arguments that were really others."""
        flight = self._flights.pop(action_id, None)
        if flight is None:
            return
        self._give_back(flight)
        request = flight.past.request
        if real:
            request = replace(request, arguments={**request.arguments, **real})
            flight.moves = self._really(flight, request)
            flight.counted = self._counted(flight.moves)
        self._post(self._happened, flight.counted, at, 1)
        self._remember(self._seen, request, at, place)
        if flight.undone:
            self._post(self._differs, flight.moves, at, -1)
            self._gone.add(place)

    def released(self, action_id: str) -> None:
        """Say that an action was not done after all."""
        flight = self._flights.pop(action_id, None)
        if flight is not None:
            self._give_back(flight)

    def recorded(self, past: Past, at: datetime) -> None:
        """Count what a person or another system did: no policy decides about it, and it happened all the same."""
        action = past.request.action
        if action in self._asked or any(self._is_recomputed(item.id) for item in self._limits(action)):
            found = self.decide(past)
            self._post(self._happened, self._counted(self._moves(found.decision)), microseconds(at), 1)
            self._remember(self._seen, past.request, microseconds(at), past.place)

    def _limits(self, action: str) -> Iterator[Any]:
        return (limit for file in self.plan(action).enforced for limit in file.limits)

    def _is_recomputed(self, limit: str) -> bool:
        return limit in self.recomputed

    def _matters(self, action: str, decision: Decision) -> bool:
        return action in self._asked or any(self._is_recomputed(check.limit) for check in decision.limits)

    def _usage(self, need: AccountNeed, past: Past) -> Usage | None:
        start = None if need.window_start is None else microseconds(need.window_start) + (0 if need.inclusive else 1)
        told, name = past.usage.get(need.limit), named(need.account)
        if told is None and not self._is_recomputed(need.limit):
            return None
        held, settled = self._happened.usage(name, start) if told is None else (told.held, told.settled)
        if self._differs:
            more_held, more_settled = self._differs.usage(name, start)
            held, settled = held + more_held, settled + more_settled
        return Usage(max(0, held), max(0, settled))

    def _entry(self, need: RequirementNeed, past: Past) -> int | None:
        if need.action is None:
            return past.history[need.requirement]
        since = None if need.since is None else microseconds(need.since)
        name = _remembered(past.request.tenant, need.action, need.values)
        told = past.history.get(need.requirement)
        if told is not None and told not in self._gone:
            return told
        known = self._seen.get(name) if need.requirement not in past.history else None
        for found in (known, self._more.get(name)):
            if found is not None and (since is None or found[0] >= since) and found[1] not in self._gone:
                return found[1]
        return None

    def _moves(self, decision: Decision) -> _Moves:
        checks = {check.account: check for check in decision.limits if check.account}
        return tuple(
            [(named(name), check.limit, check.amount, self._keep[check.limit]) for name, check in checks.items()]
        )

    def _counted(self, moves: _Moves) -> _Moves:
        recomputed = self.recomputed
        return tuple([item for item in moves if item[1] in recomputed]) if recomputed else ()

    def _really(self, flight: _Flight, request: Request) -> _Moves:
        plan, past = self.plan(request.action), flight.past
        found = needs_of(plan, request, environment(plan, request, past.facts, past.now, past.unknown), past.now)
        real = {named(need.account): need.amount for need in found.accounts.values()}
        return tuple((name, limit, real.get(name, amount), keep) for name, limit, amount, keep in flight.moves)

    def _begin(self, flight: _Flight) -> None:
        flight.holds = True
        self._hold(flight, 1)

    def _give_back(self, flight: _Flight) -> None:
        if flight.holds:
            self._hold(flight, -1)

    def _hold(self, flight: _Flight, sign: int) -> None:
        for name, _, amount, keep in flight.counted:
            self._happened.hold(name, sign * amount, keep)
        for name, _, amount, keep in flight.moves if flight.undone else ():
            self._differs.hold(name, -sign * amount, keep)

    def _post(self, ledger: Ledger, moves: _Moves, at: int, sign: int) -> None:
        for name, _, amount, keep in moves:
            ledger.post(name, at, sign * amount, keep)

    def _remember(self, where: dict[bytes, tuple[int, int]], request: Request, at: int, place: int) -> None:
        if request.action not in self._asked or (where is self._seen and not self.remembered):
            return
        told = {**request.arguments, **request.context}
        told |= {"on_behalf_of": request.on_behalf_of, "agent.id": request.actor.id}
        for names in self._asked[request.action]:
            if all(name in told for name in names):
                values = {name: encode(told[name]) for name in names}
                where[_remembered(request.tenant, request.action, values)] = at, place


def microseconds(at: datetime) -> int:
    """Return an instant in microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def _remembered(tenant: str, action: str, values: Mapping[str, Any]) -> bytes:
    text = orjson.dumps([tenant, action, dict(values)], option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=16).digest()


def _certain(decision: Decision) -> bool:
    """Return whether what could not be evaluated cannot have changed the verdict: there was none, or a rule denies.

    That no rule matched is no such denial: one that could not be evaluated may have.
    """
    failed = any(reason.code == "cannot_evaluate" for reason in decision.reasons)
    return not failed or any(reason.verdict is Verdict.DENY and reason.code in _SURE for reason in decision.reasons)


def _worth(plan: Plan, values: Environment) -> Money | None:
    """Return the money that a request is about: its first argument that is money, or what a limit sums of it."""
    for name in plan.arguments:
        value = values.get(name)
        if value is not UNKNOWN and isinstance(value, Money):
            return value
    for file in plan.files:
        for limit in file.limits:
            try:
                found = None if limit.measure is None else limit.measure(values)
            except EvaluationError:
                continue  # what it is about cannot be known, and the verdict says that already
            if isinstance(found, Money):
                return found
    return None


def _kept(bundle: Bundle) -> dict[str, int | None]:
    """Return how long a posting counts for each limit: as long as for the longest that shares its account."""
    longest: dict[str, list[int | None]] = {}
    names: dict[str, str] = {}
    for policy in bundle.policies:
        for limit in policy.limits:
            identity = names[policy.qualified(limit.id)] = identity_of(limit)
            longest.setdefault(identity, []).append(_reach(limit.window))
    kept = {
        identity: None if None in found else max(item for item in found if item is not None)
        for identity, found in longest.items()
    }
    return {name: kept[identity] for name, identity in names.items()}


def _reach(window: Window) -> int | None:
    if window.kind is WindowKind.SLIDING and window.size is not None:
        return window.size // _MICROSECOND
    if window.kind is WindowKind.CALENDAR and window.unit is not None:
        return timedelta(days=_CALENDAR[window.unit]) // _MICROSECOND
    return None


def _asked(bundle: Bundle) -> dict[str, frozenset[tuple[str, ...]]]:
    found: dict[str, frozenset[tuple[str, ...]]] = {}
    for requirement in (item for policy in bundle.policies for item in policy.requires):
        if requirement.action is not None:
            names = tuple(sorted(requirement.same))
            found[requirement.action] = found.get(requirement.action, frozenset()) | {names}
    return found
