"""One policy in plain words for programs: what it allows, what waits for people, what it refuses, and how much."""

from __future__ import annotations

from typing import Any

from agentguard.analysis.explained.surroundings import review_words
from agentguard.core.english.calendars import calendar_words
from agentguard.core.english.parts import (
    contest_words,
    expression_words,
    limit_words,
    promise_words,
    requirement_words,
    route_words,
)
from agentguard.core.policy import Policy


def policy_json(policy: Policy) -> dict[str, Any]:
    """Return a policy in words as JSON."""
    return {
        "policy": policy.name,
        "version": policy.version,
        "owner": policy.owner,
        "description": policy.description,
        "shadow": policy.shadow,
        "actions": list(policy.actions),
        "otherwise": str(policy.otherwise),
        "on_error": str(policy.on_error),
        "rules": [
            {"id": rule.id, "then": str(rule.then), "when": expression_words(rule.when), "line": rule.place.line}
            for rule in policy.rules
        ],
        "names": {name: expression_words(item) for name, item in policy.names.items()},
        "calendars": {name: calendar_words(item, policy.zone_name) for name, item in policy.calendars.items()},
        "limits": {item.id: limit_words(item) for item in policy.limits},
        "requires": {item.id: requirement_words(item) for item in policy.requires},
        "escalations": {item.id: route_words(item) for item in policy.routes.values()},
        "review": None if policy.review is None else review_words(policy.review),
        "contest": None if policy.contest is None else contest_words(policy.contest),
        "guarantees": {item.id: promise_words(item) for item in policy.guarantees},
    }
