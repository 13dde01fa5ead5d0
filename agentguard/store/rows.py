"""Rows and records of the same thing, one turned into the other."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping

from agentguard.core.digest import canonical_bytes, time_text
from agentguard.core.lifecycle import State
from agentguard.core.request import Vote
from agentguard.errors import TamperedError
from agentguard.store.moment import (
    from_microseconds,
    optional_from_microseconds,
    optional_to_microseconds,
    to_microseconds,
)
from agentguard.store.records import ActionRecord, Entry, EscalationRecord

# A record's instants by name, and the columns of microseconds they are kept in.
_ACTION_TIMES = {
    "asked_at": "asked_us",
    "began_at": "began_us",
    "deadline": "deadline_us",
    "lease_until": "lease_us",
    "updated_at": "updated_us",
}


def action_values(changes: dict[str, Any]) -> dict[str, Any]:
    """Return a record's or a change's values by column."""
    values = dict(changes)
    for name, column in _ACTION_TIMES.items():
        if name in values:
            values[column] = optional_to_microseconds(values.pop(name))
    if "state" in values:
        values["state"] = values["state"].value
    return values


def action_record(row: RowMapping) -> ActionRecord:
    """Return the record of an action's row."""
    values = dict(row)
    for name, column in _ACTION_TIMES.items():
        values[name] = optional_from_microseconds(values.pop(column))
    try:
        values["state"] = State(values["state"])
    except ValueError as error:
        raise TamperedError(f"expected a state of action `{row['id']}`, got `{row['state']}`") from error
    return ActionRecord(**values)


def entry_record(row: RowMapping) -> Entry:
    """Return the record of an entry's row."""
    return Entry(
        row["pos"],
        row["stream"],
        row["seq"],
        row["ts_us"],
        row["kind"],
        row["action_id"],
        row["leaf"],
        bytes(row["body"]),
    )


def escalation_record(row: RowMapping) -> EscalationRecord:
    """Return the record of an escalation's row."""
    return EscalationRecord(
        id=row["id"],
        tenant=row["tenant"],
        action_id=row["action_id"],
        routes=row["routes"],
        request_digest=row["request_digest"],
        reasons=tuple(orjson.loads(row["reasons"])),
        shown=row["shown"],
        opened_at=from_microseconds(row["opened_us"]),
        due_at=optional_from_microseconds(row["due_us"]),
        state=row["state"],
        closed_at=optional_from_microseconds(row["closed_us"]),
    )


def escalation_values(record: EscalationRecord) -> dict[str, Any]:
    """Return an escalation's values by column."""
    values = asdict(record)
    values["reasons"] = canonical_bytes(list(record.reasons)).decode()
    values["opened_us"] = to_microseconds(values.pop("opened_at"))
    values["due_us"] = optional_to_microseconds(values.pop("due_at"))
    values["closed_us"] = optional_to_microseconds(values.pop("closed_at"))
    return values


def vote_values(vote: Vote) -> dict[str, Any]:
    """Return a vote's values by column, the whole vote as canonical JSON among them."""
    document = asdict(vote)
    document["groups"] = sorted(vote.groups)
    document["reasons"] = sorted(vote.reasons)
    document["voted_at"] = time_text(vote.voted_at)
    document["viewed_at"] = None if vote.viewed_at is None else time_text(vote.viewed_at)
    return {
        "escalation": vote.escalation,
        "voter": vote.voter,
        "approve": int(vote.approve),
        "document": canonical_bytes(document).decode(),
        "voted_us": to_microseconds(vote.voted_at),
    }


def vote_record(text: str) -> Vote:
    """Return the vote that was kept as canonical JSON."""
    document = orjson.loads(text)
    for name in ("groups", "reasons"):
        document[name] = frozenset(document[name])
    for name in ("voted_at", "viewed_at"):
        if document[name] is not None:
            document[name] = datetime.fromisoformat(document[name]).astimezone(UTC)
    return Vote(**document)
