"""Whether rows of actions still say what the log says: their state, holds, postings, reversals and escalations.

An entry that does not speak of something is not held against it, so that every entry of every age can be checked. What
was purged cannot be compared any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, select

from agentguard.core.lifecycle import State
from agentguard.store.reading import Reading
from agentguard.store.rows import holds_of
from agentguard.store.tables import ActionRow, EntryRow, EscalationRow, PostingRow, ReversalRow
from agentguard.store.verification.merging import Beside

Body = Mapping[str, Any]
RowOf = Mapping[str, Any]
Report = Callable[[int | None, str, str], None]

_VOTING = frozenset({"voted", "reopened"})
_ENDING = frozenset({"expired", "withdrawn"})
_SETTLING = frozenset({"settled", "recorded"})
_HOLDING = frozenset({State.READY.value, State.EXECUTING.value, State.IN_DOUBT.value})
_WAITING = State.WAITING.value

_action = ActionRow.__table__
_entry = EntryRow.__table__
_escalation = EscalationRow.__table__
_posting = PostingRow.__table__
_reversal = ReversalRow.__table__

_IDENTITY = ("tenant", "agent", "conversation", "key", "action", "request_digest", "on_behalf_of")
_ACTIONS = select(*(_action.c[name] for name in ("id", *_IDENTITY, "escalation", "state", "fence", "holds")))
_ENTRIES = select(_entry.c.action_id, _entry.c.pos, _entry.c.body)
_POSTED = select(_posting.c.action_id, _posting.c.account, _posting.c.amount)
_GIVEN_BACK = select(_reversal.c.action_id, _reversal.c.account, _reversal.c.original, _reversal.c.amount)
_ESCALATED = select(*(_escalation.c[name] for name in ("action_id", "id", "routes", "request_digest", "state", "kind")))


def check_actions(reading: Reading, after: str, last: str | None, report: Report) -> int:
    """Compare the rows of actions with the entries that speak of them, and return how many there are.

    Args:
        reading: One consistent view.
        after: The id after which the first one comes; empty for the first of all.
        last: The id of the last one; None for no end.
        report: Told the entry's position or None, a code and a message.
    """
    order = _posting.c.action_id, _posting.c.account, _posting.c.ts_us, _posting.c.n
    entries = _beside(reading, _ENTRIES, _entry.c.action_id, after, last, _entry.c.action_id, _entry.c.pos)
    posted = _beside(reading, _POSTED, _posting.c.action_id, after, last, *order)
    given = _beside(reading, _GIVEN_BACK, _reversal.c.action_id, after, last, _reversal.c.action_id)
    escalated = _beside(reading, _ESCALATED, _escalation.c.action_id, after, last, _escalation.c.action_id)
    count = 0
    for row in reading.rows(_between(_ACTIONS, _action.c.id, after, last).order_by(_action.c.id)):
        _report_removed(entries.before(row["id"]), report)
        found = [bytes(entry["body"]) for entry in entries.of(row["id"])]
        beside = posted.of(row["id"]), given.of(row["id"]), escalated.of(row["id"])
        count += 1
        if found and not all(found):
            continue  # it was purged
        bodies = [body for body in map(said_by, found) if body]
        _check_action(row, bodies, report)
        _check_holds(row, bodies, report)
        _check_postings(row, beside[0], bodies, report)
        _check_reversals(row, beside[1], bodies, report)
        _check_escalations(row, beside[2], bodies, report)
    _report_removed(entries.before(None), report)
    return count


def said_by(data: bytes) -> Body | None:
    """Return what an entry's bytes say, or None where they say nothing; `read_body` asks whether they are canonical."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _beside(
    reading: Reading,
    query: Select[Any],
    column: ColumnElement[Any],
    after: str,
    last: str | None,
    *order: ColumnElement[Any],
) -> Beside:
    return Beside(reading.rows(_between(query, column, after, last).order_by(*order)), "action_id")


def _between(query: Select[Any], column: ColumnElement[Any], after: str, last: str | None) -> Select[Any]:
    query = query.where(column > after)
    return query if last is None else query.where(column <= last)


def _report_removed(entries: Iterator[RowOf], report: Report) -> None:
    """Report the entries of actions that have no row."""
    for row in entries:
        if row["body"] and "state" in (said_by(bytes(row["body"])) or {"state": "unreadable"}):
            report(row["pos"], "action", f"expected action `{row['action_id']}`, got no such row: it was removed")


def _check_action(row: RowOf, bodies: Sequence[Body], report: Report) -> None:
    name = row["id"]
    said = next((body for body in reversed(bodies) if "state" in body), None)
    if said is None:
        report(None, "action", f"expected an entry about action `{name}`, got none")
        return
    if said["state"] != row["state"] or said.get("fence", row["fence"]) != row["fence"]:
        report(
            None,
            "action",
            f"expected action `{name}` {said['state']} with fence {said.get('fence')} as its last entry says, "
            f"got {row['state']} with fence {row['fence']}",
        )
    for column, value in _identity(bodies):
        if row[column] != value:
            report(None, "action", f"expected `{column}` of action `{name}` as its entries say, got another one")


def _identity(bodies: Sequence[Body]) -> Iterator[tuple[str, Any]]:
    """Yield what an action's entries say of who asked for what under which key."""
    first = bodies[0]
    yield from ((name, first[name]) for name in ("tenant", "action", "key", "on_behalf_of") if name in first)
    if first.get("kind") == "recorded":  # its key is the source's, whoever acted
        yield "agent", ""
        named = (("conversation", "source"), ("request_digest", "request_digest"))
        yield from ((column, first[name]) for column, name in named if name in first)
        return
    if isinstance(first.get("actor"), dict):
        yield "agent", first["actor"].get("id")
    decided = next((body for body in bodies if body.get("kind") == "decided" and "context" in body), None)
    if decided is None:
        return
    conversation = decided["context"].get("context.conversation", "")
    if isinstance(conversation, str):
        yield "conversation", conversation
    if "request_digest" in decided:
        yield "request_digest", decided["request_digest"]


def _check_holds(row: RowOf, bodies: Sequence[Body], report: Report) -> None:
    decided = next((body for body in reversed(bodies) if body.get("kind") == "decided" and "limits" in body), None)
    if decided is None:
        return
    expected: dict[str, int] = {}
    if row["state"] in _HOLDING:
        expected = {item["account"]: int(item["amount"]) for item in decided["limits"] if item["account"]}
    if row["state"] == _WAITING:  # it holds what its route lets it, and its entries say how much
        expected = next((dict(body["holds"]) for body in reversed(bodies) if isinstance(body.get("holds"), dict)), {})
    held = {}
    if row["state"] in _HOLDING or row["state"] == _WAITING:
        held = {account: amount for account, (_, amount) in holds_of(row["id"], row["holds"]).items()}
    if row["state"] in _HOLDING:
        expected |= {item["account"]: item["amount"] for item in _counted(bodies, "held")}
    if held != {account: amount for account, amount in expected.items() if amount > 0}:
        report(None, "hold", f"expected action `{row['id']}` to hold what its entries say, got something else")


def _check_postings(row: RowOf, rows: Sequence[RowOf], bodies: Sequence[Body], report: Report) -> None:
    if not any("limits" in body for body in bodies):
        return
    expected: dict[str, int] = {}
    for body in bodies:
        if body.get("kind") in _SETTLING:
            for account, amount in (body.get("settled") or {}).items():
                expected[account] = expected.get(account, 0) + int(amount)
    for counted in _counted(bodies, "posted"):
        expected[counted["account"]] = expected.get(counted["account"], 0) + counted["amount"]
    posted: dict[str, int] = {}
    for posting in rows:
        posted[posting["account"]] = posted.get(posting["account"], 0) + int(posting["amount"])
    if posted != expected:
        report(None, "posting", f"expected the postings of action `{row['id']}` as its entries say, got others")


def _check_reversals(row: RowOf, rows: Sequence[RowOf], bodies: Sequence[Body], report: Report) -> None:
    expected: dict[tuple[str, str], int] = {}
    for freed in (item for body in bodies for item in body.get("freed") or ()):
        of = freed["account"], freed["action_id"]
        expected[of] = expected.get(of, 0) + freed["amount"]
    given = {(found["account"], found["original"]): int(found["amount"]) for found in rows}
    if given != expected:
        report(None, "reversal", f"expected action `{row['id']}` to give back what its entries say, got something else")


def _counted(bodies: Sequence[Body], how: str) -> Iterator[Body]:
    """Yield what limits that came into force later counted for an action: `posted` or `held`."""
    for body in bodies:
        if body.get("kind") == "counted":
            yield from body.get(how) or ()


def _check_escalations(row: RowOf, rows: Sequence[RowOf], bodies: Sequence[Body], report: Report) -> None:
    for found in rows:
        name, state, kind = found["id"], found["state"], found["kind"]
        opened = next((body for body in bodies if body.get("escalation") == name and body.get("routes")), None)
        if opened is not None and _routes(opened["routes"]) != _routes(orjson.loads(found["routes"])):
            report(None, "escalation", f"expected the routes of escalation `{name}` as its entry says, got others")
        said = [body for body in bodies if body.get("kind") in _VOTING and body.get("escalation") == name]
        if any(body["request_digest"] != found["request_digest"] for body in said if "request_digest" in body):
            report(None, "escalation", f"expected escalation `{name}` to be about its action's request, got another")
        waits = row["state"] == State.WAITING and row["escalation"] == name
        expected = _state_said(name, bodies)
        used = expected == "approved" and state == "used" and not waits
        # One that nobody had to answer any more is closed with the decision that says so.
        over = expected == "open" and state == "withdrawn" and not waits
        if kind != "approval" and not said:
            continue  # a contest is of an action that has ended, and its end is told by what followed from it
        if state != expected and not used and not over:
            report(None, "escalation", f"expected escalation `{name}` {expected} as its entries say, got it {state}")
        elif kind == "approval" and state in ("open", "approved") and not waits:
            report(None, "escalation", f"expected escalation `{name}` to have ended with its action, got it {state}")


def _state_said(name: str, bodies: Sequence[Body]) -> str:
    """Return where an escalation stands as the entries of its action say."""
    state = "open"
    for body in bodies:
        kind = body.get("kind")
        if kind == "passed_on" and body.get("late") == name:
            state = "passed_on"
        elif body.get("escalation") != name:
            continue
        elif kind == "voted":
            state = body.get("escalation_state", state)
        elif kind == "reopened" or (kind in _ENDING and state == "open"):
            state = "open" if kind == "reopened" else str(kind)
    return state


def _routes(routes: Sequence[Body]) -> list[Any]:
    return [[route["id"], route["who"], route["people"]] for route in routes]
