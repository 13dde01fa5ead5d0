"""Whether rows of actions still say what the log says: their state, holds, postings, reversals and escalations.

An entry that does not speak of something is not held against it, so that every entry of every age can be checked. What
was purged cannot be compared any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select

from agentguard.core.lifecycle import State
from agentguard.errors import TamperedError
from agentguard.store.channel import Row
from agentguard.store.reading import Reading
from agentguard.store.rows import holds_of
from agentguard.store.tables import ActionRow, EntryRow, EscalationRow, PostingRow, ReversalRow
from agentguard.store.verification.merging import LAST, Beside, InOrder

Body = Mapping[str, Any]
Report = Callable[[int | None, str, str], None]

_VOTING = frozenset({"voted", "reopened"})
_ENDING = frozenset({"expired", "withdrawn"})
_SETTLING = frozenset({"settled", "recorded"})
_HOLDING = frozenset({State.READY.value, State.EXECUTING.value, State.IN_DOUBT.value})
_WAITING = State.WAITING.value
FIRST, PAST = -(2**62), 2**62
"""Before and after every position of an entry."""

_NAMED = ("tenant", "action", "key", "on_behalf_of")
_SENSELESS = (ValueError, TypeError, KeyError, AttributeError, IndexError, TamperedError)
"""What comes of bytes that nobody of ours wrote."""

_action = ActionRow.__table__
_entry = EntryRow.__table__
_escalation = EscalationRow.__table__
_posting = PostingRow.__table__
_reversal = ReversalRow.__table__

_ACTIONS = InOrder(
    select(
        *(_action.c[name] for name in ("id", "state", "fence", "holds", "escalation", "tenant", "action", "key")),
        *(_action.c[name] for name in ("on_behalf_of", "agent", "conversation", "request_digest")),
    ),
    _action.c.id,
)
_ENTRIES = InOrder(select(_entry.c.action_id, _entry.c.pos, _entry.c.body), _entry.c.action_id, _entry.c.pos)
_POSTED = InOrder(
    select(_posting.c.action_id, _posting.c.account, _posting.c.ts_us, _posting.c.n, _posting.c.amount),
    *(_posting.c[name] for name in ("action_id", "account", "ts_us", "n")),
)
_GIVEN_BACK = InOrder(
    select(_reversal.c.action_id, _reversal.c.account, _reversal.c.original, _reversal.c.amount),
    *(_reversal.c[name] for name in ("action_id", "account", "original")),
)
_ESCALATED = InOrder(
    select(*(_escalation.c[name] for name in ("action_id", "id", "routes", "request_digest", "state", "kind"))),
    *(_escalation.c[name] for name in ("action_id", "id")),
)


class Standing(NamedTuple):
    """Where an action stands as its row says, and who asked for what under which key."""

    id: str
    state: str
    fence: int
    holds: str
    escalation: str | None
    tenant: str
    action: str
    key: str
    on_behalf_of: str
    agent: str
    conversation: str
    request_digest: str


def check_actions(reading: Reading, after: str, last: str, report: Report) -> int:
    """Compare the rows of actions with the entries that speak of them, and return how many there are.

    Args:
        reading: One consistent view.
        after: The id after which the first one comes; empty for the first of all.
        last: The id of the last one.
        report: Told the entry's position or None, a code and a message.
    """
    entries = Beside(_ENTRIES.rows(reading, (after, FIRST if not after else PAST), last))
    posted = Beside(_POSTED.rows(reading, (after, LAST, 0, 0), last))
    given = Beside(_GIVEN_BACK.rows(reading, (after, LAST, LAST), last))
    escalated = Beside(_ESCALATED.rows(reading, (after, LAST), last))
    count = 0
    for row in _ACTIONS.rows(reading, (after,), last):
        action = Standing._make(row)
        _report_removed(entries.before(action.id), report)
        found = [bytes(body) for _, _, body in entries.of(action.id)]
        beside = posted.of(action.id), given.of(action.id), escalated.of(action.id)
        count += 1
        if found and not all(found):
            continue  # it was purged
        bodies = [body for body in map(said_by, found) if body]
        try:
            _check_action(action, bodies, report)
            _check_holds(action, bodies, report)
            _check_postings(action, beside[0], bodies, report)
            _check_reversals(action, beside[1], bodies, report)
            _check_escalations(action, beside[2], bodies, report)
        except _SENSELESS as error:
            words = f"expected entries and rows of action `{action.id}` that make sense, got others: {error!r:.200}"
            report(None, "action", words)
    _report_removed(entries.before(None), report)
    return count


def said_by(data: bytes) -> Body | None:
    """Return what an entry's bytes say, or None where they say nothing; `read_body` asks whether they are canonical."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _report_removed(entries: Iterator[Row], report: Report) -> None:
    """Report the entries of actions that have no row."""
    for action_id, pos, body in entries:
        if body and "state" in (said_by(bytes(body)) or {"state": "unreadable"}):
            report(pos, "action", f"expected action `{action_id}`, got no such row: it was removed")


def _check_action(row: Standing, bodies: Sequence[Body], report: Report) -> None:
    name = row.id
    said = next((body for body in reversed(bodies) if "state" in body), None)
    if said is None:
        report(None, "action", f"expected an entry about action `{name}`, got none")
        return
    if said["state"] != row.state or said.get("fence", row.fence) != row.fence:
        report(
            None,
            "action",
            f"expected action `{name}` {said['state']} with fence {said.get('fence')} as its last entry says, "
            f"got {row.state} with fence {row.fence}",
        )
    for column, value in _identity(bodies).items():
        if getattr(row, column) != value:
            report(None, "action", f"expected `{column}` of action `{name}` as its entries say, got another one")


def _identity(bodies: Sequence[Body]) -> dict[str, Any]:
    """Return what an action's entries say of who asked for what under which key, by column."""
    first = bodies[0]
    found = {name: first[name] for name in _NAMED if name in first}
    if first.get("kind") == "recorded":  # its key is the source's, whoever acted
        found["agent"] = ""
        named = (("conversation", "source"), ("request_digest", "request_digest"))
        return found | {column: first[name] for column, name in named if name in first}
    if isinstance(first.get("actor"), dict):
        found["agent"] = first["actor"].get("id")
    for body in bodies:
        if body.get("kind") == "decided" and "context" in body:
            conversation = body["context"].get("context.conversation", "")
            if isinstance(conversation, str):
                found["conversation"] = conversation
            if "request_digest" in body:
                found["request_digest"] = body["request_digest"]
            break
    return found


def _check_holds(row: Standing, bodies: Sequence[Body], report: Report) -> None:
    last = max((n for n, body in enumerate(bodies) if body.get("kind") == "decided" and "limits" in body), default=None)
    if last is None:
        return
    decided = bodies[last]
    expected: dict[str, int] = {}
    if row.state in _HOLDING:
        expected = {item["account"]: int(item["amount"]) for item in decided["limits"] if item["account"]}
    if row.state == _WAITING:  # it holds what its route lets it, and its entries say how much
        expected = next((dict(body["holds"]) for body in reversed(bodies) if isinstance(body.get("holds"), dict)), {})
    held = {}
    if row.state in _HOLDING or row.state == _WAITING:
        held = {account: amount for account, (_, amount) in holds_of(row.id, row.holds).items()}
    if row.state in _HOLDING:
        # What was counted before the last decision it held itself, or gave back.
        expected |= {item["account"]: item["amount"] for item in _counted(bodies[last:], "held")}
    if held != {account: amount for account, amount in expected.items() if amount > 0}:
        report(None, "hold", f"expected action `{row.id}` to hold what its entries say, got something else")


def _check_postings(row: Standing, rows: Sequence[Row], bodies: Sequence[Body], report: Report) -> None:
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
    for _, account, _, _, amount in rows:
        posted[account] = posted.get(account, 0) + int(amount)
    if posted != expected:
        report(None, "posting", f"expected the postings of action `{row.id}` as its entries say, got others")


def _check_reversals(row: Standing, rows: Sequence[Row], bodies: Sequence[Body], report: Report) -> None:
    expected: dict[tuple[str, str], int] = {}
    for body in bodies:
        for freed in body.get("freed") or ():
            of = freed["account"], freed["action_id"]
            expected[of] = expected.get(of, 0) + freed["amount"]
    given = {(account, original): int(amount) for _, account, original, amount in rows}
    if given != expected:
        report(None, "reversal", f"expected action `{row.id}` to give back what its entries say, got something else")


def _counted(bodies: Sequence[Body], how: str) -> Iterator[Body]:
    """Yield what limits of other versions counted for an action, later ones or a canary's: `posted` or `held`."""
    for body in bodies:
        if body.get("kind") == "counted":
            yield from body.get(how) or ()


def _check_escalations(row: Standing, rows: Sequence[Row], bodies: Sequence[Body], report: Report) -> None:
    for _, name, routes, request_digest, state, kind in rows:
        opened = next((body for body in bodies if body.get("escalation") == name and body.get("routes")), None)
        if opened is not None and _routes(opened["routes"]) != _routes(orjson.loads(routes)):
            report(None, "escalation", f"expected the routes of escalation `{name}` as its entry says, got others")
        said = [body for body in bodies if body.get("kind") in _VOTING and body.get("escalation") == name]
        if any(body["request_digest"] != request_digest for body in said if "request_digest" in body):
            report(None, "escalation", f"expected escalation `{name}` to be about its action's request, got another")
        waits = row.state == State.WAITING and row.escalation == name
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
