"""A request that was found, told as a case of a test file tells it; the inverse of staging one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

from agentguard.analysis.written import moment_of
from agentguard.core import money
from agentguard.core.cases import Situation, Written
from agentguard.core.language import Declared, Money, Type, Value
from agentguard.core.needs import needs
from agentguard.core.plan import Plan
from agentguard.core.policy import Policy
from agentguard.core.request import Evidence, FactStatus, Request
from agentguard.errors import ConformError


def situation_of(plan: Plan, request: Request, evidence: Evidence) -> Situation:
    """Return everything that a request and its evidence say, as a case would say it."""
    policies = tuple(file.policy for file in plan.files)
    zone = policies[0].zone
    values: dict[str, Written] = {"tenant": request.tenant, "agent.id": request.actor.id}
    values["agent.kind"] = str(request.actor.kind)
    without: list[str] = []
    failed: list[str] = []
    _put("agent.version", request.actor.version, None, zone, values, without)
    _put("on_behalf_of", request.on_behalf_of or None, None, zone, values, without)
    for name, declared in plan.asked.items():
        _put(name, request.arguments.get(name), declared, zone, values, without)
    for name, declared in plan.context.items():
        _put(name, request.context.get(name), declared, zone, values, without)
    for name, declared in plan.facts.items():
        fact = evidence.facts[name]
        if fact.status is FactStatus.FAILED:
            failed.append(name)
        else:
            _put(name, fact.value if fact.status is FactStatus.VALUE else None, declared, zone, values, without)
    values["asked_at"] = moment_text(request.asked_at, zone)
    wanted = needs(plan, request, evidence.facts, evidence.now)
    used: dict[str, str] = {}
    held: dict[str, str] = {}
    for name, usage in evidence.usage.items():
        if name in wanted.accounts:
            used[short(name, policies)] = _amount(usage.held + usage.settled, wanted.accounts[name].unit)
            held[short(name, policies)] = _amount(usage.held, wanted.accounts[name].unit)
    happened = tuple(short(name, policies) for name, entry in evidence.history.items() if entry is not None)
    return Situation(moment_text(evidence.now, zone), values, tuple(without), tuple(failed), used, held, happened)


def short(name: str, policies: tuple[Policy, ...]) -> str:
    """Return an id without its policy's name where only one policy is under test."""
    return name.removeprefix(f"{policies[0].name}/") if len(policies) == 1 else name


def _put(
    name: str,
    value: Value | None,
    declared: Declared | None,
    zone: tzinfo,
    values: dict[str, Written],
    without: list[str],
) -> None:
    if value is None:
        without.append(name)
    else:
        values[name] = written_of(value, None if declared is None else declared.type, zone)


def written_of(value: object, kind: Type | None, zone: tzinfo) -> Written:
    """Return a value as people write it in a test file."""
    match value:
        case bool():
            return "yes" if value else "no"
        case money.Money():
            one = isinstance(kind, Money) and len(kind.currencies) == 1
            return _amount(value.minor, value.currency) if one else money.format_minor(value.minor, value.currency)
        case datetime():
            return moment_text(value, zone)
        case date():
            return value.isoformat()
        case timedelta():
            return f"{int(value.total_seconds())} seconds"
        case Decimal():
            return f"{value:f}"
        case Mapping():
            fields = getattr(kind, "fields", {})
            return {
                name: written_of(item, fields[name].type if name in fields else None, zone)
                for name, item in value.items()
                if item is not None
            }
        case tuple() | list():
            return tuple(written_of(item, getattr(kind, "item", None), zone) for item in value)
        case _:
            return str(value)


def moment_text(moment: datetime, zone: tzinfo) -> str:
    """Return an instant as civil time in a zone; with its offset where that is needed to tell it."""
    civil = moment.astimezone(zone)
    text = civil.strftime("%Y-%m-%d %H:%M:%S.%f").removesuffix(".000000")
    text = text.removesuffix(":00") if text.count(":") == 2 else text
    try:
        return text if moment_of(text, zone) == moment else civil.isoformat(sep=" ")
    except ConformError:
        return civil.isoformat(sep=" ")


def _amount(units: int, unit: str) -> str:
    return str(units) if unit == "#" else money.format_minor(units, unit).partition(" ")[0]
