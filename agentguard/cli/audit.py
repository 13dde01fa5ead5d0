"""`agentguard audit`: the record as people read it, and whether it still says what it said."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from agentguard.cli import exits, timeline
from agentguard.cli.customers import customer_text, narrator
from agentguard.cli.opened import DEFAULT_STORE, JsonOption, StoreOption, open_reading
from agentguard.cli.output import Output, print_json, verdict_text
from agentguard.core.narration.narrator import Narrator
from agentguard.core.narration.told import Details
from agentguard.core.prose import moment
from agentguard.engine import machine
from agentguard.engine.guard import Guard
from agentguard.errors import UsageError
from agentguard.store.records import Entry
from agentguard.store.verification import Verification

app = typer.Typer(help="The audit log: what happened, why, and whether it still says so.", no_args_is_help=True)

AGO = re.compile(r"(\d{1,6})\s*(m|min|minutes?|h|hours?|d|days?)")
VERDICTS = ("allow", "escalate", "deny")


@app.command("list")
def list_entries(
    customer: Annotated[str | None, typer.Option(help="Only this customer, by id or pseudonym.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, like `refund.issue`.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only decisions: `allow`, `escalate` or `deny`.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind of entry, like `settled` or `voted`.")] = None,
    since: Annotated[
        str | None, typer.Option(help="From then on: `2026-11-20`, `2026-11-20T10:00` or `3 days`.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 50,
    before: Annotated[int, typer.Option(help="Only entries before this position: the next page.", min=0)] = 0,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """List entries, the newest first; times are UTC."""
    if verdict is not None and verdict not in VERDICTS:
        raise UsageError(f"expected one of {', '.join(VERDICTS)} for --verdict, got `{verdict}`")
    guard = open_reading(store)
    found = guard.audit.list(
        after=before,
        limit=limit,
        kind=kind,
        action=action,
        customer=customer,
        verdict=verdict,
        since=moment_of(since) if since is not None else None,
        newest_first=True,
    )
    kinds = narrator(guard, ()).kinds
    if not found and kind is not None and kind not in kinds:
        raise UsageError(f"expected one of {', '.join(kinds)} for --kind, got `{kind}`, which no entry is")
    if json:
        print_json([document(entry) for entry in found])
        return
    _print_list(Output(), guard, found, limit)


@app.command()
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


@app.command()
def verify(
    decisions: Annotated[
        bool, typer.Option("--decisions", help="Decide every decision again from its entry and compare.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Check that the log still says what it said: exit code 1 if it does not."""
    guard = open_reading(store)
    checked = _verified(guard, quiet=json)
    differing = _differing(guard) if decisions and checked.ok else []
    if json:
        print_json(_verification(checked, differing if decisions else None))
    else:
        _print_verification(Output(), checked, differing, decisions=decisions)
    if not checked.ok or differing:
        raise typer.Exit(exits.FOUND)


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


def _print_list(output: Output, guard: Guard, found: tuple[Entry, ...], limit: int) -> None:
    if not found:
        output.line("no entries")
        return
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
        about = [("action", body["action"]), ("who", narrator.who(body)), ("action id", entry.action_id)]
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


def _verified(guard: Guard, *, quiet: bool) -> Verification:
    if quiet or not sys.stderr.isatty():
        return guard.audit.verify()
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading entries")
        return guard.audit.verify(lambda read, total: progress.update(task, completed=read, total=total))


def _differing(guard: Guard) -> list[dict[str, Any]]:
    """Decide every decision again; return those that come out otherwise than they are recorded."""
    found: list[dict[str, Any]] = []
    after = 0
    while page := guard.audit.list(after=after, limit=500, kind="decided"):
        for entry in page:
            again = guard.audit.recompute(entry.pos)
            if not again.same:
                found.append({"pos": entry.pos, "differs": list(again.differs), "erased": list(again.erased)})
        after = page[-1].pos
    return [item for item in found if not item["erased"]]


def _verification(checked: Verification, differing: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {
        "ok": checked.ok and not differing,
        "entries": checked.entries,
        "streams": checked.streams,
        "intact": checked.intact,
        "erased": checked.erased,
        "head": checked.head,
        "findings": [{"pos": item.pos, "code": item.code, "message": item.message} for item in checked.findings],
        "truncated": checked.truncated,
        "decisions_that_differ": differing,
    }


def _what(kind: str, body: dict[str, Any]) -> str:
    """Return an entry in a word or two: a decision's verdict, or that people lifted it, a vote, or the entry's kind."""
    if kind == "voted":
        return "voted yes" if body["vote"]["approve"] else "voted no"
    if kind != "decided":
        return kind
    return "approved" if body["approved"] else str(body["verdict"])


def _print_verification(
    output: Output, checked: Verification, differing: list[dict[str, Any]], *, decisions: bool
) -> None:
    for finding in checked.findings:
        output.line(f"{finding.code}: {finding}", style="red")
    for item in differing:
        output.line(f"entry {item['pos']}: decided again, {', '.join(item['differs'])} came out otherwise", style="red")
    if not checked.ok:
        output.line()
        more = " and more" if checked.truncated else ""
        found = "1 finding" if len(checked.findings) == 1 else f"{len(checked.findings)} findings"
        output.line(f"broken: {found}{more} in {checked.entries} entries", style="bold red")
        output.prose(
            f"entries 1 to {checked.intact} join from the first on; what is said after that may be somebody else's"
            if checked.intact
            else "nothing holds from the first entry on"
        )
        return
    output.line(f"intact: {checked.entries} entries, every one says what it said", style="bold green")
    if decisions and not differing:
        output.line("every decision comes out the same when it is decided again")
    if checked.erased:
        output.prose(f"{checked.erased} personal values are erased, as they may be; the entries hold without them")
    output.line(f"head {checked.head or '–'}")
    output.prose("keep the number of entries and the head somewhere else: only that finds a log replaced as a whole")
