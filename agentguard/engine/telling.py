"""A deed as it is understood: made canonical under the policies in force, with what each limit counts of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agentguard.core.arguments import canonical_arguments
from agentguard.core.beside import Beside
from agentguard.core.canary import InForce
from agentguard.core.counting import PastAction, counted, names_read, past_values
from agentguard.core.digest import encode, time_text
from agentguard.core.language import Value
from agentguard.core.limits import AccountNeed, maximum
from agentguard.core.plan import Environment, Plan, PlannedLimit
from agentguard.core.request import FOR_PEOPLE, Fact, FactStatus
from agentguard.engine.asking import CUSTOMARY_CONTEXT, Ask, ask, seal_facts
from agentguard.engine.counting_beside import NOTHING, CountedBeside, counted_beside
from agentguard.engine.deeds import Deed, Recorded, recorded_from
from agentguard.engine.drive import gathered
from agentguard.engine.parts import Parts
from agentguard.engine.registry import Registry
from agentguard.engine.steps import Gather
from agentguard.errors import ConformError, EvaluationError, KeyConflictError, TamperedError, UsageError
from agentguard.store import Reading
from agentguard.store.records import Sealed

NOBODY = ""
"""The agent in the row of a recorded action: no agent asked for it, so that its key is the source's alone."""
AHEAD = timedelta(seconds=30)
"""How far a host's clock may be ahead of the ledger's, before what it tells is in the future."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One limit that counts a deed; `most` is None where its max cannot be evaluated."""

    planned: PlannedLimit
    need: AccountNeed
    account: str
    most: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """A deed made canonical.

    Attributes:
        plan: What governs the action, whatever of it was told.
        digest: Keyed digest of what was told: the same key with another one is a conflict.
        real: Computed arguments that the host gave.
        in_force: What decides, for this customer and for others.
        other: What the version of a canary that does not decide for this customer counts.
        before: What came of it, where it is recorded already; the rest is then empty.
        values: What limits read of it.
    """

    deed: Deed
    ask: Ask
    plan: Plan
    digest: str
    real: Mapping[str, Value]
    in_force: InForce
    other: Beside | None
    before: Recorded | None
    facts: Mapping[str, Fact]
    sealed: Mapping[str, Sealed] = field(default_factory=dict)
    counts: tuple[Counted, ...] = ()
    uncounted: Mapping[str, str] = field(default_factory=dict)
    values: Environment = field(default_factory=dict)
    beside: CountedBeside = NOTHING


def understood(parts: Parts, deed: Deed, tenant: str) -> Told:
    """Return a deed with what each limit counts of it; what was not told is looked up.

    Raises:
        KeyConflictError: The source told something else under this key before.
        UsageError: It cannot be understood, or a limit cannot count it and the deed does not say `partly`.
    """
    told = parts.store.read(lambda reading: _canonical(parts, deed, tenant, reading))
    return told if told.before is not None else _with_counts(parts, told)


def recorded_before(reading: Reading, asked: Ask, deed: Deed, digest: str) -> Recorded | None:
    """Return what came of a deed that is recorded already, or None.

    Raises:
        KeyConflictError: The source told something else under this key.
    """
    found = reading.action_by_key(asked.request.tenant, NOBODY, deed.source, deed.key)
    if found is None:
        return None
    if found.request_digest != digest:
        raise KeyConflictError(
            f"expected the same deed again under the key `{deed.key}` of `{deed.source}`, got another one; what was "
            f"recorded is never changed: record what came after it under a key of its own"
        )
    written = reading.entry(found.decision_entry or 0)
    if written is None:
        raise TamperedError(f"expected the entry that recorded action `{found.id}`, got none")
    return recorded_from(written.document, written.pos, replayed=True)


def _canonical(parts: Parts, deed: Deed, tenant: str, reading: Reading) -> Told:
    parts.require_keys(reading)
    in_force = parts.force.standing(reading)
    bundle = parts.force.deciding(reading, tenant, deed.on_behalf_of)
    plan = parts.force.plan(bundle, deed.action)
    if not plan.files:
        known = ", ".join(bundle.actions()) or "none"
        raise UsageError(f"no policy in force declares `{deed.action[:100]}`; actions with a policy are: {known}")
    now = reading.now()
    if deed.moment > now + AHEAD:
        raise UsageError(
            f"expected `happened_at` in the past, got `{deed.moment.isoformat()}`, and it is only "
            f"`{now.isoformat(timespec='seconds')}`; record what has happened"
        )
    # What was done elsewhere was not called through our tool, so that its defaults say nothing of it.
    bare = replace(parts, registry=Registry())
    given = plan.computed.keys() & deed.arguments.keys() if isinstance(deed.arguments, Mapping) else frozenset[str]()
    asked_under = replace(
        plan,
        asked={**plan.asked, **{name: plan.arguments[name] for name in given}},
        computed={name: how for name, how in plan.computed.items() if name not in given},
    )
    known_context = parts.force.known_context(reading)
    asked = ask(bare, deed.proposal(tenant), asked_under, known_context, now=now, asked_at=deed.moment)
    if asked.faults:
        raise UsageError(f"`{deed.action}`: {'; '.join(str(fault) for fault in asked.faults)}")
    digest = _digest(parts, deed, asked)
    return Told(
        deed=deed,
        ask=asked,
        plan=plan,
        digest=digest,
        real={name: asked.request.arguments[name] for name in given},
        in_force=in_force,
        other=(other := parts.force.beside(reading, plan)),
        before=recorded_before(reading, asked, deed, digest),
        facts=_given_facts(deed, plan if other is None else other.looking, now),
    )


def _digest(parts: Parts, deed: Deed, asked: Ask) -> str:
    """Return what must be the same under the same key: the deed, whoever tells of it and whatever is looked up."""
    return parts.keyed_value(
        {
            "asked": asked.digest,
            "agent": "" if deed.agent is None else deed.actor.id,
            "context": {name: encode(value) for name, value in asked.request.context.items() if name not in FOR_PEOPLE},
            "happened_at": time_text(deed.moment),
            "relates_to": deed.relates_to,
            "external_reference": deed.external_reference,
        }
    )


def _given_facts(deed: Deed, plan: Plan, now: datetime) -> dict[str, Fact]:
    told = deed.facts or {}
    unknown = sorted(told.keys() - plan.facts.keys())
    if unknown:
        known = ", ".join(plan.facts) or "none"
        raise UsageError(f"no rule or limit of `{deed.action}` reads fact `{unknown[0]}`; what is read: {known}")
    given = {name: value for name, value in told.items() if value is not None}
    parsed = canonical_arguments({name: plan.facts[name] for name in given}, given)
    if parsed.faults:
        raise UsageError(f"fact {'; fact '.join(str(fault) for fault in parsed.faults)}")
    facts = {name: Fact(FactStatus.VALUE, value, deed.source, now) for name, value in parsed.values.items()}
    return {name: facts.get(name, Fact(FactStatus.ABSENT, None, deed.source, now)) for name in told}


def _with_counts(parts: Parts, told: Told) -> Told:
    plan, request = told.plan, told.ask.request
    limits = [planned for file in plan.enforced for planned in file.limits]
    looking = plan if told.other is None else told.other.looking
    beside = [] if told.other is None else [names_read(planned, told.other.plan) for planned in told.other.limits]
    wanted = _names(limits, plan).union(*beside) - told.facts.keys()
    known = {**gathered(parts, Gather(_looking_up(looking, wanted), request)), **told.facts}
    facts = {name: fact for name, fact in known.items() if name in plan.facts}
    past = PastAction(plan, request, facts, now=request.asked_at, real=told.real, told=CUSTOMARY_CONTEXT)
    values = past_values(plan, past)
    counts: list[Counted] = []
    uncounted: dict[str, str] = {}
    for planned in limits:
        try:
            need = counted(planned, past, values)
        except EvaluationError as error:
            uncounted[planned.id] = str(error)
            continue
        if need is not None:
            counts.append(Counted(planned, need, parts.keyed(need.account), _maximum(planned, need.unit, values)))
    if uncounted and not told.deed.partly:
        lost = "; ".join(f"limit `{name}` cannot count it: {why}" for name, why in uncounted.items())
        raise UsageError(f"{lost}; give what is missing under `facts` or `context`, or say `partly` to leave it out")
    sealed = {**told.ask.sealed, **seal_facts(parts, told.ask, facts)}
    return replace(
        told,
        facts=facts,
        sealed=sealed,
        counts=tuple(counts),
        uncounted=uncounted,
        values=values,
        beside=counted_beside(parts, told.other, request, known, request.asked_at, told.real),
    )


def _names(limits: Sequence[PlannedLimit], plan: Plan) -> frozenset[str]:
    """Return what counting, a max, and giving back read."""
    names = frozenset[str]().union(*(names_read(planned, plan) for planned in limits))
    others = [expression for planned in limits for expression in planned.limit.max.values()]
    freeing = [limit.freed_by.get(plan.action) for file in plan.enforced for limit in file.policy.limits]
    return names.union(*(expression.reads for expression in (*others, *freeing) if expression is not None))


def _looking_up(plan: Plan, names: frozenset[str]) -> Plan:
    """Return a plan that looks up only some of the facts it reads."""
    below = {root: {name: kind for name, kind in facts.items() if name in names} for root, facts in plan.roots.items()}
    roots = {root: facts for root, facts in below.items() if facts}
    return replace(plan, facts={name: kind for facts in roots.values() for name, kind in facts.items()}, roots=roots)


def _maximum(planned: PlannedLimit, unit: str, values: Environment) -> int | None:
    try:
        return maximum(planned, unit, values)
    except (EvaluationError, ConformError):
        return None
