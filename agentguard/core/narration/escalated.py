"""Entries about what waits for people, in words: what was refused, what waits again, what was put in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentguard.core.narration.told import Told, by
from agentguard.core.prose import known_by

WHY_NOT = {
    "absent": "they are absent today",
    "customer_unknown": "the keys that tell whether they are the customer were not there",
    "late": "its time was over",
    "no_people": "nothing says who the people are",
    "not_admitted": "no route admits them",
    "not_changeable": "that may not be changed",
    "not_open": "nobody could decide it any more",
    "other_request": "it was about another request",
    "own_request": "they asked for it themselves",
    "people_unavailable": "who the people are could not be told",
    "raises": "nothing may be raised",
    "reason_code": "the route does not take that reason",
    "seen_before": "they have seen the case before",
    "unchanged": "nothing would have changed",
    "unverified": "nobody checked who they are",
    "voted_already": "they have voted already, or somebody in their place",
}


def _refused(body: dict[str, Any]) -> Told:
    details = [("known by", known_by(body["authenticated"])), ("escalation", body["escalation"])]
    return Told(f"{body['voter']} may not {body['tried']} it: {WHY_NOT.get(body['why'], body['why'])}", "deny", details)


def _reopened(body: dict[str, Any]) -> Told:
    lost = [
        ("not counted", f"{item['voter']}: {WHY_NOT.get(item['why'], item['why'])}") for item in body["not_counted"]
    ]
    return Told("waits again: votes do not count any more", "waiting", [("escalation", body["escalation"]), *lost])


def _amended(body: dict[str, Any]) -> Told:
    changed = ("changed", ", ".join(body["changed"]))
    return Told("amended: another action takes its place", "deny", [*by(body), changed, ("action", body["amended"])])


def _proposed(body: dict[str, Any]) -> Told:
    return Told("proposed in the place of another action", "", [*by(body), ("relates to", body["relates_to"])])


def _conflict(body: dict[str, Any]) -> Told:
    return Told("another request came under its key: refused, and nothing ran", "deny", [("request", body["tried"])])


def _contested(body: dict[str, Any]) -> Told:
    where = [("channel", body["channel"])] if body["channel"] else []
    who = ", ".join(sorted({who for route in body["routes"] for who in route["who"]}))
    details = [("taken down by", body["by"]), *where, ("escalation", body["escalation"]), ("decided by", who)]
    return Told("contested by the customer; the words are sealed", "waiting", details)


def _contest_ended(body: dict[str, Any]) -> Told:
    if body["outcome"] == "upheld":
        return Told("the contest is upheld: a person asks for it", "allow", [*by(body), ("action", body["upheld_as"])])
    why = {"expired": "nobody decided in time"}.get(body["outcome"], body["outcome"])
    return Told(f"the contest is over, {why}: it stays denied", "deny", [*by(body), ("escalation", body["escalation"])])


TELLERS: Mapping[str, Callable[[dict[str, Any]], Told]] = {
    "vote_refused": _refused,
    "key_conflict": _conflict,
    "reopened": _reopened,
    "amended": _amended,
    "proposed": _proposed,
    "contested": _contested,
    "contest_ended": _contest_ended,
}
