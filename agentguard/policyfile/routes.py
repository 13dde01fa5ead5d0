"""Escalation routes as a file writes them, weakest first, and the circles that `if_late` must not make."""

from __future__ import annotations

import re

from agentguard.core.language.types import Decimal_, Integer, Money, OneOf
from agentguard.core.policy import Contest, Route, Within
from agentguard.policyfile import bounds
from agentguard.policyfile.model import PolicyModel, RouteModel
from agentguard.policyfile.node import Scalar, shortened
from agentguard.policyfile.outline import Outline
from agentguard.policyfile.problems import Problems, suggestion
from agentguard.policyfile.spelling import identifier, span, texts, whole_number, word

_WHO = re.compile(r"(group|user):[A-Za-z0-9][A-Za-z0-9._@-]*")
_REASON = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CHANGEABLE = (Money, Integer, Decimal_, OneOf)


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


def read_contest(model: PolicyModel, outline: Outline, problems: Problems) -> Contest | None:
    """Return where a denial may be contested, or None where it stands."""
    contest = model.contest
    if contest is None:
        return None
    within = None if contest.within is None else _within(contest.within, outline, problems, "`contest`: `within`")
    open_for = span(contest.open_for, problems, "`contest`: `open_for`", allow_calendar=False)
    to = contest.to
    if to.text not in outline.routes:
        if ("escalations", to.text) not in problems.broken:
            near = suggestion(to.text, outline.routes) or ": declare it under `escalations`"
            problems.add(to.place, "route_unknown", f"`contest`: `to` names no route, got `{shortened(to.text)}`{near}")
        return None
    if open_for is None:
        return None
    return Contest(to.text, within, open_for[0], to.place)


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
    within = _within(route.within, outline, problems, f"{what}: `within`")
    remind = None if route.remind is None else _within(route.remind, outline, problems, f"{what}: `remind`")
    if route.remind is not None and within and remind and remind.duration >= within.duration:
        message = f"{what}: `remind` must be shorter than `within`, got `{shortened(route.remind.text)}`"
        problems.add(route.remind.place, "duration_malformed", message)
    holds = route.hold is not None and word(route.hold, problems, f"{what}: `hold`", ("yes", "no")) == "yes"
    reasons = _reason_codes(route, problems, what)
    changes = None if route.may_change is None else _changeable(route.may_change, outline, problems, what)
    if not who or people is None or within is None:
        return None
    late = route.if_late.text if route.if_late is not None and route.if_late.text != "deny" else None
    return Route(name, tuple(who), people, within, late, strength, key.place, holds, remind, reasons, changes)


def _within(scalar: Scalar, outline: Outline, problems: Problems, what: str) -> Within | None:
    """Return a length of time, plain or of a calendar that the file has."""
    found = span(scalar, problems, what, allow_calendar=True)
    if found is None:
        return None
    calendar = found[1]
    if calendar is not None and calendar not in outline.calendars:
        if ("calendars", calendar) not in problems.broken and ("calendars", "*") not in problems.broken:
            near = suggestion(calendar, outline.calendars) or ": declare it under `calendars`"
            place = scalar.at(scalar.text.rfind(calendar))
            problems.add(place, "calendar_unknown", f"{what}: no calendar `{calendar}`{near}")
        return None
    return Within(*found)


def _reason_codes(route: RouteModel, problems: Problems, what: str) -> tuple[str, ...]:
    """Return the words that a vote may give as its reason."""
    if route.reason_codes == ():
        message = f"{what}: `reason_codes` must name at least one, got an empty list; leave it out for any"
        problems.add(route.key("reason_codes").place, "too_many", message)
    for scalar in route.reason_codes or ():
        if not _REASON.fullmatch(scalar.text):
            message = f"{what}: a reason code must be like `within_policy`, got `{shortened(scalar.text)}`"
            problems.add(scalar.place, "name_malformed", message)
    return tuple(scalar.text for scalar in route.reason_codes or ())


def _changeable(names: tuple[Scalar, ...], outline: Outline, problems: Problems, what: str) -> tuple[str, ...]:
    """Return the arguments that an approver may change: amounts and other numbers, and choices of a list."""
    known = {name: declared for arguments in outline.arguments.values() for name, declared in arguments.items()}
    for scalar in names:
        if scalar.text not in known:
            near = suggestion(scalar.text, known) or ": declare it under `actions`"
            message = f"{what}: `may_change`: no argument `{shortened(scalar.text)}`{near}"
            problems.add(scalar.place, "argument_unknown", message)
        elif not isinstance(known[scalar.text].type, _CHANGEABLE) or known[scalar.text].computed:
            message = (
                f"{what}: `may_change` takes amounts, numbers and choices, got `{scalar.text}`, "
                f"which is {'computed' if known[scalar.text].computed else known[scalar.text].type}: remove it"
            )
            problems.add(scalar.place, "argument_unchangeable", message)
    return tuple(scalar.text for scalar in names)


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
