"""Facts for one decision: which lookups to call, in which order, and what each fact then is.

A lookup that raises, is too late, or gives a value of another type makes its facts `failed`, which is not the same as
`absent` (law 9). What is older than a fact's `max_age` counts as missing; how old the future is nobody knows.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from agentguard.core.language import Declared, conform
from agentguard.core.plan import Plan
from agentguard.core.request import Fact, FactStatus, Request
from agentguard.engine.machine import Clock
from agentguard.engine.registry import Lookup
from agentguard.errors import ConformError
from agentguard.log import get_logger

log = get_logger("gather")

FAILED = Fact(FactStatus.FAILED)

MOST_AHEAD = timedelta(minutes=5)
"""How far another system's clock may be ahead of ours: what was read later than that would never grow old."""

NO_ATTRIBUTES = (str, bytes, bool, int, float, Decimal, list, tuple, set, frozenset)
"""What has no fields to read: a lookup that returns it is mistaken, and "there is none" would be a guess (law 9)."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a lookup may return to say more than a value: when it was true, and where it came from."""

    value: Any
    read_at: datetime | None = None
    source: str | None = None


class Asking(NamedTuple):
    """One call of a lookup, with its arguments by name."""

    lookup: Lookup
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """Sent back into the generator where a lookup raised, or could not be called; `at` is the place in the code."""

    error: str
    at: str = ""


Facts = dict[str, Fact]

CIRCLE = Failure("circle")
"""What a lookup gives to one that it waits for itself."""


def gather(
    plan: Plan, request: Request, lookups: Mapping[str, Lookup], clock: Clock, found: Facts
) -> Generator[Asking, Any, None]:
    """Yield each lookup to call and fill `found` with every fact the plan reads, as they come.

    `found` starts with every fact failed, so that whoever stops this early has facts that count against the request.
    """
    found.update(dict.fromkeys(plan.facts, FAILED))
    results: dict[str, Any] = {}
    for root, facts in plan.roots.items():
        yield from _look_up(root, request, lookups, results, clock)
        _read_facts(root, facts, results[root], clock(), found)


def _look_up(
    root: str, request: Request, lookups: Mapping[str, Lookup], results: dict[str, Any], clock: Clock
) -> Generator[Asking, Any, None]:
    if root in results:
        return
    lookup = lookups.get(root)
    if lookup is None:
        log.warning("fact.failed", fact=root, error="no_lookup")  # policies that came into force since the start
        results[root] = Failure("no_lookup")
        return
    results[root] = CIRCLE
    for name in lookup.signature.parameters:
        if name in lookups and name != root:
            yield from _look_up(name, request, lookups, results, clock)
    parameters = _parameters(lookup, request, lookups, results, clock)
    if isinstance(parameters, Failure):
        results[root] = parameters
        return
    results[root] = yield Asking(lookup, parameters)
    if isinstance(results[root], Failure):
        log.warning("fact.failed", fact=root, error=results[root].error, at=results[root].at)


def _parameters(
    lookup: Lookup, request: Request, lookups: Mapping[str, Lookup], results: Mapping[str, Any], clock: Clock
) -> Mapping[str, Any] | Failure:
    offered: Mapping[str, Any] | None = None
    parameters: dict[str, Any] = {}
    for name in lookup.signature.parameters:
        if name in request.arguments:
            parameters[name] = request.arguments[name]
        elif name in lookups and name != lookup.root:
            value = results[name]
            if isinstance(value, Failure):
                return Failure(f"needs_{name}")
            parameters[name] = value.value if isinstance(value, Observed) else value
        else:
            offered = _offered(request, clock()) if offered is None else offered
            if name in offered:
                parameters[name] = offered[name]
            elif name in lookup.signature.required:
                parameters[name] = None
    return parameters


def _offered(request: Request, now: datetime) -> Mapping[str, Any]:
    """Return what lookups may take beside arguments and other facts."""
    context = {name.removeprefix("context."): value for name, value in request.context.items()}
    return {
        "on_behalf_of": request.on_behalf_of,
        "tenant": request.tenant,
        "agent": request.actor.id,
        "action": request.action,
        "context": context,
        "now": now,
        **context,
    }


def _read_facts(root: str, facts: Mapping[str, Declared], result: Any, now: datetime, found: Facts) -> None:
    if isinstance(result, Failure):
        return
    observed = result if isinstance(result, Observed) else Observed(result)
    read_at = observed.read_at or now
    for name, declared in facts.items():
        try:
            value = _attribute(observed.value, name.partition(".")[2])
            found[name] = _fact(name, declared, value, observed.source or root, read_at, now)
            if found[name].status is FactStatus.ABSENT and not declared.optional and observed.value is not None:
                log.warning("fact.missing", fact=name, got=type(observed.value).__name__)
        except Exception as error:  # noqa: BLE001 - an attribute may run any code of the host's, and it has failed
            log.warning("fact.unreadable", fact=name, error=type(error).__name__, got=type(observed.value).__name__)
            found[name] = FAILED


def _attribute(value: Any, path: str) -> Any:
    for part in path.split(".") if path else ():
        if value is None:
            return None
        if type(value) in NO_ATTRIBUTES:
            raise ConformError("not_a_record", f"expected a mapping or attributes, got {type(value).__name__}")
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    return value


def _fact(name: str, declared: Declared, value: Any, source: str, read_at: datetime, now: datetime) -> Fact:
    if read_at.utcoffset() is None:
        raise ConformError("no_time_zone", "expected `read_at` with its time zone, got a moment without one")
    moment = read_at.astimezone(UTC)
    if declared.max_age is not None and moment - now > MOST_AHEAD:
        raise ConformError("in_the_future", "expected `read_at` in the past, got a moment that is still to come")
    too_old = declared.max_age is not None and now - moment > declared.max_age
    if value is None or too_old:
        return Fact(FactStatus.ABSENT, None, source, moment)
    try:
        return Fact(FactStatus.VALUE, conform(declared.type, value), source, moment)
    except ConformError as error:
        came = type(value).__name__
        log.warning("fact.wrong_type", fact=name, reason=error.reason, expected=str(declared.type), got=came)
        return Fact(FactStatus.FAILED, None, source, moment)
