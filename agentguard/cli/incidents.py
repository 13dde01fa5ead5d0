"""`agentguard audit affected` and `audit note`: whom a mistake touched, and what was found out about it."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import asdict, astuple, fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard.cli.audit import moment_of
from agentguard.cli.identity import operator, read_people
from agentguard.cli.opened import open_as, open_reading
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
from agentguard.cli.spreadsheet import require_new, table_in
from agentguard.core.prose import moment, numbered
from agentguard.engine.affected import Affected, Case, Suspect
from agentguard.engine.guard import Guard
from agentguard.engine.powers import Person
from agentguard.engine.privacy import Look
from agentguard.errors import UsageError

MOST_SHOWN = 50
COLUMNS = tuple(field.name for field in fields(Case))
_WHERE = "audit affected"


def affected(
    policy: Annotated[str | None, typer.Option(help="A policy, like `refunds` or `refunds@14`.")] = None,
    rule: Annotated[str | None, typer.Option(help="A rule, limit or requirement, like `refunds/small`.")] = None,
    model: Annotated[str | None, typer.Option(help="The model that the agent used.")] = None,
    agent: Annotated[str | None, typer.Option(help="The agent, by id.")] = None,
    fact: Annotated[str | None, typer.Option(help="A fact that was read, like `order.total`.")] = None,
    source: Annotated[str | None, typer.Option(help="Where a fact came from.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only `allow`, `escalate` or `deny`.")] = None,
    since: Annotated[str | None, typer.Option(help="Decided from then on: `2026-11-20` or `3 days`.")] = None,
    until: Annotated[str | None, typer.Option(help="Decided until then.")] = None,
    amount: Annotated[
        str | None, typer.Option(help="The argument that is the amount, where there are several.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write every case to this file, as CSV.")] = None,
    customers: Annotated[
        bool, typer.Option("--customers", help="Name customers by their own id, if you may; that is recorded first.")
    ] = False,
    why: Annotated[str, typer.Option(help="Why customers are to be named.")] = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """List the actions that a policy, rule, model, agent or fact's source decided, and what to look at in each."""
    suspect = Suspect(policy, rule, model, agent, fact, source, verdict)
    require_new(out)
    if customers and not why.strip():
        raise UsageError("expected --why with --customers: who looks up whose ids has a reason in the record")
    known = read_people(people, policies) if customers else None
    guard = open_reading(store, known)
    window: dict[str, Any] = {
        "since": None if since is None else moment_of(since),
        "until": None if until is None else moment_of(until),
        "amount": amount,
    }
    if customers:
        by, authenticated = operator(known, as_)
        _look(guard, suspect, window, {"by": by, "why": why, "authenticated": authenticated})
    shown: list[Case] = []
    with nullcontext() if out is None else table_in(out, COLUMNS) as table:

        def tell(case: Case) -> None:
            """Write a case to the file, and keep those that are shown."""
            named = _named(guard, case) if customers else case
            if table is not None:
                table.row(_row(named))
            if json or len(shown) < MOST_SHOWN:
                shown.append(named)

        total = guard.audit.affected(suspect, tell, **window)
    if json:
        print_json(_document(total, shown))
    else:
        _say(Output(), total, shown, out)


def note(
    incident: Annotated[str, typer.Option(help="What it is called where incidents are kept, like `INC-1042`.")],
    why: Annotated[str, typer.Option(help="What was found out; it goes into the record.")],
    about: Annotated[
        list[str] | None, typer.Option(help="Position of an entry, or id of an action; repeat it.")
    ] = None,
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Note an incident about entries or actions, for good; `audit show` tells of it."""
    guard, by, authenticated = open_as(store, policies, people, as_)
    places = [int(item) if re.fullmatch(r"[0-9]{1,18}", item) else item for item in about or ()]
    noted = guard.audit.note(incident, places, tenant=guard.tenant, by=by, why=why, authenticated=authenticated)
    if json:
        print_json(asdict(noted))
    else:
        Output().line(f"noted in entry {noted.entry}: {incident}")


def _look(guard: Guard, suspect: Suspect, window: dict[str, Any], person: Person) -> None:
    """Record whose ids are about to be seen, before any is."""
    whose: dict[str, set[str]] = {}
    guard.audit.affected(suspect, lambda case: whose.setdefault(case.tenant, set()).add(case.customer), **window)
    if not guard.audit.has_keys:
        raise UsageError("expected the keys file of this database to name customers by, got none or another one")
    for tenant, found in sorted(whose.items()):
        guard.privacy.look(Look(_WHERE, tuple(sorted(filter(None, found))), tenant=tenant), **person)


def _named(guard: Guard, case: Case) -> Case:
    return replace(case, customer=guard.audit.customer(case.customer) or case.customer)


def _row(case: Case) -> tuple[object, ...]:
    values = dict(zip(COLUMNS, astuple(case), strict=True))
    return tuple({**values, "at": case.at.isoformat(), "rules": " ".join(case.rules)}.values())


def _say(output: Output, total: Affected, shown: list[Case], out: Path | None) -> None:
    if not total.actions:
        output.line("nothing was decided with it")
        return
    output.line(f"{numbered(total.actions, 'action')} of {numbered(total.customers, 'customer')}", style="bold")
    sums = total.sums()
    rows = [(state, count, ", ".join(sums.get(state, ())) or "–") for state, count in sorted(total.states.items())]
    output.table(("now", "actions", "amounts"), rows, right=("actions",))
    output.line(", ".join(f"{verdict} {count}" for verdict, count in sorted(total.verdicts.items())))
    output.line()
    cases = [
        (case.action_id, moment(case.at)[:16], case.customer or "–", case.verdict, case.state, case.amount or "–")
        for case in shown
    ]
    output.table(("action id", "at (UTC)", "customer", "verdict", "now", "amount"), cases, whole=("action id",))
    if total.actions > len(shown):
        output.line(
            f"and {total.actions - len(shown)} more{f': all are in {out}' if out else ': --out FILE.csv has all'}"
        )


def _document(total: Affected, cases: list[Case]) -> dict[str, Any]:
    return {
        "actions": total.actions,
        "customers": total.customers,
        "verdicts": dict(total.verdicts),
        "states": dict(total.states),
        "money": {state: dict(found) for state, found in total.money.items()},
        "cases": [{**asdict(case), "at": case.at.isoformat()} for case in cases],
    }
