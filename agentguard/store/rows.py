"""Rows and records of the same thing, one turned into the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import orjson

from agentguard.core.digest import canonical_bytes, time_text
from agentguard.core.lifecycle import HOLDING, State
from agentguard.core.request import Vote
from agentguard.errors import TamperedError
from agentguard.store.memory import Action
from agentguard.store.moment import (
    from_microseconds,
    optional_from_microseconds,
    optional_to_microseconds,
    to_microseconds,
)
from agentguard.store.records import ActionRecord, Entry, EscalationRecord
from agentguard.store.tables import ActionRow

ACTION = ActionRow.__table__

_PLAIN = (
    "id",
    "tenant",
    "agent",
    "conversation",
    "key",
    "action",
    "request_digest",
    "on_behalf_of",
    "effect",
    "arguments",
    "request",
    "fence",
    "attempt",
    "bundle",
    "escalation",
    "decision_entry",
    "relates_to",
    "external_reference",
    "answer",
)
# A record's instants by name, and the columns of microseconds they are kept in.
_TIMES = {
    "asked_at": "asked_us",
    "began_at": "began_us",
    "deadline": "deadline_us",
    "lease_until": "lease_us",
    "updated_at": "updated_us",
}
_NEVER_MOVED = 9
"""How many of the columns say who asked for what: no move changes them."""

ACTION_COLUMNS = tuple(ACTION.c[name] for name in (*_PLAIN, "state", *_TIMES.values(), "holds"))
"""In the order of the rows that `action_row` gives and `action_of` takes."""

MOVED_COLUMNS = ACTION_COLUMNS[_NEVER_MOVED:]

_plain_of = attrgetter(*_PLAIN)
_times_of = attrgetter(*_TIMES)
_STATES = {state.value: state for state in State}


def action_row(action: Action) -> tuple[Any, ...]:
    """Return an action's values in the order of `ACTION_COLUMNS`."""
    record = action.record
    holds = [[account, unit, amount] for account, (unit, amount) in sorted(action.holds.items())]
    return (
        *_plain_of(record),
        record.state.value,
        *[None if moment is None else to_microseconds(moment) for moment in _times_of(record)],
        orjson.dumps(holds).decode(),
    )


def moved_row(action: Action, before: ActionRecord) -> tuple[Any, ...]:
    """Return what a move writes: the values of `MOVED_COLUMNS`, then the id, and the state and fence it had before."""
    return (*action_row(action)[_NEVER_MOVED:], before.id, before.state.value, before.fence)


def action_of(row: Sequence[Any]) -> Action:
    """Return the action that a row of `ACTION_COLUMNS` says.

    Raises:
        TamperedError: No action is in such a state or holds such a thing.
    """
    plain, state, times, holds = row[: len(_PLAIN)], row[len(_PLAIN)], row[len(_PLAIN) + 1 : -1], row[-1]
    found = _STATES.get(state)
    if found is None:
        raise TamperedError(f"expected a state of action `{row[0]}`, got `{state}`")
    values = dict(zip(_PLAIN, plain, strict=True))
    for name, moment in zip(_TIMES, times, strict=True):
        values[name] = None if moment is None else from_microseconds(moment)
    record = ActionRecord(**values, state=found)
    return Action(record, holds_of(row[0], holds), found in HOLDING)


def holds_of(action_id: str, text: str) -> dict[str, tuple[str, int]]:
    """Return what the `holds` of an action's row say, by account.

    Raises:
        TamperedError: It is not what the store writes there.
    """
    try:
        return {account: (unit, int(amount)) for account, unit, amount in orjson.loads(text)}
    except (ValueError, TypeError) as error:
        raise TamperedError(f"expected what action `{action_id}` holds, got `{text:.100}`") from error


def entry_record(row: Mapping[str, Any]) -> Entry:
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


def escalation_record(row: Mapping[str, Any]) -> EscalationRecord:
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
        remind_at=optional_from_microseconds(row["remind_us"]),
        state=row["state"],
        kind=row["kind"],
        closed_at=optional_from_microseconds(row["closed_us"]),
    )


def escalation_values(record: EscalationRecord) -> dict[str, Any]:
    """Return an escalation's values by column."""
    values = asdict(record)
    values["reasons"] = canonical_bytes(list(record.reasons)).decode()
    values["opened_us"] = to_microseconds(values.pop("opened_at"))
    values["due_us"] = optional_to_microseconds(values.pop("due_at"))
    values["remind_us"] = optional_to_microseconds(values.pop("remind_at"))
    values["closed_us"] = optional_to_microseconds(values.pop("closed_at"))
    return values


def vote_values(vote: Vote) -> dict[str, Any]:
    """Return a vote's values by column, the whole vote as canonical JSON among them."""
    document = asdict(vote)
    for name in ("groups", "reasons", "late"):
        document[name] = sorted(document[name])
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
    for name in ("groups", "reasons", "late"):
        document[name] = frozenset(document[name])
    for name in ("voted_at", "viewed_at"):
        if document[name] is not None:
            document[name] = datetime.fromisoformat(document[name]).astimezone(UTC)
    return Vote(**document)
