"""`agentguard escalations`: what waits for people, what they have to know, and their votes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import orjson
import typer

from agentguard.cli.customers import customer_text
from agentguard.cli.narration import reason_text
from agentguard.cli.opened import (
    DEFAULT_POLICIES,
    DEFAULT_STORE,
    AppOption,
    AsOption,
    JsonOption,
    PeopleOption,
    PoliciesOption,
    StoreOption,
    open_app,
    open_reading,
    read_people,
    voter,
)
from agentguard.cli.output import Output, print_json, verdict_text
from agentguard.core.packet import WIDTH
from agentguard.core.prose import inline, moment, span
from agentguard.core.request import Vote
from agentguard.engine import escalating
from agentguard.engine.guard import Guard
from agentguard.engine.voting import Ballot
from agentguard.errors import UsageError
from agentguard.store.records import EscalationRecord

app = typer.Typer(help="What waits for people, and their votes.", no_args_is_help=True)

STATES = ("open", "approved", "used", "rejected", "expired", "withdrawn", "passed_on")

Id = Annotated[str, typer.Argument(help="The escalation's id, as `escalations list` shows it.")]
ReasonCode = Annotated[
    str, typer.Option("--reason-code", "-r", help="A word for why, like `within_policy` or `goodwill`.", show_default=False)
]
Note = Annotated[str, typer.Option("--note", help="Words for the record.")]


@app.command("list")
def list_escalations(
    state: Annotated[str, typer.Option(help=f"One of {', '.join(STATES)}, or `all`.")] = "open",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 50,
    after: Annotated[str, typer.Option(help="The last id of the page before.")] = "",
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """List what waits for people, the oldest first; times are UTC."""
    if state not in (*STATES, "all"):
        raise UsageError(f"expected one of {', '.join(STATES)} or all, got `{state}`")
    guard = open_reading(store)
    found = guard.escalations.list(None if state == "all" else state, limit=limit, after=after)
    if json:
        print_json([document(record) for record in found])
        return
    output = Output()
    if not found:
        output.line("nothing waits" if state == "open" else "no escalations")
        return
    now = guard.store.read(lambda reading: reading.now())
    for number, record in enumerate(found):
        if number:
            output.line()
        output.line(record.id, style="bold")
        output.pairs(_summary(guard, record, now), indent=2)
    if len(found) == limit:
        output.line(f"more may be there: --after {found[-1].id}")


@app.command()
def show(
    escalation_id: Id,
    personal: Annotated[
        bool, typer.Option("--personal", help="Everything personal in the clear; it is recorded that you saw it.")
    ] = False,
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Show what was asked, why it waits, and everything it rests on."""
    known = read_people(people, policies)
    guard = open_reading(store, known)
    if personal:
        by, authenticated = voter(known, as_)
        shown = guard.escalations.view(escalation_id, by=by, authenticated=authenticated)
    else:
        shown = guard.escalations.show(escalation_id)
    if json:
        seen = {**document(shown.record), "packet": shown.packet.as_json()}
        print_json({**seen, "votes": [_vote(vote) for vote in shown.votes]})
        return
    output = Output()
    for line in shown.packet.as_text(min(output.console.width, WIDTH)).splitlines():
        output.line(line, style="bold" if line.isupper() else "")
    if shown.packet.closed:
        output.line()
        output.line("--personal shows what is personal to who may decide, and records that", style="dim")


@app.command()
def approve(
    escalation_id: Id,
    reason_code: ReasonCode,
    note: Note = "",
    as_: AsOption = None,
    app: AppOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Vote yes. With --app, the last yes it takes also runs the action, decided again as things stand then."""
    known = read_people(people, policies)
    by, authenticated = voter(known, as_)
    guard = open_reading(store, known)
    ballot = guard.escalations.approve(
        escalation_id, by=by, authenticated=authenticated, reason_code=reason_code, note=note
    )
    answer = None
    if app is not None and ballot.state == escalating.APPROVED:
        answer = open_app(app).execute(ballot.action_id)
    if json:
        status = None if answer is None else answer.for_model()["status"]
        print_json({**_ballot(ballot, by, authenticated), "status": status})
        return
    output = Output()
    if ballot.state == escalating.APPROVED:
        output.line(f"approved by {by}: {ballot.action_id} may run, if facts and limits still allow it", style="green")
        if answer is None:
            output.line("it runs when the application asks again under the same key, or with --app here")
        else:
            output.line(str(answer))
    else:
        output.line(f"{by} said yes; {ballot.missing} more needed")


@app.command()
def reject(
    escalation_id: Id,
    reason_code: ReasonCode,
    note: Note = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Vote no: one no denies the action."""
    known = read_people(people, policies)
    by, authenticated = voter(known, as_)
    ballot = open_reading(store, known).escalations.reject(
        escalation_id, by=by, authenticated=authenticated, reason_code=reason_code, note=note
    )
    if json:
        print_json(_ballot(ballot, by, authenticated))
    else:
        Output().line(f"rejected by {by}: {ballot.action_id} is denied")


def document(record: EscalationRecord) -> dict[str, Any]:
    """Return an escalation as JSON, with what is shown to whoever decides it."""
    return {
        "id": record.id,
        "state": record.state,
        "tenant": record.tenant,
        "action_id": record.action_id,
        "opened_at": record.opened_at.isoformat(),
        "due_at": None if record.due_at is None else record.due_at.isoformat(),
        "closed_at": None if record.closed_at is None else record.closed_at.isoformat(),
        "routes": escalating.routes_of(record),
        "shown": orjson.loads(record.shown),
    }


def _summary(guard: Guard, record: EscalationRecord, now: datetime) -> list[tuple[str, Any]]:
    shown = orjson.loads(record.shown)
    customer = customer_text(guard, shown["on_behalf_of"])
    pairs: list[tuple[str, Any]] = [
        ("action", f"{shown['action']} by {shown['agent']} for {customer}"),
        ("arguments", inline(shown["arguments"]) or "none"),
        (
            "because",
            "; ".join(f"{reason['source']}: {reason_text({'detail': '', **reason})}" for reason in shown["reasons"]),
        ),
        ("waits for", "; ".join(_who(route) for route in escalating.routes_of(record))),
    ]
    if record.state != escalating.OPEN:
        return [*pairs, ("state", verdict_text(record.state)), ("closed at", moment(record.closed_at))]
    return [*pairs, ("due", _due(record.due_at, now)), ("open for", span((now - record.opened_at).total_seconds()))]


def _who(route: dict[str, Any]) -> str:
    people = "1 person" if route["people"] == 1 else f"{route['people']} people"
    late = f", then {route['if_late']}" if route["if_late"] else ", then denied"
    return f"{people} of {' or '.join(route['who'])}{late}"


def _due(due_at: datetime | None, now: datetime) -> str:
    if due_at is None:
        return "–"
    left = (due_at - now).total_seconds()
    return f"{moment(due_at)} UTC, {f'in {span(left)}' if left > 0 else f'late by {span(-left)}'}"


def _vote(vote: Vote) -> dict[str, Any]:
    return {
        "voter": vote.voter,
        "approve": vote.approve,
        "authenticated": vote.authenticated,
        "groups": sorted(vote.groups),
        "reason_code": vote.reason_code,
        "note": vote.note,
        "voted_at": vote.voted_at.isoformat(),
    }


def _ballot(ballot: Ballot, by: str, authenticated: str) -> dict[str, Any]:
    return {
        "escalation": ballot.escalation,
        "state": ballot.state,
        "action_id": ballot.action_id,
        "missing": ballot.missing,
        "entry": ballot.entry,
        "by": by,
        "authenticated": authenticated,
    }
