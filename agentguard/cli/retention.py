"""`agentguard audit legal-hold` and `audit purge`: what stays longer than its time, and what goes after it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from agentguard.cli.audit import moment_of
from agentguard.cli.opened import open_for, open_reading
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
from agentguard.cli.privacy import SAID, TenantOption
from agentguard.cli.signer import SigningKeyOption, signer_of
from agentguard.core.narration.custody import scope_words
from agentguard.core.prose import moment, numbered
from agentguard.store.legal_holds import LegalHold


def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Purge nothing; show what would go.")] = False,
    key: SigningKeyOption = None,
    why: WhyOption = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Take away the text of records whose time is over, under a signed tombstone; it may be ended and run again."""
    if dry_run:
        found = open_reading(store).retention.due()
    else:
        guard, person = open_for(store, policies, people, as_, why, SAID, signer=signer_of(key))
        found = guard.retention.purge(**person)
        guard.close()
    if json:
        print_json({**asdict(found), "positions": list(found.positions), "dry_run": dry_run})
        return
    output = Output()
    verb = "would be purged" if dry_run else "purged"
    output.line(
        f"{verb}: {numbered(found.records, 'record')} of {numbered(found.entries, 'entry')}"
        if found
        else "nothing is over"
    )
    for name, number in sorted(found.by_action.items()):
        output.line(f"  {name}: {number}")
    stays = [(f"{found.held} under legal hold", found.held), (f"{found.needed} still needed", found.needed)]
    stays += [
        (f"{number} of {name}: no policy says how long, under `retention`", number)
        for name, number in found.unsaid.items()
    ]
    for words, number in stays:
        if number:
            output.line(f"stays: {words}", style="dim")


def set_hold(
    customer: Annotated[str | None, typer.Option(help="Everything about this customer, by id or pseudonym.")] = None,
    action: Annotated[str | None, typer.Option(help="Every action of this kind, like `refund.issue`.")] = None,
    action_id: Annotated[str | None, typer.Option("--id", help="One action.")] = None,
    since: Annotated[str | None, typer.Option(help="What was still moved then or later: `2026-11-20`.")] = None,
    until: Annotated[str | None, typer.Option(help="What was asked for then or earlier: `2026-11-20`.")] = None,
    tenant: TenantOption = None,
    why: WhyOption = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Keep records from being purged and erased: those that fit all of what is named."""
    guard, person = open_for(store, policies, people, as_, why, SAID)
    made = guard.retention.hold(
        customer=customer,
        action=action,
        action_id=action_id,
        since=None if since is None else moment_of(since),
        until=None if until is None else moment_of(until),
        tenant=tenant,
        **person,
    )
    _say(made, f"held: {made.id}, {scope_words(made.scope.document())}", json=json)


def lift_hold(
    hold_id: Annotated[str, typer.Argument(help="The id of the hold.", metavar="ID")],
    why: WhyOption = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Let go what a hold keeps."""
    guard, person = open_for(store, policies, people, as_, why, SAID)
    lifted = guard.retention.lift(hold_id, **person)
    _say(lifted, f"lifted: {lifted.id}, {scope_words(lifted.scope.document())}", json=json)


def list_holds(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """List what is held now, since when, by whom and why."""
    found = open_reading(store).retention.holds()
    if json:
        print_json([document(item) for item in found])
        return
    output = Output()
    if not found:
        output.line("nothing is held")
        return
    rows = [(item.id, moment(item.at), scope_words(item.scope.document()), item.by, item.why) for item in found]
    output.table(("hold", "since (UTC)", "what", "by", "why"), rows, whole=("hold",))


def document(hold: LegalHold) -> dict[str, Any]:
    """Return a hold as JSON."""
    return {"id": hold.id, "scope": hold.scope.document(), "by": hold.by, "why": hold.why, "at": hold.at.isoformat()}


def _say(hold: LegalHold, line: str, *, json: bool) -> None:
    if json:
        print_json(document(hold))
    else:
        Output().line(line)
