"""Entries about reviews, in words: what was drawn, who looked at what was decided, what was said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentguard.core.narration.told import Told, by
from agentguard.core.reviews import DRAWN, LEAST, REVIEWED, WRONG


def _drawn(body: dict[str, Any]) -> Told:
    how = "too few of its kind were drawn" if body["how"] == LEAST else "the policy's share took it"
    kind = [("kind", f"{name} {value or 'not named'}") for name, value in body["stratum"].items()]
    policy = ("policy", f"{body['policy']} version {body['version']}")
    return Told("drawn for a review", "", [("case", body["review"]), policy, ("because", how), *kind])


def _reviewed(body: dict[str, Any]) -> Told:
    wrong = body["verdict"] == WRONG
    details = [*by(body), ("case", body["review"]), ("decided", body["decided"])]
    details += [("right would be", body["should"])] if body["should"] else []
    details += [("reason code", body["reason_code"])]
    details += [("how", "without knowing what was decided" if body["blind"] else "knowing what was decided")]
    details += [("opinion", f"number {body['opinion']}; what counts: {body['counts']}")] if body["opinion"] > 1 else []
    details += [("note", "sealed")] if body["note"] else []
    severity = f" ({body['severity']})" if body["severity"] else ""
    return Told(f"judged afterwards: {body['verdict']}{severity}", "deny" if wrong else "allow", details)


def _opened(body: dict[str, Any]) -> Told:
    return Told("somebody who may judge it saw what was decided", "", [*by(body), ("case", body["review"])])


TELLERS: Mapping[str, Callable[[dict[str, Any]], Told]] = {
    DRAWN: _drawn,
    REVIEWED: _reviewed,
    "review_opened": _opened,
}
