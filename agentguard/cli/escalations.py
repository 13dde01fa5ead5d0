"""`agentguard escalations`: what waits for people, what they have to know, and their votes."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import orjson
import typer
from rich.text import Text

from agentguard.cli.customers import customer_text
from agentguard.cli.identity import read_people, voter
from agentguard.cli.opened import open_reading
from agentguard.cli.options import (
    DEFAULT_POLICIES,
    DEFAULT_STORE,
    AsOption,
    JsonOption,
    PeopleOption,
    PoliciesOption,
    StoreOption,
)
from agentguard.cli.output import Output, print_json, verdict_text
from agentguard.cli.votes import Id
from agentguard.core.narration.narrator import reason_text
from agentguard.core.packet import WIDTH
from agentguard.core.prose import inline, moment, printable, span
from agentguard.core.request import Vote
from agentguard.engine import escalating
from agentguard.engine.figures import Figures, Voter
from agentguard.engine.guard import Guard
from agentguard.errors import UsageError
from agentguard.store.records import EscalationRecord

STATES = escalating.STATES
_BESIDE = 13
"""How far in the values of a list stand, beside their names."""


def list_escalations(
    state: Annotated[str, typer.Option(help=f"One of {', '.join(STATES)}, or `all`.")] = "open",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 50,
    after: Annotated[str, typer.Option(help="The last id of the page before.")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only what you can decide now.")] = False,
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """List what waits for people, what is due first; times are UTC."""
    if state not in (*STATES, "all"):
        raise UsageError(f"expected one of {', '.join(STATES)} or all, got `{state}`")
    if mine and state != escalating.OPEN:
        raise UsageError(f"expected --mine of what is open, got `--state {state}`: nobody can decide that any more")
    known = read_people(people, policies) if mine else None
    guard = open_reading(store, known)
    if mine:
        found = guard.escalations.for_person(voter(known, as_)[0], limit=limit, after=after)
    else:
        found = guard.escalations.list(None if state == "all" else state, limit=limit, after=after)
    if json:
        print_json([document(record) for record in found])
        return
    output = Output()
    if not found:
        nothing = "nothing waits for you" if mine else "nothing waits"
        output.line(nothing if state == escalating.OPEN else "no escalations")
        return
    now = guard.store.read(lambda reading: reading.now())
    text = Text()  # printed at once: a thousand tables would take ten times as long
    for record in found:
        text.append(f"\n\n{record.id}" if text else record.id, style="bold")
        for name, value in _summary(guard, record, now):
            text.append(f"\n  {name:<9}  ", style="dim")
            text.append(value if isinstance(value, Text) else _hanging(output, printable(value)))
    output.text(text)
    if len(found) == limit:
        output.line(f"more may be there: --after {found[-1].id}")


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
        earlier = [
            {"id": record.id, "state": record.state, "votes": [_vote(vote) for vote in votes_then]}
            for record, votes_then in shown.earlier
        ]
        seen = {**document(shown.record), "packet": shown.packet.as_json()}
        print_json({**seen, "votes": [_vote(vote) for vote in shown.votes], "earlier": earlier})
        return
    output = Output()
    for line in shown.packet.as_text(min(output.console.width, WIDTH)).splitlines():
        output.line(line, style="bold" if line.isupper() else "")
    output.line()
    if shown.record.state == escalating.OPEN:
        others = "`reject`, or `amend`" if shown.packet.changeable else "`reject`"
        output.sentence(
            f"to decide it: `agentguard escalations approve {escalation_id} -r WHY`, or {others}", style="dim"
        )
    if shown.packet.closed:
        output.sentence("--personal shows what is personal to who may decide, and records that", style="dim")


def stats(
    days: Annotated[
        int | None, typer.Option(help="Only what was opened in so many days; all if left out.", min=1)
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show how people decide: by route and by person, how much, how fast, how often too late."""
    guard = open_reading(store)
    since = None if days is None else guard.store.read(lambda reading: reading.now()) - timedelta(days=days)
    found = guard.escalations.stats(since=since)
    if json:
        print_json(
            {
                "since": None if since is None else since.isoformat(),
                "routes": [_figures(item) for item in found.routes],
                "voters": [_figures(item) for item in found.voters],
            }
        )
        return
    output = Output()
    if not found.routes:
        output.line("nothing ever waited")
        return
    output.table(
        ("route", "open", "approved", "rejected", "amended", "withdrawn", "late", "median", "95 of 100"),
        [
            (
                item.route,
                item.open,
                *(_share(number, item.decided) for number in (item.approved, item.rejected, item.amended)),
                item.withdrawn,
                item.late,
                _time(item.median),
                _time(item.slowest_twentieth),
            )
            for item in found.routes
        ],
    )
    if found.voters:
        output.line()
        output.table(
            ("who", "approved", "rejected", "amended", "median"),
            [(item.voter, item.approved, item.rejected, item.amended, _time(item.median)) for item in found.voters],
        )


def _hanging(output: Output, value: str) -> str:
    """Return a value whose further lines stand below its first one, where a terminal is narrower than it is."""
    if not output.console.is_terminal or len(value) + _BESIDE <= output.console.width:
        return value
    lines = textwrap.wrap(value, max(output.console.width - _BESIDE, _BESIDE), break_on_hyphens=False)
    return f"\n{' ' * _BESIDE}".join(lines)


def _figures(item: Figures | Voter) -> dict[str, Any]:
    found = asdict(item)
    return {
        name.replace("median", "median_seconds").replace("slowest_twentieth", "seconds_of_95_percent"): (
            value.total_seconds() if isinstance(value, timedelta) else value
        )
        for name, value in found.items()
    }


def _share(number: int, of: int) -> str:
    return f"{number} ({100 * number / of:.0f} %)" if of else str(number)


def _time(taken: timedelta | None) -> str:
    return "–" if taken is None else span(taken.total_seconds())


def document(record: EscalationRecord) -> dict[str, Any]:
    """Return an escalation as JSON, with what is shown to whoever decides it."""
    return {
        "id": record.id,
        "kind": record.kind,
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
    because = [f"{reason['source']}: {reason_text({'detail': '', **reason})}" for reason in shown["reasons"]]
    times: list[tuple[str, Any]]
    if record.state == escalating.OPEN:
        times = [("due", _due(record.due_at, now)), ("open for", span((now - record.opened_at).total_seconds()))]
    else:
        times = [("state", verdict_text(record.state)), ("closed at", f"{moment(record.closed_at)} UTC")]
    asked = [
        *([("contests", f"the denial of {record.action_id}")] if record.kind == escalating.CONTEST else []),
        ("action", f"{shown['action']} by {shown['agent']} for {customer}"),
        ("arguments", inline(shown["arguments"]) or "none"),
        *(("" if number else "because", reason) for number, reason in enumerate(because)),
    ]
    waits = [("waits for", "; ".join(_who(route) for route in escalating.routes_of(record)))]
    return [*times, *asked, *(waits if record.state == escalating.OPEN else [])]


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
        "stands_for": vote.stands_for,
        "viewed_at": None if vote.viewed_at is None else vote.viewed_at.isoformat(),
        "voted_at": vote.voted_at.isoformat(),
    }
