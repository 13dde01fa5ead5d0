"""`agentguard people`: who may decide and who may stop, as things stand now, and who you are to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agentguard.cli.identity import login, read_people
from agentguard.cli.options import DEFAULT_POLICIES, JsonOption, PeopleOption, PoliciesOption
from agentguard.cli.output import Output, print_json
from agentguard.core.people import POWERS, People, User
from agentguard.engine import machine
from agentguard.errors import UsageError


def show(
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Show everybody with their groups and powers, who is away today and who decides instead, and who you are."""
    known = read_people(people, policies)
    if known is None:
        raise UsageError(f"expected a people.yaml in `{policies}`, got none; name it with --people")
    now = machine.wall_clock()
    you = known.user_of(login())
    if json:
        users = [_document(known, user, now) for user in known.users.values()]
        print_json({"you": None if you is None else you.id, "users": users, "powers": _powers(known)})
        return
    output = Output()
    said = "nobody here" if you is None else you.id
    output.line(f"you are {said}, by the login `{login()}`", style="" if you is not None else "yellow")
    output.line()
    rows = [
        (user.id, user.name, ", ".join(_groups(known, user)) or "–", _power_names(known, user), _away(known, user, now))
        for user in known.users.values()
    ]
    output.table(("id", "name", "groups", "powers", "away"), rows)
    output.line()
    if not known.declares_powers:
        output.prose("nothing says who has which power: whoever has the database may do all of it")
    for name, power in _powers(known).items():
        several = f", {power['people']} of them together" if power["people"] > 1 else ""
        output.prose(f"{name.replace('_', ' ')}: {', '.join(power['who']) or 'nobody'}{several}")
    if known.allow_unverified:
        output.prose("votes under names that nobody checked count (`allow_unverified: yes`)", style="yellow")


def _document(people: People, user: User, now: datetime) -> dict[str, Any]:
    absence = people.absence_of(user.id, now)
    return {
        "id": user.id,
        "name": user.name,
        "groups": _groups(people, user),
        "powers": [name for name in POWERS if people.may(name, user.id)],
        "away_until": None if absence is None else absence.last.isoformat(),
        "delegate": None if absence is None else absence.delegate,
    }


def _groups(people: People, user: User) -> list[str]:
    return sorted(group.removeprefix("group:") for group in people.groups_of(user.id))


def _powers(people: People) -> dict[str, dict[str, Any]]:
    found = {name: people.power(name) for name in POWERS}
    return {name: {"who": sorted(power.who), "people": power.people} for name, power in found.items() if power}


def _power_names(people: People, user: User) -> str:
    """Return a user's powers; `all` for an operator."""
    if not people.declares_powers:
        return "all"
    names = [name for name in POWERS if people.may(name, user.id)]
    return "all" if len(names) == len(POWERS) else ", ".join(name.replace("_", " ") for name in names) or "–"


def _away(people: People, user: User, now: datetime) -> str:
    absence = people.absence_of(user.id, now)
    if absence is None:
        return "–"
    return f"until {absence.last}, {absence.delegate or 'nobody'} decides instead"
