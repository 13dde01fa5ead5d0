"""`agentguard audit`: the record as people read it, and whether it still says what it said."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from agentguard.cli import timeline
from agentguard.cli.customers import customer_text, narrator
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
from agentguard.cli.privacy import looked_up
from agentguard.core.entry import is_observed
from agentguard.core.narration.narrator import Narrator
from agentguard.core.narration.told import Details
from agentguard.core.prose import inline, moment
from agentguard.engine import machine
from agentguard.engine.guard import Guard
from agentguard.engine.subjects import is_pseudonym
from agentguard.errors import UsageError
from agentguard.store.records import Entry

AGO = re.compile(r"(\d{1,6})\s*(m|min|minutes?|h|hours?|d|days?)")


def list_entries(
    customer: Annotated[str | None, typer.Option(help="Only this customer, by id or pseudonym.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, like `refund.issue`.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only decisions: `allow`, `escalate` or `deny`.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind of entry, like `settled` or `voted`.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only where this rule, limit or requirement had a part.")] = None,
    full: Annotated[str | None, typer.Option(help="Only where this limit would have been passed.")] = None,
    by: Annotated[str | None, typer.Option(help="Only what this person voted on, approved or did.")] = None,
    policy: Annotated[str | None, typer.Option(help="Only under this policy, `refunds` or `refunds@14`.")] = None,
    since: Annotated[
        str | None, typer.Option(help="From then on: `2026-11-20`, `2026-11-20T10:00` or `3 days`.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 50,
    before: Annotated[int, typer.Option(help="Only entries before this position: the next page.", min=0)] = 0,
    why: Annotated[str, typer.Option("--why", help="Why you look a customer up by id; it is recorded.")] = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """List entries, the newest first; times are UTC."""
    if customer is not None and not is_pseudonym(customer):
        looked_up(customer, "audit list", why, as_, store, policies, people)
    guard = open_reading(store)
    found = guard.audit.list(
        after=before,
        limit=limit,
        kind=kind,
        action=action,
        customer=customer,
        verdict=verdict,
        rule=rule,
        full=full,
        by=by,
        policy=policy,
        since=moment_of(since) if since is not None else None,
        newest_first=True,
    )
    if json:
        print_json([document(entry) for entry in found])
        return
    if not found:
        Output().line(_none(guard, {"action": action, "rule": rule, "full": full, "by": by, "policy": policy}))
        return
    _print_list(Output(), guard, found, limit)


def show(
    what: Annotated[
        str, typer.Argument(help="The position of an entry, or the id of an action.", metavar="POS|ACTION_ID")
    ],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show one entry, or one action from request to settlement, in words."""
    guard = open_reading(store)
    if not re.fullmatch(r"[0-9]{1,18}", what):
        record = guard.audit.action(what)
        if json:
            print_json([document(entry) for entry in guard.audit.of(what)])
        else:
            timeline.show(Output(), guard, record)
        return
    entry = guard.audit.show(int(what))
    if json:
        print_json(document(entry))
        return
    output = Output()
    told = narrator(guard, guard.audit.of(entry.action_id) if entry.action_id else [entry])
    timeline.show_entry(output, told, entry, _standing(told, entry))
    timeline.show_notes(output, guard, [entry.pos], entry.action_id)


def document(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON: its place in the log beside its whole body."""
    return {"pos": entry.pos, "at": entry.at.isoformat(), "leaf": entry.leaf, "entry": entry.document}


def moment_of(text: str) -> datetime:
    """Return the instant that a person wrote: a day, a time in UTC unless it names an offset, or how long ago.

    Raises:
        UsageError: It is none of these.
    """
    ago = AGO.fullmatch(text.strip().removesuffix(" ago"))
    try:
        if ago is not None:
            unit = {"m": "minutes", "h": "hours", "d": "days"}[ago[2][0]]
            return machine.wall_clock() - timedelta(**{unit: int(ago[1])})
        read = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise UsageError(f"expected a time like `2026-11-20`, `2026-11-20T10:00` or `3 days`, got `{text}`") from error
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def _none(guard: Guard, asked: dict[str, Any]) -> str:
    """Return that no entry is all of this, and what of it no entry at all is: a mistyped name must not comfort."""
    named = {name: value for name, value in asked.items() if value is not None}
    unknown = [f"--{name} `{value}`" for name, value in named.items() if not guard.audit.list(limit=1, **{name: value})]
    return f"no entries: nothing in the log has {', '.join(unknown)}" if unknown else "no entries"


def _print_list(output: Output, guard: Guard, found: tuple[Entry, ...], limit: int) -> None:
    columns = ["entry", "at (UTC)", "what", "action", "customer", "by"]
    rows = []
    for entry in found:
        body = entry.document
        row = [
            entry.pos,
            moment(entry.at) if output.wide else moment(entry.at)[:16],
            verdict_text(_what(entry.kind, body)),
            body.get("action") or body.get("target") or "–",
            customer_text(guard, body.get("on_behalf_of")),
            _cause(body) if output.wide else _cause(body).replace("/", "/\n", 1),
        ]
        rows.append([*row, entry.action_id or "–"] if output.wide else row)
    output.table([*columns, "action id"] if output.wide else columns, rows, right=("entry",), whole=columns[:3])
    if len(found) == limit:
        output.line(f"more may be there: --before {found[-1].pos}")


def _standing(narrator: Narrator, entry: Entry) -> Details:
    """Return whose entry it is and where it stands in the log."""
    body = entry.document
    about: Details = []
    if entry.action_id:
        asked = [("arguments", inline(body["arguments"]))] if body.get("arguments") else []
        about = [
            ("action", body.get("action", "–")),
            *asked,
            ("who", narrator.who(body)),
            ("action id", entry.action_id),
        ]
    return [
        *about,
        ("in the log", f"stream {entry.stream}, number {entry.seq}"),
        ("digest", entry.leaf),
        ("follows", body.get("prev") or "nothing: it is the first"),
    ]


def _cause(body: dict[str, Any]) -> str:
    """Return what decided, or who acted."""
    if body.get("reasons"):
        return str(body["reasons"][0]["source"])
    if "vote" in body:
        return str(body["vote"]["voter"])
    return str(body.get("by") or body.get("voter") or "–")


def _what(kind: str, body: dict[str, Any]) -> str:
    """Return an entry in a word or two: a decision's verdict, or that people lifted it, a vote, or the entry's kind."""
    if body.get("purged"):
        return f"{kind}, purged"
    if kind == "voted":
        return "voted yes" if body["vote"]["approve"] else "voted no"
    if kind != "decided":
        return kind
    if is_observed(body):
        return f"{body['verdict']}, observed"
    return "approved" if body["approved"] else str(body["verdict"])
