"""`agentguard audit about` and `audit erase`: what the log has of a customer, and its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard.cli.exits import FOUND
from agentguard.cli.opened import open_for
from agentguard.cli.options import (
    DEFAULT_POLICIES,
    DEFAULT_STORE,
    AsOption,
    JsonOption,
    PeopleOption,
    PoliciesOption,
    StoreOption,
    WhyOption,
)
from agentguard.cli.output import Output, print_json
from agentguard.core.packet import WIDTH
from agentguard.core.prose import numbered, printable
from agentguard.engine.erasing import Erasure
from agentguard.engine.powers import more_people
from agentguard.errors import NotFoundError

CustomerOption = Annotated[str, typer.Option("--customer", help="The customer, by id or pseudonym.")]
TenantOption = Annotated[str | None, typer.Option("--tenant", help="Only this tenant's records; all when left out.")]
SAID = "every look and change has a reason in the record"


def looked_up(
    customer: str, where: str, why: str, as_: str | None, store: str, policies: Path, people: Path | None
) -> None:
    """Record that somebody joins a customer's id with what the log has; nothing is recorded of one it does not know."""
    guard, person = open_for(store, policies, people, as_, why, "looking a customer up has a reason in the record")
    try:
        guard.privacy.find(customer, where=where, **person)
    except NotFoundError:
        return


def about(
    customer: CustomerOption,
    why: WhyOption = "",
    tenant: TenantOption = None,
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Write a customer's copy of everything that is recorded about them; that it was made is recorded."""
    guard, person = open_for(store, policies, people, as_, why, SAID)
    found = guard.privacy.about(customer, tenant=tenant, **person)
    if json:
        print_json([item.as_json() for item in found])
        return
    output = Output()
    for item in found:
        for line in printable(item.as_text(min(output.console.width, WIDTH))).splitlines():
            output.line(line, style="bold" if line.isupper() else "")


def erase(
    customer: CustomerOption,
    why: WhyOption = "",
    tenant: TenantOption = None,
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Destroy what identifies a customer and opens their personal values: exit code 1 if something is in the way."""
    guard, person = open_for(store, policies, people, as_, why, SAID)
    found = guard.privacy.erase(customer, tenant=tenant, **person)
    if json:
        print_json([_document(item) for item in found])
    else:
        output = Output()
        for item in found:
            _say(output, item, person["by"])
    if not all(found):
        raise typer.Exit(FOUND)


def _document(item: Erasure) -> dict[str, Any]:
    return {
        "tenant": item.subject.tenant,
        "pseudonym": item.subject.pseudonym,
        "status": item.status,
        "entry": item.entry,
        "actions": item.actions,
        "values": item.values,
        "results": item.results,
        "legal_holds": list(item.holds),
        "under_way": list(item.under_way),
        "missing": item.missing,
        "in_the_clear": list(item.in_the_clear),
    }


def _say(output: Output, item: Erasure, by: str) -> None:
    name = f"{item.subject.pseudonym} of tenant {item.subject.tenant}"
    if item.status == "erased":
        output.line(f"erased: {name}", style="bold")
        output.prose(
            f"their keys are destroyed; {numbered(item.values, 'value')} and {numbered(item.results, 'result')} of "
            f"{numbered(item.actions, 'action')} are deleted; entry {item.entry} says so"
        )
        if item.in_the_clear:
            output.prose(
                f"their id still stands in the clear in {', '.join(item.in_the_clear)} of what is recorded: mark it "
                "`personal` in the policy file; what is there already goes when it is purged"
            )
    elif item.status == "already":
        output.line(f"{name} was erased before: entry {item.entry}")
    elif item.status == "asked":
        output.line(f"{name} is not erased yet: {more_people(item.missing)}; {by} has")
    elif item.holds:
        output.line(f"not erased: {name} is under legal hold", style="yellow")
        output.prose(f"{', '.join(item.holds)}: `agentguard audit legal-hold list` says why; entry {item.entry}")
    else:
        output.line(f"not erased yet: something of {name} is under way", style="yellow")
        output.prose(
            f"{', '.join(item.under_way)}: let it end, withdraw it or resolve it, then ask again; entry {item.entry}"
        )
