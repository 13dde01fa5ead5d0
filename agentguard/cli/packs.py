"""`audit export`: an evidence pack for somebody who checks it without us."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard.cli.audit import moment_of
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
from agentguard.engine.export import WITHIN, Exported
from agentguard.errors import UsageError

CustomerOption = Annotated[str | None, typer.Option(help="Actions for this customer, by id or pseudonym.")]
ActionOption = Annotated[str | None, typer.Option(help="Actions of this kind, like `refund.issue`.")]
VerdictOption = Annotated[str | None, typer.Option(help="Decided so: `allow`, `escalate` or `deny`.")]
IdOption = Annotated[str | None, typer.Option("--id", help="One action, by its id.")]
SinceOption = Annotated[str | None, typer.Option(help="From then on: `2026-11-20`, `2026-11-20T10:00` or `3 days`.")]
UntilOption = Annotated[str | None, typer.Option(help="Up to then, written like --since.")]
TenantOption = Annotated[str | None, typer.Option(help="Only this tenant's records.")]
ReadingsOption = Annotated[bool, typer.Option("--readings", help="Also who read the log and took packs of it.")]
PersonalOption = Annotated[
    bool, typer.Option("--personal", help="Open personal values, if you may; that is recorded first.")
]
SizeOption = Annotated[
    int | None, typer.Option(help="Make a pack again that rests on the checkpoint of this size.", min=1)
]
CheckpointOption = Annotated[
    list[Path] | None, typer.Option(help="Show that the log continues this checkpoint; may be repeated.")
]
_WAIT = int(WITHIN.total_seconds())
WaitOption = Annotated[float, typer.Option(help="Seconds to wait for a checkpoint that covers it.", min=0, max=600)]
UNSEALED = "warning: nobody sealed these entries in time, so that nobody signed for them; is `audit seal` running?"


def export(
    out: Annotated[Path, typer.Argument(help="The ZIP to write; it must not be there yet.")],
    customer: CustomerOption = None,
    action: ActionOption = None,
    verdict: VerdictOption = None,
    id_: IdOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    tenant: TenantOption = None,
    readings: ReadingsOption = False,
    personal: PersonalOption = False,
    size: SizeOption = None,
    checkpoint: CheckpointOption = None,
    wait: WaitOption = _WAIT,
    why: WhyOption = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Write an evidence pack: entries, policies, proofs, a report, and what checks them without agentguard."""
    guard, person = open_for(store, policies, people, as_, why, "who takes evidence out, and why, is in the record")
    made = guard.audit.export(
        out,
        customer=customer,
        action=action,
        verdict=verdict,
        action_id=id_,
        tenant=tenant,
        since=None if since is None else moment_of(since),
        until=None if until is None else moment_of(until),
        readings=readings,
        personal=personal,
        size=size,
        older=[_note(path) for path in checkpoint or ()],
        within=timedelta(seconds=wait),
        **person,
    )
    unsealed = not made.seal.is_signed and guard.seals.state().key
    if json:
        print_json(_document(made))
    else:
        _say(Output(), made)
    if unsealed:
        Output(sys.stderr).line(UNSEALED, style="yellow")
        raise typer.Exit(FOUND)


def _note(path: Path) -> str:
    """Return a checkpoint that somebody kept."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"expected a checkpoint in `{path}`: {error}") from error


def _document(made: Exported) -> dict[str, Any]:
    checkpoint = made.seal.checkpoint
    return {
        "file": str(made.path),
        "sha256": made.sha256,
        "entries": made.entries,
        "checkpoint": {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()},
        "signed": made.seal.is_signed,
        "witnesses": list(made.seal.witnesses),
        "recorded": made.entry,
    }


def _say(output: Output, made: Exported) -> None:
    entries = "1 entry" if made.entries == 1 else f"{made.entries} entries"
    output.line(f"wrote {made.path}: {entries} of {made.seal.checkpoint.size}, recorded as entry {made.entry}")
    signed = "NOT SIGNED: the log was not sealed, and nobody outside can tell whether it was made up"
    if made.seal.is_signed:
        signed = f"signed; witnesses: {', '.join(made.seal.witnesses) or 'none'}"
    output.pairs([("SHA-256", made.sha256), ("checkpoint", signed)])
    output.prose("check it with the verify.py that is in it, or better one from a release, and the log's public key:")
    output.line(f"  python3 -I -S verify.py {made.path} --key KEY")
