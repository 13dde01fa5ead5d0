"""Entries about what operators did, in words: policies put into force, stops, the clock, and who had no power to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from agentguard.core.entry import OBSERVE
from agentguard.core.narration.told import Told, by
from agentguard.core.people import POWERS
from agentguard.core.prose import moment

REFUSED = {
    "no_such_power": "that is not theirs to do",
    "unverified": "nobody checked who they are",
    "own_request": "they had a part in the action",
    "judged_already": "they had judged it already",
    "asked_already": "they had asked already, and it takes somebody else",
}


def openings(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield how the accounts of new and changed limits begin, from an entry that put policies into force."""
    for limit, opening in body.get("limits", {}).items():
        if opening["account"] == "starts_now":
            yield f"{limit}: counts from now on"
        elif opening["account"] == "filled" and any(opening[name] for name in ("movements", "holds", "uncounted")):
            erased = f", {opening['erased']} of them erased" if opening["erased"] else ""
            lost = f"; {opening['uncounted']} could not be counted{erased}" if opening["uncounted"] else ""
            yield f"{limit}: {opening['movements']} settled and {opening['holds']} under way counted from the log{lost}"


def _activated(body: dict[str, Any]) -> Told:
    policies = [f"{name} version {item['version']}" for name, item in body["policies"].items()]
    details = [*by(body), ("bundle", body["bundle"]), ("before", body["before"] or "none")]
    details += [("policy", item) for item in policies]
    details += [("limit", opening) for opening in openings(body)]
    return Told("policies put into force", "allow", details)


def _halted(body: dict[str, Any]) -> Told:
    return Told(f"stopped: {body['target']}", "deny", by(body))


def _resumed(body: dict[str, Any]) -> Told:
    return Told(f"goes on: {body['target']}", "allow", by(body))


def _clock_confirmed(body: dict[str, Any]) -> Told:
    times = [(name.replace("_", " "), moment(body[name])) for name in ("clock", "clock_before", "now")]
    return Told("the clock is relied on again", "allow", [*by(body), *times, ("doubt", body["doubt"])])


def _restored(body: dict[str, Any]) -> Told:
    details = [*by(body), ("before", body["continues"]), ("entries here", str(body["here"]))]
    details += [("lost", f"up to {body['lost']} entries")] if body["lost"] is not None else []
    details += [(f"witness {name}", item["why"]) for name, item in body["witnessed"].items()]
    return Told(f"a backup was restored; the log goes on as {body['origin']}", "deny", details)


def _key_introduced(body: dict[str, Any]) -> Told:
    key = ("key", body["key"])
    if body["replaces"] is None:
        return Told("the first key of the log introduces itself", "", [key, ("by", body["by"])])
    replaced = ("replaces", f"{body['replaces']}{', which was stolen' if body['stolen'] else ''}")
    return Told("another key signs the log from here on", "escalate", [key, replaced, *by(body)])


def _schema_upgraded(body: dict[str, Any]) -> Told:
    return Told(f"tables brought from schema {body['from']} to {body['to']}", "", by(body))


def _started(body: dict[str, Any]) -> Told:
    observes = body["mode"] == OBSERVE
    title = "a guard started that only observes: it enforces nothing" if observes else "guards enforce again"
    details = [("process", body["process"]), ("bundle", body["bundle"])]
    return Told(title, "deny" if observes else "allow", details)


def _asked(power: str, body: dict[str, Any]) -> Told:
    missing = "1 more person" if body["missing"] == 1 else f"{body['missing']} more people"
    until = ("counts until", f"{moment(body['until'])} UTC")
    title = f"asked for, and it takes {missing}: {power.replace('_', ' ')} {body['subject']}"
    return Told(title, "escalate", [*by(body), until])


def _power_refused(body: dict[str, Any]) -> Told:
    why = REFUSED.get(body["refused"], body["refused"])
    title = f"refused: {body['power'].replace('_', ' ')} {body['subject']}"
    return Told(title, "deny", [*by(body), ("refused because", why)])


TELLERS: Mapping[str, Callable[[dict[str, Any]], Told]] = {
    "activated": _activated,
    "halted": _halted,
    "resumed": _resumed,
    "clock_confirmed": _clock_confirmed,
    "restored": _restored,
    "key_introduced": _key_introduced,
    "schema_upgraded": _schema_upgraded,
    "started": _started,
    "power_refused": _power_refused,
    **{f"{power}_asked": partial(_asked, power) for power in POWERS},
}
