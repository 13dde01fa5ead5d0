"""An event in words, for people who read it in a mail or a chat: what happened, who is asked, by when, and where."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agentguard.engine import event as events
from agentguard.engine.event import Event, TellsRoute

_TITLES: Mapping[str, str] = MappingProxyType(
    {
        events.OPENED: "{} waits for a decision",
        events.REMINDED: "{} still waits for a decision",
        events.PASSED_ON: "{} waits for you: nobody else decided in time",
        events.REOPENED: "{} waits for one more decision: a vote does not count any more",
        events.APPROVED: "{} was approved",
        events.REJECTED: "{} was rejected",
        events.EXPIRED: "{} was refused: nobody decided in time",
        events.WITHDRAWN: "{} was taken back: nothing is to be decided",
        events.AMENDED: "{} was changed by an approver",
        events.CONTESTED: "{} is contested by the customer",
        events.NO_LONGER_FITS: "{} was approved and is refused all the same: it no longer fits",
    }
)
_ENDS: Mapping[str, str] = MappingProxyType(
    {
        "settled": "{}, which you approved, is done",
        "released": "{}, which you approved, was not done: the other system says that nothing happened",
        "in_doubt": "{}, which you approved, is in doubt: nobody knows yet whether it was done",
    }
)
ASKING = frozenset({events.OPENED, events.REMINDED, events.PASSED_ON, events.REOPENED, events.CONTESTED})


def title(event: Event) -> str:
    """Return what happened, in one line."""
    words = _TITLES.get(event.type) or _ENDS.get(event.state, "{} came to its end")
    return words.format(event.action)


def body(event: Event, *, details: bool = False, link: str = "") -> str:
    """Return what whoever is told needs to know, a fact a line.

    Args:
        event: What happened.
        details: Tell the masked amounts too.
        link: Where to look: `{escalation}` and `{action_id}` in it are filled in.
    """
    lines = [_asked(route) for route in event.routes] if event.type in ASKING else []
    if event.causes:
        lines.append(f"Because of: {', '.join(event.causes)}")
    if details and event.amounts:
        lines.append(f"Amount: {', '.join(event.amounts)}")
    lines.append(f"Id: {event.escalation or event.action_id}")
    if link:
        lines.append(link.replace("{escalation}", event.escalation or "").replace("{action_id}", event.action_id))
    return "\n".join(lines)


def _asked(route: TellsRoute) -> str:
    people = "1 person" if route.people == 1 else f"{route.people} people"
    return f"{people} of {', '.join(route.who)} until {route.due:%Y-%m-%d %H:%M} UTC ({route.id})"
