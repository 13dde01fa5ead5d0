"""The absences of a person in `people.yaml`: civil days, and who votes instead."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentguard.core.people import Absence
from agentguard.policyfile import bounds
from agentguard.policyfile.leaf import Day, Text
from agentguard.policyfile.model import Closed
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.roster import Roster
from agentguard.policyfile.spelling import day


class AbsenceModel(Closed):
    """Days on which somebody does not vote."""

    first: Annotated[Day, Field(alias="from", description="The first day, like 2026-12-20.")]
    last: Annotated[Day, Field(alias="to", description="The last day, itself included.")]
    delegate: Annotated[Text | None, Field(description="The id of who votes instead; nobody when left out.")] = None


def absences(
    said: tuple[AbsenceModel, ...], user: str, roster: Roster, problems: Problems
) -> dict[Absence, AbsenceModel]:
    """Return a person's absences in order, with where each stands; what is wrong with one is a problem."""
    found: dict[Absence, AbsenceModel] = {}
    if len(said) > bounds.ABSENCES:
        message = f"`absences` of `{user}`: expected at most {bounds.ABSENCES}, got {len(said)}: remove past ones"
        problems.add(said[0].node.place, "too_many", message)
    for item in said[: bounds.ABSENCES]:
        first = day(item.first, problems, f"`from` of an absence of `{user}`")
        last = day(item.last, problems, f"`to` of an absence of `{user}`")
        delegate = _delegate(item, user, roster, problems)
        if first is None or last is None:
            continue
        if last < first:
            message = f"an absence of `{user}` ends on {last}, before it begins on {first}: swap the days"
            problems.add(item.last.place, "absence_malformed", message)
        elif any(first <= other.last and other.first <= last for other in found):
            message = f"two absences of `{user}` share days from {first} to {last}: give each its own days"
            problems.add(item.first.place, "absence_malformed", message)
        else:
            found[Absence(first, last, delegate)] = item
    return dict(sorted(found.items(), key=lambda pair: pair[0].first))


def _delegate(item: AbsenceModel, user: str, roster: Roster, problems: Problems) -> str | None:
    if item.delegate is None:
        return None
    if item.delegate.text == user:
        message = f"`{user}` cannot vote instead of `{user}`: name somebody else as `delegate`"
        problems.add(item.delegate.place, "absence_malformed", message)
        return None
    known = roster.known((item.delegate,), problems, f"`delegate` of `{user}`")
    return known[0] if known else None
