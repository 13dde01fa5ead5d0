"""Entries of the past as other policies can know them: values of then in the types of now, and what is missing named.

Nothing is guessed: what was not recorded, was erased, or does not fit what is declared now is unknown. What the other
policies do not read is left out, so that nothing is unsealed that nobody looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from agentguard.analysis.replaying import Past
from agentguard.core.counting import identity_of
from agentguard.core.digest import decode
from agentguard.core.entry import place_of
from agentguard.core.language import Declared, Money, Text, Type, Value, conform
from agentguard.core.language import Time as TimeType
from agentguard.core.plan import Plan, PlannedLimit, PlannedRequirement, names_read
from agentguard.core.policy import Bundle, Verdict
from agentguard.core.request import Actor, ActorKind, Fact, FactStatus, Request, Usage
from agentguard.engine.asking import CUSTOMARY_CONTEXT
from agentguard.errors import ConformError

CUSTOMER = "on_behalf_of"
NOT_ASKED = "it was not among what the agent was asked for then"
NOT_TOLD = "it was not recorded then"
NOT_LOOKED_UP = "it was not looked up then"
ERASED = "it was erased, or its key is not here"
OTHER_TYPE = "what was recorded is of another type than now"

_VALUE = FactStatus.VALUE
_GIVEN = FactStatus("value"), FactStatus("absent"), FactStatus("failed")
_STATUS = {str(status): status for status in _GIVEN}
_BARE = {status: Fact(status) for status in _GIVEN}
_VERDICTS = {str(verdict): verdict for verdict in Verdict}
PERMITTED = frozenset({"executing", "ready"})

Unsealed = Callable[[str, str, str], Any]
"""From an action, a place and a digest to a sealed value's JSON; None where it cannot be opened."""

_Read = tuple[str, str, Type, Type | None]


@dataclass(frozen=True, slots=True)
class Lens:
    """What the entries of one action under some policies of then say to some policies of now.

    Attributes:
        arguments, context, facts: What is read: its name, its place, its type then, and now where that is another.
        unknown: What is read and was never recorded.
        limits, requirements: By id of now the id of then, for those that are the same.
        customer: Whether anything depends on who the customer is.
    """

    now: Plan
    arguments: tuple[_Read, ...]
    context: tuple[_Read, ...]
    facts: tuple[_Read, ...]
    unknown: Mapping[str, str]
    limits: Mapping[str, str]
    requirements: Mapping[str, str]
    customer: bool
    unsealed: Unsealed = field(repr=False)
    customer_of: Callable[[str], str | None] = field(repr=False)

    def past(self, place: int, body: Mapping[str, Any]) -> Past:
        """Return what a `decided` or `recorded` entry says, as far as it matters now."""
        unknown = dict(self.unknown)
        now = instant(body["now"] if "now" in body else body["happened_at"])
        pseudonym = body[CUSTOMER]
        customer = pseudonym
        if self.customer and pseudonym:
            customer = self.customer_of(pseudonym)
            if customer is None:
                customer, unknown[CUSTOMER] = pseudonym, ERASED
        request = Request(
            tenant=body["tenant"],
            actor=_actor(**body["actor"]),
            on_behalf_of=customer,
            action=body["action"],
            arguments=self._values(self.arguments, body["arguments"], body, unknown),
            context=self._values(self.context, body["context"], body, unknown),
            key=body["key"] or "",
            asked_at=instant(body["asked_at"]),
        )
        facts = self._facts(body, now, unknown)
        decided = body["kind"] == "decided"
        usage, history = (body["usage"], body["history"]) if decided else ({}, {})
        verdict = body["verdict"] if decided else "allow"
        state = body["state"]
        return Past(
            place=place,
            action_id=body["action_id"],
            customer=pseudonym,
            request=request,
            facts=facts,
            now=now,
            verdict=_VERDICTS[verdict],
            sources=deciding(body["reasons"], verdict) if decided else (),
            permitted=state in PERMITTED,
            waits=state == "waiting",
            unknown=unknown,
            usage={new: _usage(usage[old]) for new, old in self.limits.items() if old in usage},
            history={new: history[old] for new, old in self.requirements.items() if old in history},
        )

    def real(self, body: Mapping[str, Any]) -> dict[str, Value]:
        """Return the arguments that were really others, as the entry says that settled the action."""
        told = body.get("real_values") or {}
        return self._values(tuple(item for item in self.arguments if item[0] in told), told, body, {})

    def _values(
        self, wanted: tuple[_Read, ...], told: Mapping[str, Any], body: Mapping[str, Any], unknown: dict[str, str]
    ) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for name, place, then, now in wanted:
            if name in told:
                item = told[name]
                if type(item) is str and now is None and type(then) is Text:
                    values[name] = item
                    continue
                value = self._value(place, then, now, item, body)
                if isinstance(value, _Missing):
                    unknown[name] = value.why
                else:
                    values[name] = value
        return values

    def _facts(self, body: Mapping[str, Any], at: datetime, unknown: dict[str, str]) -> dict[str, Fact]:
        facts: dict[str, Fact] = {}
        told = body["facts"]
        for name, place, then, now in self.facts:
            item = told.get(name)
            if item is None:
                unknown[name] = NOT_LOOKED_UP
                continue
            status = _STATUS[item["status"]]
            if status is not _VALUE:
                facts[name] = _BARE[status]
                continue
            longest = self.now.facts[name].max_age
            if longest is not None and item["read_at"] is not None and at - instant(item["read_at"]) > longest:
                facts[name] = _BARE[FactStatus.ABSENT]
                continue
            value = self._value(place, then, now, item["value"], body)
            if isinstance(value, _Missing):
                unknown[name] = value.why
            else:
                facts[name] = Fact(_VALUE, value)
        return facts

    def _value(self, place: str, then: Type, now: Type | None, item: Any, body: Mapping[str, Any]) -> Value | _Missing:
        if type(item) is dict and item.keys() == {"sealed"}:
            item = self.unsealed(body["action_id"], place, item["sealed"])
            if item is None:
                return _Missing(ERASED)
        try:
            value = _instant(item) if type(then) is TimeType else decode(then, item)
            return value if now is None else conform(now, value)
        except ConformError:
            return _Missing(OTHER_TYPE)


@dataclass(frozen=True, slots=True)
class _Missing:
    """Why a value cannot be known."""

    why: str


def lens_of(
    then: Plan, now: Plan, read: frozenset[str], unsealed: Unsealed, customer_of: Callable[[str], str | None]
) -> Lens:
    """Return how entries of an action under some policies are read for others; `read` is what `names_needed` gave."""
    unknown: dict[str, str] = {}
    money = {name for name, declared in now.arguments.items() if type(declared.type) is Money}
    told = then.context.keys() | CUSTOMARY_CONTEXT
    customary = {name: declared for name, declared in now.context.items() if name in told}
    return Lens(
        now=now,
        arguments=_wanted("arguments", now.asked, then.asked, read | money, unknown, NOT_ASKED),
        context=_wanted("context", now.context, {**customary, **then.context}, read, unknown, NOT_TOLD),
        facts=_wanted("facts", now.facts, then.facts, read, unknown, NOT_LOOKED_UP),
        unknown={name: why for name, why in unknown.items() if name in read},
        limits={
            mine.id: theirs.id
            for mine in _limits(now)
            for theirs in _limits(then, enforced=True)
            if _same_limit(mine, theirs)
        },
        requirements={
            mine.id: theirs.id for mine in _required(now) for theirs in _required(then) if _same_required(mine, theirs)
        },
        customer=CUSTOMER in read,
        unsealed=unsealed,
        customer_of=customer_of,
    )


def names_needed(bundle: Bundle, action: str) -> frozenset[str]:
    """Return what deciding an action reads, and what others' requirements and limits need to know of it."""
    required = [item for policy in bundle.policies for item in policy.requires]
    asked = [frozenset(item.same) for item in required if item.action == action]
    read = [names_read(policy, action) for policy in bundle.governing(action)]
    # Two actions that are compared by their customer must both know them by the same name.
    everybody = any(CUSTOMER in names_read(policy, other) for policy in bundle.policies for other in policy.actions)
    return frozenset[str]({CUSTOMER} if everybody else ()).union(*asked, *read)


def _wanted(
    kind: str,
    now: Mapping[str, Declared],
    then: Mapping[str, Declared],
    read: frozenset[str] | set[str],
    unknown: dict[str, str],
    why: str,
) -> tuple[_Read, ...]:
    wanted: list[_Read] = []
    for name, declared in now.items():
        if name not in then:
            unknown[name] = why
        elif name in read:
            was = then[name].type
            wanted.append((name, place_of(kind, name), was, None if was == declared.type else declared.type))
    return tuple(wanted)


def _limits(plan: Plan, *, enforced: bool = False) -> list[PlannedLimit]:
    return [limit for file in (plan.enforced if enforced else plan.files) for limit in file.limits]


def _required(plan: Plan) -> list[PlannedRequirement]:
    return [item for file in plan.files for item in file.requires]


def _same_limit(mine: PlannedLimit, theirs: PlannedLimit) -> bool:
    """Return whether what the record says of a limit is what another one would have found."""
    same_window = mine.limit.window == theirs.limit.window and mine.policy.zone == theirs.policy.zone
    return same_window and identity_of(mine.limit) == identity_of(theirs.limit)


def _same_required(mine: PlannedRequirement, theirs: PlannedRequirement) -> bool:
    one, two = mine.requirement, theirs.requirement
    return (one.action, tuple(one.same), one.within) == (two.action, tuple(two.same), two.within)


def deciding(reasons: list[Mapping[str, Any]], verdict: str) -> tuple[str, ...]:
    """Return which rules, limits and requirements decided, as an entry names them."""
    return tuple(reason["source"] for reason in reasons if reason["verdict"] == verdict)


def instant(text: str) -> datetime:
    """Return an instant as entries write it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _instant(item: Any) -> datetime:
    try:
        return instant(item)
    except (TypeError, ValueError) as error:
        raise ConformError("not_decodable", f"expected a time, got `{item!r:.80}`") from error


def _usage(told: Mapping[str, int]) -> Usage:
    return Usage(told["held"], told["settled"])


@lru_cache(maxsize=1024)
def _actor(
    id: str,
    version: str | None,
    model: str | None,
    prompt_digest: str | None,
    tools_digest: str | None,
    kind: str,
    operator: str | None,
) -> Actor:
    return Actor(id, version, model, prompt_digest, tools_digest, ActorKind(kind), operator)
