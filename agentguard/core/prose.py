"""Recorded values and names as a person reads them: for the command line, packets and letters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agentguard.core.limits import in_unit
from agentguard.core.people import UNVERIFIED
from agentguard.core.policy import Policy

PERSONAL = "(personal)"
ERASED = "(erased)"

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_SHORT_NAME = 6


def moment(at: datetime | str | None) -> str:
    """Return an instant in UTC to the second; `–` for none."""
    if at is None:
        return "–"
    read = datetime.fromisoformat(at) if isinstance(at, str) else at
    return read.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def known_by(authenticated: str) -> str:
    """Return how somebody was known, as it reads behind `known by`."""
    return f"their word alone ({UNVERIFIED})" if authenticated == UNVERIFIED else authenticated


def span(seconds: float) -> str:
    """Return a length of time in its two largest units, `3 h 52 min`; `0 s` at least."""
    left, parts = int(max(seconds, 0)), []
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def numbered(count: int, thing: str) -> str:
    """Return how many there are of something, `1 entry` or `3 entries`."""
    if count == 1:
        return f"1 {thing}"
    return f"{count} {f'{thing[:-1]}ies' if thing.endswith('y') else f'{thing}s'}"


def amount_text(amount: int | None, unit: str) -> str:
    """Return minor units or a count as people write them; `–` if it is not known."""
    return "–" if amount is None else str(in_unit(amount, unit))


def inline(values: Mapping[str, Any]) -> str:
    """Return values on one line, `name value, name value`; personal ones stand as such."""
    return ", ".join(f"{name} {plain(value)}" for name, value in values.items())


def plain(value: Any) -> str:
    """Return an encoded value as people read it."""
    if isinstance(value, Mapping):
        if "sealed" in value:
            return PERSONAL
        return "{" + inline(value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(plain(item) for item in value) + "]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return f"{text[:10]} {text[11:19]}" if _INSTANT.fullmatch(text) else text


def listed(value: Any) -> str:
    """Return an encoded value as a person would say it: records of a list one after another, without brackets."""
    if isinstance(value, list):
        records = any(isinstance(item, Mapping) for item in value)
        return ("; " if records else ", ").join(listed(item) for item in value) or "none"
    if isinstance(value, Mapping) and "sealed" not in value:
        return ", ".join(f"{name_words(name)} {listed(item)}" for name, item in value.items())
    return plain(value) or "(empty)"


def printable(text: str) -> str:
    """Return words of somebody else without what could steer a terminal; their lines stay."""
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text.replace("\r\n", "\n"))


def named_policy(policy: Policy) -> str:
    """Return which policy it is, and what it says of itself."""
    said = f": {policy.description}" if policy.description else "."
    return f"The policy `{policy.name}` (version {policy.version}){said}"


def masked(customer: str) -> str:
    """Return enough of a customer's id to tell two apart, and not enough to write to them."""
    name, at, domain = customer.partition("@")
    if at:
        return f"{name[:1]}…@{domain}"
    if len(customer) <= _SHORT_NAME:
        return f"{customer[:1]}…{customer[-1:]}"
    return f"{customer[:3]}…{customer[-2:]}"


def name_words(name: str) -> str:
    """Return a name of a policy file as words: `order.delivered_at` is `order delivered at`."""
    return name.removeprefix("context.").replace(".", " ").replace("_", " ")


def action_words(action: str) -> str:
    """Return an action as a deed: `refund.issue` is `issue refund`, `order.modify_items` is `modify items (order)`."""
    noun, _, verb = action.rpartition(".")
    if not noun:
        return name_words(action)
    return f"{name_words(verb)} ({name_words(noun)})" if "_" in verb else f"{verb} {name_words(noun)}"
