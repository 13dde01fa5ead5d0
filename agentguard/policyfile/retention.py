"""`retention: {least: 1 year, refund.issue: 7 years, otherwise: 2 years}`: how long records of an action are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentguard.core.policy import Place, Policy
from agentguard.core.retention import LEAST_DAYS, Period, Retention
from agentguard.policyfile.model import PolicyModel
from agentguard.policyfile.node import Scalar, shortened
from agentguard.policyfile.outline import Outline
from agentguard.policyfile.problems import Problems, suggestion
from agentguard.policyfile.read import read

LEAST, OTHERWISE = "least", "otherwise"
MOST_YEARS = 100
_PERIOD = re.compile(r"([1-9][0-9]{0,4}) (day|year)s?")
_FLOOR = Period(days=LEAST_DAYS)


def read_retention(model: PolicyModel, outline: Outline, problems: Problems) -> Retention | None:
    """Return how long a file says that records are kept, or None where it does not say."""
    if model.retention is None:
        return None
    section = model.node.section("retention")
    periods: dict[str, Period] = {}
    for name, scalar in model.retention.items():
        if name not in (LEAST, OTHERWISE, *outline.actions):
            if ("actions", name) not in problems.broken:
                near = suggestion(name, [*outline.actions, LEAST, OTHERWISE]) or ": declare it under `actions`"
                message = f"`retention`: no action `{shortened(name)}`{near}"
                problems.add(section.keys[name].place, "action_unknown", message)
            continue
        found = _period(name, scalar, problems)
        if found is not None:
            periods[name] = found
    least = periods.get(LEAST)
    for name, period in periods.items():
        _check_length(name, period, model.retention[name], least, problems)
    by_action = {name: period for name, period in periods.items() if name not in (LEAST, OTHERWISE)}
    return Retention(least, by_action, periods.get(OTHERWISE))


def check_retention(policy: Policy) -> Iterator[tuple[Place, str, str]]:
    """Yield actions that a file forgot when it said how long the records of others are kept."""
    retention = policy.retention
    if retention is None or retention.otherwise is not None:
        return
    missing = sorted(name for name in policy.actions if name not in retention.by_action)
    if missing:
        root = read(policy.text, Problems(policy.file))
        key = root.keys.get("retention") if root is not None else None
        place = Place(policy.file, 1, 1) if key is None else key.place
        message = f"`retention` does not say how long records of `{missing[0]}` are kept, so they stay: add `otherwise`"
        yield place, "retention_missing", message


def _period(name: str, scalar: Scalar, problems: Problems) -> Period | None:
    match = _PERIOD.fullmatch(" ".join(scalar.text.split()))
    period = None
    if match is not None:
        number = int(match[1])
        period = Period(years=number) if match[2] == "year" else Period(days=number)
    if period is None or period.least_days > MOST_YEARS * 365:
        message = (
            f"`retention`: `{shortened(name)}` must be whole years or days like `7 years`, at most {MOST_YEARS} years, "
            f"got `{shortened(scalar.text)}`"
        )
        problems.add(scalar.place, "duration_malformed", message)
        return None
    return period


def _check_length(name: str, period: Period, scalar: Scalar, least: Period | None, problems: Problems) -> None:
    """Refuse what is shorter than anybody may keep records, or than the file itself says."""
    if period.least_days < LEAST_DAYS:
        message = f"`retention`: `{name}` must be at least {_FLOOR} (six months), got `{shortened(scalar.text)}`"
        problems.add(scalar.place, "retention_too_short", message)
    elif least is not None and period.least_days < least.least_days:
        message = f"`retention`: `{name}` must be at least the file's `least`, {least}, got `{shortened(scalar.text)}`"
        problems.add(scalar.place, "retention_too_short", message)
