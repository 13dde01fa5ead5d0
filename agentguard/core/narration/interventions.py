"""Entries about what operators did, in words: policies put into force, stops, the clock, and who had no power to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from agentguard.core.canary import share_text
from agentguard.core.entry import OBSERVE
from agentguard.core.narration.changes import change_details
from agentguard.core.narration.told import Told, by
from agentguard.core.people import POWERS
from agentguard.core.prose import moment

REFUSED = {
    "no_such_power": "that is not theirs to do",
    "unverified": "nobody checked who they are",
    "own_request": "they had a part in the action",
    "judged_already": "they had judged it already",
    "asked_already": "they had asked already, and it takes somebody else",
    "undeclared": "nothing said there who may, and people who may had put into force what was",
    "unsigned": "they have to sign it, and did not",
    "not_their_key": "it was signed with a key that is not theirs",
}


def openings(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield how the accounts of new and changed limits begin, from an entry that put policies into force."""
    canary = body.get("canary") or {}
    for limit, opening in (*body.get("limits", {}).items(), *canary.get("limits", {}).items()):
        if opening["account"] == "starts_now":
            yield f"{limit}: counts from now on"
        elif opening["account"] == "filled" and any(opening[name] for name in ("movements", "holds", "uncounted")):
            erased = f", {opening['erased']} of them erased" if opening["erased"] else ""
            lost = f"; {opening['uncounted']} could not be counted{erased}" if opening["uncounted"] else ""
            yield f"{limit}: {opening['movements']} settled and {opening['holds']} under way counted from the log{lost}"


def _activated(body: dict[str, Any]) -> Told:
    canary, before = body.get("canary"), body.get("canary_before")
    details = [*by(body), ("bundle", body["bundle"]), ("before", body["before"] or "none")]
    details += [("policy", item) for item in _versions(body["policies"])]
    if canary is not None:
        details += [("canary", f"{canary['bundle']} for {share_text(canary['share'])} of the customers")]
        details += [("canary's policy", item) for item in _versions(canary["policies"])]
    if before is not None:
        details += [("canary before", f"{before['bundle']} for {share_text(before['share'])} of the customers")]
    details += [("limit", opening) for opening in openings(body)]
    return Told(change_of(body), "allow", [*details, *change_details(body)])


def _versions(policies: Mapping[str, Any]) -> list[str]:
    return [f"{name} version {item['version']}" for name, item in policies.items()]


def change_of(body: Mapping[str, Any]) -> str:
    """Return in words what an entry that put something into force changed."""
    now, before = body.get("canary"), body.get("canary_before")
    if now is None and before is None:
        return "policies put into force"
    if now is None:
        if body["bundle"] == body["before"]:
            return "the canary was aborted: the policies in force decide for everybody again"
        return (
            "the canary was promoted: its policies are in force for everybody"
            if before is not None and body["bundle"] == before["bundle"]
            else "other policies put into force, and the canary ended"
        )
    share = f"{share_text(now['share'])} of the customers"
    if before is None or before["bundle"] != now["bundle"]:
        instead = "" if before is None else ", in the place of another one"
        return f"a canary begins{instead}: other policies decide for {share}"
    how = "widened" if now["share"] > before["share"] else "narrowed"
    return f"the canary is {how} from {share_text(before['share'])} to {share}"


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
    return Told(title, "escalate", [*by(body), until, *change_details(body)])


def _activate_withdrawn(body: dict[str, Any]) -> Told:
    asked = [("asked for in", f"entry {pos}") for pos in body["asked"]]
    return Told(f"taken back: activate {body['target']}", "deny", [*by(body), *asked])


def _power_refused(body: dict[str, Any]) -> Told:
    why = REFUSED.get(body["refused"], body["refused"])
    title = f"refused: {body['power'].replace('_', ' ')} {body['subject']}"
    return Told(title, "deny", [*by(body), ("refused because", why)])


TELLERS: Mapping[str, Callable[[dict[str, Any]], Told]] = {
    "activated": _activated,
    "activate_withdrawn": _activate_withdrawn,
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
