"""Escalation routes as a file writes them, weakest first, and the circles that `if_late` must not make."""

from __future__ import annotations

import re

from agentguard.core.policy import Route, Within
from agentguard.policyfile import bounds
from agentguard.policyfile.model import PolicyModel, RouteModel
from agentguard.policyfile.node import Scalar, shortened
from agentguard.policyfile.outline import Outline
from agentguard.policyfile.problems import Problems, suggestion
from agentguard.policyfile.spelling import identifier, span, texts, whole_number

_WHO = re.compile(r"(group|user):[A-Za-z0-9][A-Za-z0-9._@-]*")


def read_routes(model: PolicyModel, outline: Outline, problems: Problems) -> None:
    """Read the routes of a file into the outline."""
    section = model.node.section("escalations")
    for strength, (name, route) in enumerate((model.escalations or {}).items()):
        key = section.keys[name]
        made = None
        if name == "deny":
            problems.add(key.place, "name_taken", "a route cannot be called `deny`: call it something else")
        elif identifier(key, problems, "the name of a route") is not None:
            made = _route(name, key, route, strength, outline, problems)
        if made is None:
            problems.broken.add(("escalations", name))
        else:
            outline.routes[name] = made
    _check_next(model, outline, problems)


def _route(
    name: str, key: Scalar, route: RouteModel, strength: int, outline: Outline, problems: Problems
) -> Route | None:
    what = f"route `{name}`"
    who = []
    for scalar in texts(route.who, problems, f"{what}: `who`"):
        if _WHO.fullmatch(scalar.text):
            who.append(scalar.text)
        else:
            message = f"{what}: `who` must be `group:NAME` or `user:NAME`, got `{shortened(scalar.text)}`"
            problems.add(scalar.place, "name_malformed", message)
    if not who and not isinstance(route.who, Scalar) and not route.who.items:
        problems.add(route.who.place, "too_many", f"{what}: `who` must name somebody, got an empty list")
    people: int | None = 1
    if route.people is not None:
        people = whole_number(route.people, problems, f"{what}: `people`", bounds.PEOPLE_NEEDED)
    within = span(route.within, problems, f"{what}: `within`", allow_calendar=True)
    if within is not None and within[1] is not None and within[1] not in outline.calendars:
        if ("calendars", within[1]) not in problems.broken and ("calendars", "*") not in problems.broken:
            near = suggestion(within[1], outline.calendars) or ": declare it under `calendars`"
            place = route.within.at(route.within.text.rfind(within[1]))
            problems.add(place, "calendar_unknown", f"{what}: no calendar `{within[1]}`{near}")
        return None
    if not who or people is None or within is None:
        return None
    late = route.if_late.text if route.if_late is not None and route.if_late.text != "deny" else None
    return Route(name, tuple(who), people, Within(*within), late, strength, key.place)


def _check_next(model: PolicyModel, outline: Outline, problems: Problems) -> None:
    """Refuse routes that name no route in `if_late`, or wait for each other."""
    for name, route in (model.escalations or {}).items():
        late = route.if_late
        if late is None or late.text == "deny":
            continue
        if late.text not in (model.escalations or {}):
            if ("escalations", late.text) not in problems.broken:
                near = suggestion(late.text, [*outline.routes, "deny"]) or ": expected `deny` or another route"
                message = f"route `{name}`: `if_late` names no route, got `{shortened(late.text)}`{near}"
                problems.add(late.place, "route_unknown", message)
            problems.broken.add(("escalations", name))
            outline.routes.pop(name, None)
    reported: set[str] = set()
    for name in outline.routes:
        path = [name]
        while (following := outline.routes[path[-1]].if_late) in outline.routes:
            assert following is not None  # noqa: S101 - None is no route
            if following in path:
                circle = path[path.index(following) :]
                if not reported & set(circle):
                    reported |= set(circle)
                    late = (model.escalations or {})[circle[-1]].if_late
                    shown = " -> ".join([*circle, circle[0]])
                    message = f"routes wait for each other: {shown}: let one of them end with `if_late: deny`"
                    problems.add(late.place if late else outline.routes[name].place, "route_cycle", message)
                break
            path.append(following)
