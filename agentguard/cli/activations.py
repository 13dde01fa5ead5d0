"""`agentguard policy activate | rollback | history`: which policies are in force, since when, by whom and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard import policyfile
from agentguard.cli import timeline
from agentguard.cli.audit import document
from agentguard.cli.canaries import AbortOption, CanaryOption, PromoteOption, SaltOption, Trial, carry_out
from agentguard.cli.changes import (
    DespiteOption,
    DryRunOption,
    KeyOption,
    SimulationOption,
    Wish,
    fulfil,
    look,
    signer_of,
    with_cases,
)
from agentguard.cli.customers import narrator
from agentguard.cli.identity import operator, read_people, reason
from agentguard.cli.opened import NOTHING, open_reading, require_file
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
from agentguard.core.canary import share_of, share_text
from agentguard.core.people import People
from agentguard.core.prose import moment
from agentguard.engine.entrusted import ABOUT
from agentguard.engine.guard import Guard
from agentguard.engine.powers import Person
from agentguard.errors import PolicyError, StoreUnavailableError, UsageError
from agentguard.store.records import Entry
from agentguard.store.upgrading import version_at

REASON = "every change of what is in force has a reason in the record"
EMPTY = "sqlite://"
KINDS = {"activated": "in force", "activate_asked": "asked for", "activate_withdrawn": "taken back"}


def activate(
    why: WhyOption = "",
    key: KeyOption = None,
    despite: DespiteOption = "",
    simulation: SimulationOption = True,
    dry_run: DryRunOption = False,
    as_: AsOption = None,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
    canary: CanaryOption = None,
    salt: SaltOption = None,
    promote: PromoteOption = False,
    abort: AbortOption = False,
) -> None:
    """Put the policies of a folder into force, for every process on this store; what may loosen takes two people."""
    trial = Trial(canary, salt, promote, abort)
    bundle = NOTHING if trial.ends else policyfile.load(policies)
    known = read_people(people, policies)
    person = _person(known, as_, why, dry_run=dry_run)
    guard = Guard(bundle, store=_there(store) if dry_run else store, people=known)
    if trial.promote:
        bundle = guard.audit.bundle(guard.canary.running().bundle)
    wish = Wish(bundle, person, key, despite, simulation, dry_run)
    if trial.abort:
        if dry_run:
            raise UsageError("expected --abort without --dry-run: it ends the canary, and takes one person")
        carry_out(guard, trial, wish.person, json=json)
    elif trial:
        wish = replace(wish, share=None if trial.share is None else share_of(trial.share))
        shown = look(guard, with_same_cases(wish, policies) if trial.promote else with_cases(wish, policies), json=json)
        if not dry_run:
            carry_out(guard, trial, wish.person, signer_of(wish), shown, json=json)
    else:
        fulfil(guard, with_cases(wish, policies), json=json)


def rollback(
    why: WhyOption = "",
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="An entry of the history, or the beginning of a bundle; the last other one if left out."
        ),
    ] = None,
    key: KeyOption = None,
    despite: DespiteOption = "",
    simulation: SimulationOption = True,
    dry_run: DryRunOption = False,
    as_: AsOption = None,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Put policies that were in force before into force again, from the texts in the store."""
    known = read_people(people, policies)
    person = _person(known, as_, why, dry_run=dry_run)
    guard = open_reading(store, known)
    wish = Wish(guard.changes.earlier(to), person, key, despite, simulation, dry_run)
    fulfil(guard, with_same_cases(wish, policies), json=json)


def with_same_cases(wish: Wish, policies: Path) -> Wish:
    """Return a wish for policies in the store with the test files of a folder, if it has just these policies."""
    try:
        here = policyfile.load(policies)
    except (PolicyError, UsageError):
        return wish  # whoever does this may have other files, or none: what counts is in the store
    return with_cases(wish, policies) if here.digest == wish.bundle.digest else wish


def _there(store: str) -> str:
    """Return a database to look at; looking makes neither it nor tables in it, so an empty one stands for none."""
    try:
        require_file(store)
    except StoreUnavailableError:
        return EMPTY
    return EMPTY if version_at(store) is None else store


def _person(people: People | None, as_: str | None, why: str, *, dry_run: bool) -> Person:
    """Return who does this and why; whoever only looks is nobody, and needs no reason."""
    if dry_run:
        return {"by": "", "why": why}
    reason(why, REASON)
    by, authenticated = operator(people, as_)
    return {"by": by, "why": why, "authenticated": authenticated}


def history(
    entry: Annotated[int | None, typer.Argument(help="One of them, in full.", metavar="ENTRY")] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show which policies were put into force when, by whom and why, and what waits for somebody, newest first; UTC."""
    guard = open_reading(store)
    if entry is not None:
        _show(guard, guard.audit.show(entry), json=json)
        return
    found = sorted(
        (item for kind in KINDS for item in guard.audit.list(kind=kind, limit=1000, newest_first=True)),
        key=lambda item: -item.pos,
    )
    waiting = {item.entry for item in guard.changes.pending()}
    if json:
        print_json([_document(item, waiting) for item in found])
        return
    output = Output()
    if not found:
        output.line("no policies were ever put into force here")
        return
    columns = ("entry", "at (UTC)", "what", "direction", "by", "why", "policies and versions")
    output.table(columns, [_row(item, waiting) for item in found], right=("entry",))
    for item in found:
        said = (item.document.get("change") or {}).get("said", [])[:1] if item.kind == "activated" else []
        for sentence in (text for text in said if text.startswith(ABOUT)):
            output.sentence(f"entry {item.pos}: {sentence}", style="yellow")
    for proposal in guard.changes.pending():
        output.line()
        until, how = moment(proposal.until), f"agentguard policy approve {proposal.entry}"
        output.line(f"entry {proposal.entry} waits until {until} UTC: `{how}`, or `withdraw`", style="yellow")


def _show(guard: Guard, found: Entry, *, json: bool) -> None:
    if found.kind not in KINDS:
        raise UsageError(f"expected an entry of `agentguard policy history`, got {found.pos}, which is `{found.kind}`")
    if json:
        print_json(document(found))
        return
    output = Output()
    timeline.show_entry(output, narrator(guard, [found]), found)
    signature = found.document.get("signature")
    if signature is not None:
        holds = guard.changes.is_signed(found)
        words = "the signature is of these files, by this person" if holds else "the signature is of something else"
        output.line(words, style="green" if holds else "bold red")


def _document(entry: Entry, waiting: set[int]) -> dict[str, Any]:
    said = {"pos": entry.pos, "at": entry.at.isoformat(), **entry.document}
    return said | ({"waits": entry.pos in waiting} if entry.kind == "activate_asked" else {})


def _row(entry: Entry, waiting: set[int]) -> tuple[Any, ...]:
    body = entry.document
    what = "waits" if entry.pos in waiting else KINDS[entry.kind]
    direction = (body.get("change") or {}).get("direction", "")
    named = _versions(body.get("policies", {}))
    if canary := body.get("canary"):
        named = f"{named}; {_versions(canary['policies'])} for {share_text(canary['share'])}"
    if entry.kind == "activate_withdrawn":
        named = f"of entry {', '.join(map(str, body['asked']))}"
    return (entry.pos, moment(entry.at), what, direction, body["by"], body["why"], named)


def _versions(policies: dict[str, Any]) -> str:
    return ", ".join(f"{name} {item['version']}" for name, item in policies.items())
