"""Whether rows still say what the log says: actions, holds, postings, reversals, escalations, votes and activations.

An entry that does not speak of something is not held against it, so that every entry of every age can be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import bindparam, select

from agentguard.core.lifecycle import State
from agentguard.store.reading import Reading
from agentguard.store.rows import holds_of
from agentguard.store.statement import Statement
from agentguard.store.tables import (
    ActionRow,
    ActivationRow,
    EntryRow,
    EscalationRow,
    HaltRow,
    PostingRow,
    ReversalRow,
    VoteRow,
)

Body = Mapping[str, Any]
Report = Callable[[int | None, str, str], None]
ReadBody = Callable[[bytes], Body | None]

_VOTING = frozenset({"voted", "reopened"})
_ENDING = frozenset({"expired", "withdrawn"})
_SETTLING = frozenset({"settled", "recorded"})
_HOLDING = frozenset({State.READY.value, State.EXECUTING.value, State.IN_DOUBT.value})
_WAITING = State.WAITING.value

_action = ActionRow.__table__
_activation = ActivationRow.__table__
_entry = EntryRow.__table__
_escalation = EscalationRow.__table__
_halt = HaltRow.__table__
_posting = PostingRow.__table__
_reversal = ReversalRow.__table__
_vote = VoteRow.__table__

_POSTED = Statement(
    select(_posting.c.account, _posting.c.amount).where(_posting.c.action_id == bindparam("action")), ["action"]
)
_GIVEN_BACK = Statement(
    select(_reversal.c.account, _reversal.c.original, _reversal.c.amount).where(
        _reversal.c.action_id == bindparam("action")
    ),
    ["action"],
)
_ESCALATED = Statement(
    select(
        _escalation.c.id, _escalation.c.routes, _escalation.c.request_digest, _escalation.c.state, _escalation.c.kind
    ).where(_escalation.c.action_id == bindparam("action")),
    ["action"],
)


def check_rows(reading: Reading, read_body: ReadBody, report: Report) -> None:
    """Compare every row that may change, or be added to, with the entries that speak of it.

    Args:
        reading: One consistent view.
        read_body: From an entry's bytes to what it says, or None where it says nothing.
        report: Told the entry's position or None, a code and a message.
    """
    for row in reading.rows(select(_action).order_by(_action.c.id)):
        bodies = [body for body in map(read_body, (item.body for item in reading.entries_of(row["id"]))) if body]
        _check_action(row, bodies, report)
        _check_holds(row, bodies, report)
        _check_postings(reading, row, bodies, report)
        _check_reversals(reading, row, bodies, report)
        _check_escalations(reading, row, bodies, report)
    _check_removed(reading, read_body, report)
    _check_votes(reading, read_body, report)
    _check_in_force(reading, read_body, report)


def _check_action(row: Mapping[str, Any], bodies: Sequence[Body], report: Report) -> None:
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


def _check_holds(row: Mapping[str, Any], bodies: Sequence[Body], report: Report) -> None:
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


def _check_postings(reading: Reading, row: Mapping[str, Any], bodies: Sequence[Body], report: Report) -> None:
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
    for account, amount in reading.found(_POSTED, row["id"]):
        posted[account] = posted.get(account, 0) + int(amount)
    if posted != expected:
        report(None, "posting", f"expected the postings of action `{row['id']}` as its entries say, got others")


def _check_reversals(reading: Reading, row: Mapping[str, Any], bodies: Sequence[Body], report: Report) -> None:
    expected: dict[tuple[str, str], int] = {}
    for freed in (item for body in bodies for item in body.get("freed") or ()):
        of = freed["account"], freed["action_id"]
        expected[of] = expected.get(of, 0) + freed["amount"]
    given = {(account, original): int(amount) for account, original, amount in reading.found(_GIVEN_BACK, row["id"])}
    if given != expected:
        report(None, "reversal", f"expected action `{row['id']}` to give back what its entries say, got something else")


def _counted(bodies: Sequence[Body], how: str) -> Iterator[Body]:
    """Yield what limits that came into force later counted for an action: `posted` or `held`."""
    for body in bodies:
        if body.get("kind") == "counted":
            yield from body.get(how) or ()


def _check_escalations(reading: Reading, row: Mapping[str, Any], bodies: Sequence[Body], report: Report) -> None:
    for name, routes, request_digest, state, kind in reading.found(_ESCALATED, row["id"]):
        opened = next((body for body in bodies if body.get("escalation") == name and body.get("routes")), None)
        if opened is not None and _routes(opened["routes"]) != _routes(orjson.loads(routes)):
            report(None, "escalation", f"expected the routes of escalation `{name}` as its entry says, got others")
        said = [body for body in bodies if body.get("kind") in _VOTING and body.get("escalation") == name]
        if any(body["request_digest"] != request_digest for body in said if "request_digest" in body):
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


def _check_votes(reading: Reading, read_body: ReadBody, report: Report) -> None:
    recorded: dict[tuple[str, str], tuple[int, Body]] = {}
    voted = select(_entry.c.pos, _entry.c.body).where(_entry.c.kind == "voted")
    for row in reading.rows(voted.order_by(_entry.c.pos)):
        vote = (read_body(row["body"]) or {}).get("vote")
        if isinstance(vote, dict):
            recorded[(str(vote.get("escalation")), str(vote.get("voter")))] = row["pos"], vote
    for row in reading.rows(select(_vote).order_by(_vote.c.escalation, _vote.c.voter)):
        name = f"the vote of `{row['voter']}` on escalation `{row['escalation']}`"
        _, said = recorded.pop((row["escalation"], row["voter"]), (0, None))
        if said is None:
            report(None, "vote", f"expected an entry that records {name}, got none: nobody cast it")
        elif not _is_vote(row, read_body(row["document"].encode()) or {}, said):
            report(None, "vote", f"expected {name} as its entry says, got another: it was changed")
    for (escalation, voter), (position, _) in sorted(recorded.items()):
        report(
            position, "vote", f"expected the vote of `{voter}` on escalation `{escalation}`, got none: it was removed"
        )


def _is_vote(row: Mapping[str, Any], document: Body, said: Body) -> bool:
    same = all(document.get(name) == value for name, value in said.items())
    return same and bool(row["approve"]) is said.get("approve")


def _routes(routes: Sequence[Body]) -> list[Any]:
    return [[route["id"], route["who"], route["people"]] for route in routes]


def _check_removed(reading: Reading, read_body: ReadBody, report: Report) -> None:
    gone = select(_entry.c.pos, _entry.c.action_id, _entry.c.body).where(
        _entry.c.action_id.is_not(None), _entry.c.action_id.not_in(select(_action.c.id))
    )
    for row in reading.rows(gone.order_by(_entry.c.pos)):
        if "state" in (read_body(row["body"]) or {"state": "unreadable"}):
            report(row["pos"], "action", f"expected action `{row['action_id']}`, got no such row: it was removed")


def _check_in_force(reading: Reading, read_body: ReadBody, report: Report) -> None:
    """Compare which bundles were put into force, and what is stopped, with the entries about both."""
    activated: list[str] = []
    stopped: set[str] = set()
    kinds = _entry.c.kind.in_(("activated", "halted", "resumed"))
    for row in reading.rows(select(_entry.c.kind, _entry.c.body).where(kinds).order_by(_entry.c.pos)):
        body = read_body(row["body"]) or {}
        if row["kind"] == "activated":
            activated.append(body.get("bundle", ""))
        elif row["kind"] == "halted":
            stopped.add(body.get("target", ""))
        else:
            stopped.discard(body.get("target", ""))
    put = [row["bundle"] for row in reading.rows(select(_activation.c.bundle).order_by(_activation.c.n))]
    if put != activated:
        report(None, "activation", "expected the bundles put into force as their entries say, got others")
    for target in sorted({row["target"] for row in reading.rows(select(_halt.c.target))} ^ stopped):
        report(None, "halt", f"expected the stop of `{target}` as its entries say, got it set or lifted without one")
