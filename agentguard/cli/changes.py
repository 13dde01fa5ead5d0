"""A change of what is in force as people see it before it is made: what it means, what was tried, who else it takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard.cli import exits
from agentguard.cli.caseruns import case_files
from agentguard.cli.output import Output, count, print_json
from agentguard.core.canary import InForce, share_text
from agentguard.core.cases import CaseFile
from agentguard.core.narration.changes import WAYS, tried
from agentguard.core.narration.interventions import openings
from agentguard.core.policy import Bundle
from agentguard.engine.activation import Activation
from agentguard.engine.change import Change
from agentguard.engine.changes import Proposal
from agentguard.engine.guard import Guard
from agentguard.engine.powers import Person, counts_for, more_people
from agentguard.engine.signing import SigningKeyFile
from agentguard.evidence.keys import Signer

KeyOption = Annotated[
    Path | None, typer.Option("--key", help="The file with your private key, where people.yaml says your `key`.")
]
DespiteOption = Annotated[
    str, typer.Option("--despite", help="Why it is done although a case fails or a promise is broken; for the record.")
]
SimulationOption = Annotated[
    bool, typer.Option("--simulation/--no-simulation", help="Decide the past month again, for a minute at most.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what it would mean.")]

STYLES = {"looser": "bold red", "mixed": "bold red", "unknown": "bold red", "tighter": "bold yellow"}
MOST_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants with a bundle, as the options of a command say it.

    Attributes:
        share: For how many of 10,000 customers, as a canary; None for everybody.
        proposal: What of somebody else's this says yes to; None for a wish of one's own.
        cases: The test files beside the policies; `files` are their SHA-256 by name.
    """

    bundle: Bundle
    person: Person
    key: Path | None = None
    despite: str = ""
    simulate: bool = True
    dry_run: bool = False
    share: int | None = None
    proposal: Proposal | None = None
    cases: tuple[CaseFile, ...] = ()
    files: dict[str, str] | None = None


def with_cases(wish: Wish, policies: Path) -> Wish:
    """Return a wish with the test files that are about nothing but its own policies."""
    names = {policy.name for policy in wish.bundle.policies}
    found = {path: cases for path, cases in case_files([policies]) if set(cases.policies) <= names}
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
    return replace(wish, cases=tuple(found.values()), files=files)


def fulfil(
    guard: Guard,
    wish: Wish,
    shown: Change | None = None,
    *,
    json: bool,
    sure: Callable[[], None] = lambda: None,
) -> None:
    """Show what a bundle would mean, and put it into force or ask for it, unless something speaks against it.

    Args:
        guard: Over the store.
        wish: What is wanted by whom.
        shown: What it would mean, where that is known.
        json: Print a document, and nothing for people.
        sure: Called when it was shown and before it is made; raises what ends it there.

    Raises:
        typer.Exit: Somebody else has to say so too, or a case fails or a promise is broken.
    """
    if guard.store.read(lambda reading: reading.in_force()) == InForce(wish.bundle.digest):
        _say_unchanged(wish.bundle, json=json)
        return
    shown = look(guard, wish, shown, json=json)
    if wish.dry_run:
        return
    sure()
    make = partial(guard.changes.agree, wish.proposal) if wish.proposal else partial(guard.changes.make, wish.bundle)
    activated = make(shown, signer_of(wish), **wish.person)
    entries = guard.audit.list(kind="activated", limit=1, newest_first=True) if activated else ()
    opened = [text for entry in entries for text in openings(entry.document)]
    if json:
        print_json(_document(guard, wish.bundle, shown, opened) | {
            "changed": activated.changed, "missing": activated.missing, "entry": activated.entry,
        })  # fmt: skip
    else:
        _say_done(Output(), activated, wish, opened)
    if activated.missing:
        raise typer.Exit(exits.FOUND)


def look(guard: Guard, wish: Wish, shown: Change | None = None, *, json: bool) -> Change:
    """Show what a wish would mean, and return it.

    Raises:
        PowerRefusedError: Who wishes it may not have it, whatever it means.
        typer.Exit: A case fails or a promise is broken, and it is not said why it has to be all the same.
    """
    if shown is None:
        if not wish.dry_run:
            guard.changes.require_power(wish.bundle, wish.share, **wish.person)
        shown = guard.changes.look(wish.bundle, wish.cases, wish.files, simulate=wish.simulate, share=wish.share)
    shown = replace(shown, despite=wish.despite.strip() if shown.failures else "")
    refused = bool(shown.failures) and not shown.despite
    if json and (refused or wish.dry_run):
        document = _document(guard, wish.bundle, shown)
        print_json(document | {"changed": False, "missing": 0, "failures": [*shown.failures]})
    elif not json:
        output = Output()
        show_change(output, shown, versions_changed(_before(guard, shown), wish.bundle))
        if refused:
            for failure in shown.failures[:MOST_SHOWN]:
                output.sentence(failure, indent=2, style="bold red")
            output.sentence("nothing was done: repair it, or say why it has to be (`--despite`)", style="bold red")
        elif wish.dry_run:
            takes = "one person" if shown.people == 1 else "two people, where people.yaml says who may"
            output.line(f"nothing was done; this takes {takes}")
    if refused:
        raise typer.Exit(exits.FOUND)
    return shown


def signer_of(wish: Wish) -> Signer | None:
    """Return what signs with the key file that was named."""
    return None if wish.key is None else SigningKeyFile(wish.key)


def _before(guard: Guard, shown: Change) -> Bundle:
    standing = shown.before.in_force
    return Bundle((), "") if standing is None else guard.audit.bundle(standing.bundle)


def _document(guard: Guard, bundle: Bundle, shown: Change, opened: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "bundle": bundle.digest,
        "policies": {policy.name: policy.version for policy in bundle.policies},
        "changes": [*versions_changed(_before(guard, shown), bundle), *opened],
        "change": shown.recorded(),
    }


def _say_unchanged(bundle: Bundle, *, json: bool) -> None:
    if json:
        policies = {policy.name: policy.version for policy in bundle.policies}
        print_json({"bundle": bundle.digest, "changed": False, "missing": 0, "policies": policies, "changes": []})
    else:
        Output().line("these policies are in force already; nothing has changed")


def show_change(output: Output, shown: Change, changes: list[str]) -> None:
    """Print what a change means and what came of trying it."""
    for change in changes:
        output.sentence(change, indent=2)
    output.line(WAYS.get(shown.direction, shown.direction), style=STYLES.get(shown.direction, "bold"))
    if shown.direction != "first":
        output.sentence(shown.summary, indent=2)
    for sentence in shown.said[:MOST_SHOWN]:
        output.sentence(sentence, point="  ")
    if len(shown.said) > MOST_SHOWN:
        output.line(f"  and {len(shown.said) - MOST_SHOWN} more, as `agentguard policy diff` shows")
    output.pairs(tried(shown.recorded()))


def _say_done(output: Output, activated: Activation, wish: Wish, opened: list[str]) -> None:
    for text in opened:
        output.sentence(text, indent=2)
    if activated.missing:
        who = more_people(activated.missing, counts_for("activate"))
        output.sentence(f"not in force yet: {who}; {wish.person['by']} has", style="yellow")
        output.sentence(f"they look at it and say yes with `agentguard policy approve {activated.entry}`")
        return
    bundle, canary = wish.bundle, activated.canary
    where = "in force" if canary is None else f"decides for {share_text(canary.share)} of the customers"
    output.line(f"{where}: {count(bundle.policies, 'policy', 'policies')}, bundle {bundle.digest}", style="green")


def versions_changed(was: Bundle, now: Bundle) -> list[str]:
    """Return which files are new, changed or gone, a line each."""
    before = {policy.name: policy for policy in was.policies}
    found = []
    for policy in now.policies:
        old = before.pop(policy.name, None)
        if old is None:
            found.append(f"{policy.name} version {policy.version}: new")
        elif old.digest != policy.digest:
            found.append(f"{policy.name} version {policy.version}: changed, was version {old.version}")
    return [*found, *(f"{name} version {policy.version}: not in force any more" for name, policy in before.items())]
