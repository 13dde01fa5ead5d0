"""Calendars as a file writes them: opening hours by weekday, closed days, spans, and hours of every day."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from agentguard.core.calendar import Calendar, Hours, Span
from agentguard.policyfile import bounds
from agentguard.policyfile.model import PolicyModel
from agentguard.policyfile.node import Mapping, Node, Scalar, Sequence, shape, shortened
from agentguard.policyfile.outline import Outline
from agentguard.policyfile.problems import Problems, one_of, suggestion
from agentguard.policyfile.spelling import civil_moment, clock, day, identifier, texts, zone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
KEYS = (*DAYS, "every day", "days", "closed", "from", "to", "spans", "timezone")

_HOURS = re.compile(r"(?:from +)?([0-9]{2}:[0-9]{2})(?: *[-–] *| +to +)([0-9]{2}:[0-9]{2})")


@dataclass(slots=True)
class _Draft:
    """A calendar while its keys are read."""

    week: list[list[Hours]] = field(default_factory=lambda: [[] for _ in DAYS])
    closed: set[date] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)
    daily: list[Hours] = field(default_factory=list)


def read_calendars(model: PolicyModel, outline: Outline, problems: Problems) -> None:
    """Read the calendars of a file into the outline."""
    section = model.node.section("calendars")
    for name, node in section.items.items():
        if identifier(section.keys[name], problems, "the name of a calendar") is None or not isinstance(node, Mapping):
            problems.broken.add(("calendars", name))
            continue
        before = len(problems.sorted())
        calendar = _calendar(name, node, problems)
        if len(problems.sorted()) > before:
            problems.broken.add(("calendars", name))
        outline.calendars[name] = calendar


def _calendar(name: str, node: Mapping, problems: Problems) -> Calendar:
    draft = _Draft()
    before = len(problems.sorted())
    what = f"calendar `{name}`"
    own = node.items.get("timezone")
    own_zone = zone(own, problems) if isinstance(own, Scalar) else None
    for key, item in node.items.items():
        if key == "closed":
            _closed(item, draft, problems, what)
        elif key == "days":
            _days(item, draft, problems, what)
        elif key == "every day":
            draft.daily += _hours(item, problems, f"{what}: `every day`")
        elif key == "spans" and isinstance(item, Sequence):
            for entry in item.items:
                _span(entry, draft, problems, what)
        elif weekdays := _weekdays(key):
            hours = _hours(item, problems, f"{what}: `{key}`")
            for weekday in weekdays:
                if draft.week[weekday]:
                    message = f"{what}: `{DAYS[weekday]}` already has hours: say a day once, as a list of hours"
                    problems.add(node.keys[key].place, "duplicate_key", message)
                draft.week[weekday] += hours
        elif key not in KEYS:
            near = suggestion(key, KEYS) or f": expected days like `mon-fri`, {one_of(KEYS[7:])}"
            problems.add(node.keys[key].place, "unknown_key", f"{what}: unknown key `{shortened(key)}`{near}")
    if "from" in node.items or "to" in node.items:
        _span(node, draft, problems, what)
    if not (any(draft.week) or draft.spans or draft.daily) and len(problems.sorted()) == before:
        problems.add(node.place, "too_many", f"{what} must say when it is open: hours, days or spans")
    if len(draft.closed) + len(draft.spans) > bounds.CALENDAR_ENTRIES:
        message = f"{what} has at most {bounds.CALENDAR_ENTRIES:,} closed days and spans"
        problems.add(node.place, "too_many", message)
    return Calendar(
        week=tuple(tuple(hours) for hours in draft.week),
        closed=frozenset(draft.closed),
        spans=tuple(draft.spans),
        daily=tuple(draft.daily),
        zone=own_zone,
    )


def _weekdays(key: str) -> list[int]:
    """Return the weekdays that a key such as `mon-fri` or `mon, wed` names; none if it names something else."""
    found: list[int] = []
    for part in key.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            return []
        start, end = DAYS.index(first), DAYS.index(last if dash else first)
        found += [number % 7 for number in range(start, end + 1 + (7 if end < start else 0))]
    return found


def _hours(node: Node, problems: Problems, what: str) -> list[Hours]:
    """Return one or several pairs of times of day; `closed` says none."""
    if isinstance(node, Scalar) and node.text == "closed":
        return []
    found = []
    for scalar in texts(node, problems, what):
        match = _HOURS.fullmatch(scalar.text.strip())
        start, end = (clock(match[1]), clock(match[2])) if match else (None, None)
        if start is None or end is None or start in (time.max, end):
            whole = ": write `00:00-24:00` for the whole day" if start is not None and start == end else ""
            written = shortened(scalar.text)
            message = f"{what} must be hours like `08:00-18:00` or `from 22:00 to 06:00`, got `{written}`{whole}"
            problems.add(scalar.place, "date_malformed", message)
        else:
            found.append(Hours(start, end))
    return found


def _closed(node: Node, draft: _Draft, problems: Problems, what: str) -> None:
    for scalar in texts(node, problems, f"{what}: `closed`"):
        found = day(scalar, problems, f"{what}: `closed`")
        if found is not None:
            draft.closed.add(found)


def _days(node: Node, draft: _Draft, problems: Problems, what: str) -> None:
    for scalar in texts(node, problems, f"{what}: `days`"):
        found = day(scalar, problems, f"{what}: `days`")
        if found is not None:
            start = datetime.combine(found, time.min)
            draft.spans.append(Span(start, start + timedelta(days=1)))


def _span(node: Node, draft: _Draft, problems: Problems, what: str) -> None:
    """Read a pair of `from` and `to`."""
    if not isinstance(node, Mapping):
        problems.add(node.place, "wrong_shape", f"{what}: a span must be `{{from: …, to: …}}`, got {shape(node)}")
        return
    moments = []
    for key in ("from", "to"):
        item = node.items.get(key)
        if item is None:
            problems.add(node.place, "missing_key", f"{what}: key `{key}` is missing: a span has `from` and `to`")
            return
        moment = civil_moment(item.text) if isinstance(item, Scalar) else None
        if moment is None:
            got = shape(item)
            message = f"{what}: `{key}` must be a moment like `2026-12-31 18:00`, got {got}"
            problems.add(item.place, "date_malformed", message)
            return
        moments.append(moment)
    if moments[0] >= moments[1]:
        message = (
            f"{what}: `to` must be after `from`, got `{moments[0]:%Y-%m-%d %H:%M}` to `{moments[1]:%Y-%m-%d %H:%M}`"
        )
        problems.add(node.items["to"].place, "date_malformed", message)
        return
    draft.spans.append(Span(moments[0], moments[1]))
