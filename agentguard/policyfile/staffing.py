"""Warnings about people: who can decide nothing, who can decide alone, what nobody can do, and who is away when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time

from agentguard.core.people import LOOSENING, LOOSENS, POWERS, People, User, one_spelling
from agentguard.core.policy import Contest, Place, Policy, Route
from agentguard.errors import Problem

Found = Iterator[tuple[Place, str, str]]
NOWHERE = Place("", 0, 0)


def lint_people(people: People, routes: Iterable[Route] = (), today: date | None = None) -> tuple[Problem, ...]:
    """Return the warnings about people, in the order of their places.

    Args:
        people: Who they are.
        routes: Of the policies that they are for; who is named there is needed.
        today: The civil day on which absences are looked at; not looked at without it.
    """
    wanted = {entry.removeprefix("user:") for route in routes for entry in route.who}
    found = [*_groups(people), *_idle(people, wanted), *_everywhere(people), *_powers(people)]
    if people.allow_unverified:
        message = "anybody may vote under any name: remove `allow_unverified`, and let people log in"
        found.append((_place(people, "allow_unverified"), "unverified_allowed", message))
    if today is not None:
        for user in people.users.values():
            found += _absences(people, user, today)
    problems = [Problem(place.file, place.line, place.column, code, message) for place, code, message in found]
    return tuple(sorted(set(problems)))


def check_routes(policy: Policy, people: People, today: date | None) -> Found:
    """Yield what is wrong with the routes of a policy, given its people."""
    for route in policy.routes.values():
        admitted = people.members(route.who)
        for entry in route.who:
            if not people.members((entry,)):
                message = f"route `{route.id}`: nobody in people.yaml is `{entry}`: add them"
                yield route.place, "route_without_people", message
        if admitted and len(admitted) < route.people:
            message = f"route `{route.id}` needs {route.people} people, and people.yaml has {len(admitted)} for it"
            yield route.place, "route_without_people", message
        elif admitted and today is not None:
            yield from _away(route, people, today)
        yield from _owner(policy, route, people)
    if policy.contest is not None:
        yield from _contest(policy, policy.contest, people)


def _contest(policy: Policy, contest: Contest, people: People) -> Found:
    """Whoever decided the case before may not decide its contest: enough others have to be left."""
    route = policy.routes[contest.to]
    here = people.members(route.who)
    for other in policy.routes.values():
        voted = min(len(here & people.members(other.who)), other.people)
        if other.id != route.id and here and len(here) - voted < route.people:
            message = (
                f"`contest`: after `{other.id}` decided, people.yaml leaves {len(here) - voted} for `{route.id}`, "
                f"which needs {route.people}: add people who have not seen the case"
            )
            yield contest.place, "contest_short_of_people", message
            return


def _away(route: Route, people: People, today: date) -> Found:
    """The first day on which absences leave too few."""
    firsts = (absence.first for user in people.users.values() for absence in user.absences if absence.last >= today)
    for day in sorted({max(first, today) for first in firsts}):
        here = people.admitted(route.who, datetime.combine(day, time(12), people.zone))
        if len(here) < route.people:
            needs = "1 person" if route.people == 1 else f"{route.people} people"
            fix = "name a `delegate` of an absence, or somebody else for the route"
            message = f"route `{route.id}` needs {needs}, and on {day} people.yaml has {len(here)} for it: {fix}"
            yield route.place, "route_short_of_people", message
            return


def _owner(policy: Policy, route: Route, people: People) -> Found:
    """Whoever writes the rules should not decide what they let through to people."""
    owner = one_spelling(policy.owner or "")
    for name in sorted(people.members(route.who)) if owner else ():
        user = people.users[name]
        if owner in {one_spelling(known) for known in (user.id, user.email, *user.logins)}:
            message = f"route `{route.id}`: `{name}` owns this policy and decides what it escalates: name others"
            yield route.place, "owner_decides", message


def _groups(people: People) -> Found:
    for name, members in people.groups.items():
        if not members:
            yield _place(people, f"group:{name}"), "group_empty", f"group `{name}` is empty: add people, or remove it"


def _idle(people: People, wanted: set[str]) -> Found:
    """Users who are in no group, have no power, decide for nobody and are named by no route."""
    busy = wanted.union(*people.groups.values(), people.operators or ())
    busy |= {name for power in (people.powers or {}).values() for name in power.who}
    busy |= {absence.delegate for user in people.users.values() for absence in user.absences if absence.delegate}
    for name in sorted(people.users.keys() - busy):
        message = f"`{name}` is in no group and has no power: add them to one, or remove them"
        yield _place(people, f"user:{name}"), "user_idle", message


def _everywhere(people: People) -> Found:
    """One person in every group decides whatever asks for two different groups."""
    groups = [members for members in people.groups.values() if members]
    if len(groups) > 1:
        for name in sorted(frozenset.intersection(*groups)):
            message = f"`{name}` is in every group, so that one person can decide everything: take them out of some"
            yield _place(people, f"user:{name}"), "one_person_everywhere", message


def _powers(people: People) -> Found:
    if not people.declares_powers:
        message = "nothing says who may halt, resume or put policies into force, so anybody may: add `operators`"
        yield _place(people, "file"), "powers_undeclared", message
        return
    for name in POWERS:
        granted = people.power(name)
        needed = 0 if granted is None else max(granted.people, LOOSENING if name in LOOSENS else 1)
        if granted is not None and len(granted.who) < needed:
            needs = "1 person" if needed == 1 else f"{needed} people"
            what = " for what lets an agent do more" if needed > granted.people else ""
            message = f"power `{name}` needs {needs}{what}, and {len(granted.who)} have it: add people to it"
            where = f"power:{name}" if f"power:{name}" in people.places else "operators"
            yield _place(people, where), "power_without_people", message


def _absences(people: People, user: User, today: date) -> Found:
    for absence in user.absences:
        place = _place(people, f"absence:{user.id}:{absence.first}")
        if absence.last < today:
            yield place, "absence_over", f"an absence of `{user.id}` ended on {absence.last}: remove it"
            continue
        delegate = people.users.get(absence.delegate or "")
        for other in delegate.absences if delegate is not None else ():
            if absence.first <= other.last and other.first <= absence.last:
                since = max(absence.first, other.first)
                message = (
                    f"from {since} on `{absence.delegate}`, who decides for `{user.id}`, is away too: name another"
                )
                yield place, "delegate_away", message


def _place(people: People, what: str) -> Place:
    """Return where something stands, or the beginning of the file where it does not."""
    top = people.places.get("file", NOWHERE)
    return people.places.get(what, top)
