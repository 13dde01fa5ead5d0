"""How single values are spelled: ids, whole numbers, days, times, durations, verdicts, zones, currencies, languages.

Each function reads one scalar and returns None after it has told what is wrong with it.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

from agentguard.core.language.notation import parse_duration
from agentguard.core.money import EXPONENTS
from agentguard.core.policy import Then, Verdict
from agentguard.policyfile import bounds
from agentguard.policyfile.node import Mapping, Node, Scalar, shortened
from agentguard.policyfile.node import Sequence as Listed
from agentguard.policyfile.problems import Problems, one_of, suggestion

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DOTTED = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)+")
_WHOLE = re.compile(r"[0-9]{1,9}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_ALMOST_A_CODE = 4
"""Characters of a word that may be a currency's code with a slip; a longer one is like any code by chance alone."""

_ESCALATE = re.compile(r"escalate +to +(\S+)")

_FOREIGN = dict.fromkeys(("permit", "accept", "grant", "yes"), "allow")
_FOREIGN |= dict.fromkeys(("forbid", "reject", "refuse", "block", "no"), "deny")
_FOREIGN |= dict.fromkeys(("require_approval", "ask", "review"), "escalate to ROUTE")
_FOREIGN["approve"] = "allow` or, if a person has to agree, `escalate to ROUTE"
VERDICTS = ("allow", "escalate to ROUTE", "deny", "abstain")


def identifier(scalar: Scalar, problems: Problems, what: str) -> str | None:
    """Return an id such as `small-refund`."""
    return _matching(scalar, _IDENTIFIER, problems, f"{what} must be letters, digits, `-` and `_`, like `small-refund`")


def simple_name(scalar: Scalar, problems: Problems, what: str) -> str | None:
    """Return a name that conditions can read, such as `order_id`."""
    return _matching(scalar, _NAME, problems, f"{what} must be letters, digits and `_`, like `order_id`")


def dotted_name(scalar: Scalar, problems: Problems, what: str, example: str) -> str | None:
    """Return a name with dots in it, such as `order.total`."""
    return _matching(scalar, _DOTTED, problems, f"{what} must be words joined by dots, like `{example}`")


def _matching(scalar: Scalar, pattern: re.Pattern[str], problems: Problems, rule: str) -> str | None:
    if pattern.fullmatch(scalar.text) and len(scalar.text) <= bounds.NAME_CHARACTERS:
        return scalar.text
    most = f" (at most {bounds.NAME_CHARACTERS} characters)" if len(scalar.text) > bounds.NAME_CHARACTERS else ""
    problems.add(scalar.place, "name_malformed", f"{rule}{most}, got `{shortened(scalar.text)}`")
    return None


def whole_number(scalar: Scalar, problems: Problems, what: str, most: int = 999_999_999) -> int | None:
    """Return a whole number from 1 on."""
    if _WHOLE.fullmatch(scalar.text) and 1 <= int(scalar.text) <= most:
        return int(scalar.text)
    message = f"{what} must be a whole number from 1 to {most:,}, got `{shortened(scalar.text)}`"
    problems.add(scalar.place, "number_malformed", message)
    return None


def day(scalar: Scalar, problems: Problems, what: str) -> date | None:
    """Return a civil day such as `2026-12-24`."""
    if _DAY.fullmatch(scalar.text):
        try:
            return date.fromisoformat(scalar.text)
        except ValueError:
            problems.add(scalar.place, "date_malformed", f"{what}: there is no day `{scalar.text}`")
            return None
    problems.add(
        scalar.place, "date_malformed", f"{what} must be a day like `2026-12-24`, got `{shortened(scalar.text)}`"
    )
    return None


def clock(text: str) -> time | None:
    """Return a time of day such as `18:30`; `24:00` is the last moment of the day; None if it is neither."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    if match[1] == "24":
        return time.max if match[2] == "00" else None
    return time(int(match[1]), int(match[2]))


def civil_moment(text: str) -> datetime | None:
    """Return a civil moment such as `2026-12-31 18:00`, without a zone; a day alone is its midnight."""
    try:
        if _DAY.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time.min)
        return datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        return None


def span(scalar: Scalar, problems: Problems, what: str, *, allow_calendar: bool) -> tuple[timedelta, str | None] | None:
    """Return a length of time such as `4 hours`, with the calendar it counts in where that may be said."""
    text, _, calendar = scalar.text.partition(" of ") if allow_calendar else (scalar.text, "", "")
    duration = parse_duration(text)
    if duration is None or not duration or duration > timedelta(days=bounds.DAYS):
        example = "`4 hours`, `1 day` or `4 hours of desk_hours`" if allow_calendar else "`30 minutes` or `7 days`"
        got = f"got `{shortened(scalar.text)}`"
        message = f"{what} must be a length of time like {example}, at most {bounds.DAYS:,} days, {got}"
        problems.add(scalar.place, "duration_malformed", message)
        return None
    return duration, calendar.strip() or None


def word(scalar: Scalar, problems: Problems, what: str, words: Iterable[str]) -> str | None:
    """Return one of a few words."""
    known = list(words)
    if scalar.text in known:
        return scalar.text
    got = f"got `{shortened(scalar.text)}`{suggestion(scalar.text, known)}"
    problems.add(scalar.place, "word_unknown", f"{what} must be {one_of(known)}, {got}")
    return None


def verdict(
    scalar: Scalar, problems: Problems, what: str, *, routes: Iterable[str], refused: Sequence[str] = ("abstain",)
) -> Then | None:
    """Return `allow`, `escalate to ROUTE`, `deny` or `abstain`, if it is accepted here and the route is known."""
    text = scalar.text.strip()
    accepted = [name for name in VERDICTS if name.split()[0] not in refused]
    if match := _ESCALATE.fullmatch(text):
        return _escalation(scalar, match[1], routes, problems, what)
    if text in ("allow", "deny", "abstain"):
        if text in refused:
            message = f"{what} must be {one_of(accepted)}, `{text}` is not accepted here"
            problems.add(scalar.place, "verdict_refused", message)
            return None
        return Then(Verdict[text.upper()])
    first = text.split(" ")[0].lower()
    near = f": write `{_FOREIGN[first]}`" if first in _FOREIGN else suggestion(first, [*_FOREIGN.values(), "escalate"])
    if first == "escalate":
        route = text.split()[-1]
        near = f": write `escalate to {route if route in routes else 'ROUTE'}`"
    got = f"got `{shortened(text)}`{near}"
    problems.add(scalar.place, "word_unknown", f"{what} must be {one_of(accepted)}, {got}")
    return None


def _escalation(scalar: Scalar, route: str, routes: Iterable[str], problems: Problems, what: str) -> Then | None:
    known = list(routes)
    if route in known:
        return Then(Verdict.ESCALATE, route)
    if ("escalations", route) not in problems.broken and ("escalations", "*") not in problems.broken:
        fix = suggestion(route, known) or f": {_declare(known)}"
        place = scalar.at(scalar.text.rfind(route))
        problems.add(place, "route_unknown", f"{what}: no route `{shortened(route)}` under `escalations`{fix}")
    return None


def _declare(known: list[str]) -> str:
    return f"expected {one_of(known)}" if known else "declare it there"


def zone(scalar: Scalar, problems: Problems) -> zoneinfo.ZoneInfo | None:
    """Return a time zone by its IANA name."""
    try:
        if _ZONE.fullmatch(scalar.text):
            return zoneinfo.ZoneInfo(scalar.text)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        pass  # not a zone, or a folder of zones: told below, with the nearest one
    near = suggestion(scalar.text, zoneinfo.available_timezones())
    got = f"got `{shortened(scalar.text)}`{near}"
    problems.add(scalar.place, "zone_unknown", f"`timezone` must be a name like `Europe/Berlin`, {got}")
    return None


def currencies(node: Node | None, problems: Problems) -> tuple[str, ...]:
    """Return the file's currencies, one or a list of ISO 4217 codes."""
    if node is None:
        return ()
    scalars = node.items if isinstance(node, Listed) else [node]
    found: list[str] = []
    if len(scalars) > bounds.CURRENCIES or not scalars:
        problems.add(node.place, "too_many", f"`currency` must be 1 to {bounds.CURRENCIES} codes, got {len(scalars)}")
        return ()
    for scalar in scalars:
        text = scalar.text if isinstance(scalar, Scalar) else ""
        if text in EXPONENTS and text not in found:
            found.append(text)
        elif text in found:
            problems.add(scalar.place, "duplicate_id", f"currency `{text}` stands twice in the list: remove one")
        else:
            near = suggestion(text.upper(), EXPONENTS) if len(text) <= _ALMOST_A_CODE else ""
            message = f"`currency` must be a code like `EUR`, got `{shortened(text)}`{near}"
            problems.add(scalar.place, "currency_unknown", message)
            problems.broken.add(("currency", "*"))
    return tuple(found)


def language_tag(scalar: Scalar, problems: Problems) -> str | None:
    """Return a language tag such as `en` or `pt-BR`."""
    if _LANGUAGE.fullmatch(scalar.text):
        return scalar.text
    message = f"expected a language like `en` or `pt-BR`, got `{shortened(scalar.text)}`"
    problems.add(scalar.place, "language_malformed", message)
    return None


def sentence(scalar: Scalar, problems: Problems, what: str) -> str | None:
    """Return words for people, unless a comment cuts them (SPEC P1.3) or they are too long."""
    comment = scalar.comment
    if not scalar.style and comment is not None and not re.match(r"(?: {2,}|\s*\t\s*)#(?:\s|$)", comment):
        place = scalar.at(len(scalar.text))
        message = f"{what} is cut by ` #`: put the whole text in quotes, or two blanks before the comment and one after"
        problems.add(place, "comment_cuts_text", message)
        return None
    if len(scalar.text) > bounds.WORDS_CHARACTERS or not scalar.text.strip():
        most = f"1 to {bounds.WORDS_CHARACTERS:,} characters"
        problems.add(scalar.place, "text_length", f"{what} must have {most}, got {len(scalar.text.strip()):,}")
        return None
    return scalar.text.strip()


def texts(node: Node, problems: Problems, what: str) -> list[Scalar]:
    """Return the texts of a list, or the one text there is."""
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, Mapping):
        problems.add(node.place, "wrong_shape", f"{what} must be a text or a list of texts, got a mapping")
        return []
    found = []
    for item in node.items:
        if isinstance(item, Scalar) and (item.text or item.style):
            found.append(item)
        else:
            problems.add(item.place, "wrong_shape", f"{what} must be a list of texts: put this one in quotes")
    return found
