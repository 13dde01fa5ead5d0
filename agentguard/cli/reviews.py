"""`agentguard reviews`: decisions that were drawn for people to look at afterwards, and what they found."""

from __future__ import annotations

import csv
import sys
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from agentguard.cli.exits import FOUND
from agentguard.cli.opened import open_as, open_for, open_reading
from agentguard.cli.options import (
    DEFAULT_POLICIES,
    DEFAULT_STORE,
    AsOption,
    JsonOption,
    PeopleOption,
    PoliciesOption,
    StoreOption,
)
from agentguard.cli.output import Output, print_json
from agentguard.core.packet import WIDTH
from agentguard.core.prose import moment, span
from agentguard.core.review_report import COLUMNS, ENOUGH
from agentguard.core.reviews import OPINIONS, SEVERITIES, ReviewCase
from agentguard.engine.guard import Guard
from agentguard.engine.judging import SHOULD, Judgement
from agentguard.errors import UsageError
from agentguard.store.draws import STATES, WAITING

Id = Annotated[str, typer.Argument(help="The case's id, as `reviews list` shows it.")]
Policy = Annotated[str | None, typer.Option("--policy", help="Only what this policy drew.")]
Days = Annotated[int | None, typer.Option("--days", help="Only of so many days; all if left out.", min=1)]


def list_cases(
    state: Annotated[str, typer.Option(help=f"{' or '.join(STATES)}, or `all`.")] = WAITING,
    policy: Policy = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 50,
    after: Annotated[str, typer.Option(help="The last id of the page before.")] = "",
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """List what was drawn, what was drawn first comes first; what people said of it is not told here."""
    if state not in (*STATES, "all"):
        raise UsageError(f"expected one of {', '.join(STATES)} or all, got `{state}`")
    guard = open_reading(store)
    found = guard.reviews.list(None if state == "all" else state, policy=policy, limit=limit, after=after)
    if json:
        print_json([_case(item) for item in found])
        return
    output = Output()
    if not found:
        output.line("nothing waits to be judged" if state == WAITING else "no cases")
        return
    now = guard.store.read(lambda reading: reading.clock().ledger)
    rows = [
        (
            item.id,
            item.policy,
            ", ".join(item.stratum) or "–",
            item.how,
            moment(item.drawn_at),
            span((now - item.drawn_at).total_seconds()),
        )
        for item in found
    ]
    output.table(
        ("case", "policy", "kind", "drawn by", "drawn at (UTC)", "ago"), rows, whole=("case", "drawn at (UTC)")
    )
    if len(found) == limit:
        output.line(f"more may be there: --after {found[-1].id}")


def show(
    case_id: Id,
    outcome: Annotated[
        bool, typer.Option("--outcome", help="With what was decided and said of it; it is recorded that you saw it.")
    ] = False,
    personal: Annotated[
        bool, typer.Option("--personal", help="Everything personal in the clear; it is recorded that you saw it.")
    ] = False,
    why: Annotated[str, typer.Option("--why", help="The reason for --outcome or --personal, for the record.")] = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Show what was asked and known, without what was decided: say first what would have been right."""
    if outcome or personal:
        said = "that you see this goes into the record with a reason"
        guard, person = open_for(store, policies, people, as_, why, said)
        file = guard.reviews.view(case_id, outcome=outcome, personal=personal, **person)
    else:
        file = open_reading(store).reviews.show(case_id)
    if json:
        print_json(file.as_json())
        return
    output = Output()
    for line in file.as_text(min(output.console.width, WIDTH)).splitlines():
        output.line(line, style="bold" if line.isupper() else "")
    output.line()
    if file.outcome is None and not file.purged:
        output.line(f"to judge it: `agentguard reviews judge {case_id} --should allow -r WHY`", style="dim")
    if file.closed:
        output.line("--personal shows what is personal to who may read it, and records that", style="dim")


def judge(
    case_id: Id,
    reason_code: Annotated[
        str, typer.Option("--reason-code", "-r", help="A word for why, like `within_policy`.", show_default=False)
    ],
    should: Annotated[
        str | None, typer.Option("--should", help=f"What would have been right: {', '.join(SHOULD)}.")
    ] = None,
    verdict: Annotated[
        str | None, typer.Option("--verdict", help=f"In place of it, knowing what was decided: {', '.join(OPINIONS)}.")
    ] = None,
    severity: Annotated[
        str, typer.Option("--severity", help=f"How bad it is if it was decided otherwise: {', '.join(SEVERITIES)}.")
    ] = "major",
    note: Annotated[str, typer.Option("--note", help="Words for the record, sealed as personal values are.")] = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Say what would have been right; of somebody else on the same case it is a second opinion."""
    guard, by, authenticated = open_as(store, policies, people, as_)
    found = guard.reviews.judge(
        case_id,
        by=by,
        reason_code=reason_code,
        should=should,
        verdict=verdict,
        severity=severity,
        note=note,
        authenticated=authenticated,
    )
    if json:
        print_json(_judgement(found, by, authenticated))
        return
    output = Output()
    blind = "" if found.blind else ", known before it was judged"
    output.line(f"it was decided to {found.decided}: {found.verdict}, says {by}{blind}")
    if found.opinions > 1:
        output.line(f"{found.opinions} people have judged it; what counts: {found.counts}")
    if found.remedy:
        output.line(found.remedy, style="yellow")


def report(
    policy: Policy = None,
    days: Days = None,
    enough: Annotated[
        int, typer.Option("--enough", help="Below so many judged cases no rate is told.", min=1)
    ] = ENOUGH,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table of comma-separated values.")] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show how often decisions were wrong, with how sure that is: by kind and by version of the policy."""
    guard = open_reading(store)
    found = guard.reviews.report(since=_since(guard, days), policy=policy, enough=enough)
    if json:
        print_json(found.as_json())
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([COLUMNS, *found.rows()])
    else:
        output = Output()
        for line in found.as_text(min(output.console.width, WIDTH)).splitlines():
            output.line(line, style="bold" if line.isupper() else "")


def verify(days: Days = None, store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Make every draw again with the key, and say which cases are missing and which nobody drew."""
    guard = open_reading(store)
    found = guard.reviews.verify(since=_since(guard, days))
    if json:
        print_json(
            {
                "ok": bool(found),
                "decisions": found.decisions,
                "purged": found.purged,
                "cases": found.cases,
                "findings": [
                    {
                        "code": item.code,
                        "policy": item.policy,
                        "action_id": item.action_id,
                        "entry": item.entry,
                        "how": item.how,
                        "words": item.words,
                    }
                    for item in found.findings
                ],
                "truncated": found.truncated,
            }
        )
    else:
        output = Output()
        purged = f" ({found.purged} of them purged)" if found.purged else ""
        output.line(f"{found.decisions} decisions{purged}, {found.cases} cases drawn as they must be")
        for item in found.findings:
            where = f"entry {item.entry}, action {item.action_id}, policy {item.policy}"
            output.line(f"{item.code}: {item.words} ({where}, by the {item.how})", style="red")
        if found.truncated:
            output.line("and more", style="red")
    if not found:
        raise typer.Exit(FOUND)


def _since(guard: Guard, days: int | None) -> datetime | None:
    return None if days is None else guard.store.read(lambda reading: reading.clock().ledger) - timedelta(days=days)


def _case(item: ReviewCase) -> dict[str, Any]:
    return {
        "id": item.id,
        "policy": item.policy,
        "action_id": item.action_id,
        "entry": item.entry,
        "stratum": list(item.stratum),
        "period": item.period,
        "how": item.how,
        "drawn_at": item.drawn_at.isoformat(),
        "judged": item.verdict is not None,
    }


def _judgement(found: Judgement, by: str, authenticated: str) -> dict[str, Any]:
    return {
        "review": found.review,
        "action_id": found.action_id,
        "decided": found.decided,
        "verdict": found.verdict,
        "severity": found.severity,
        "counts": found.counts,
        "opinions": found.opinions,
        "blind": found.blind,
        "entry": found.entry,
        "remedy": found.remedy,
        "by": by,
        "authenticated": authenticated,
    }
