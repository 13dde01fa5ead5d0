"""`agentguard policy activate | history`: which policies are in force, since when, by whom and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from agentguard import policyfile
from agentguard.cli import exits
from agentguard.cli.opened import (
    DEFAULT_POLICIES,
    DEFAULT_STORE,
    AsOption,
    JsonOption,
    PeopleOption,
    PoliciesOption,
    StoreOption,
    open_reading,
    operator,
    read_people,
)
from agentguard.cli.output import Output, count, print_json
from agentguard.core.narration.interventions import openings
from agentguard.core.policy import Bundle
from agentguard.core.prose import moment
from agentguard.engine.activation import Activation
from agentguard.engine.guard import Guard
from agentguard.engine.powers import more_people
from agentguard.errors import UsageError

Why = Annotated[str, typer.Option("--why", help="The reason, for the record.")]


def activate(
    why: Why = "",
    as_: AsOption = None,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Put the policies of a folder into force, for every process on this store; who and why go into the record."""
    if not why.strip():
        raise UsageError("expected --why: every change of what is in force has a reason in the record")
    bundle = policyfile.load(policies)
    known = read_people(people, policies)
    by, authenticated = operator(known, as_)
    guard = Guard(bundle, store=store, people=known)
    before = guard.store.read(lambda reading: reading.bundle_in_force())
    was = guard.audit.bundle(before.digest) if before is not None else Bundle((), "")
    activated = guard.activate(by=by, why=why, authenticated=authenticated)
    entries = guard.audit.list(kind="activated", limit=1, newest_first=True) if activated else ()
    changes = [*_changes(was, bundle), *(text for entry in entries for text in openings(entry.document))]
    if json:
        document = {"bundle": bundle.digest, "changed": activated.changed, "missing": activated.missing}
        print_json({**document, "policies": _versions(bundle), "changes": changes})
    else:
        _say_activated(activated, bundle, changes, by)
    if activated.missing:
        raise typer.Exit(exits.FOUND)


def _say_activated(activated: Activation, bundle: Bundle, changes: list[str], by: str) -> None:
    output = Output()
    if not activated and not activated.missing:
        output.line("these policies are in force already; nothing has changed")
        return
    for change in changes:
        output.line(f"  {change}")
    if activated.missing:
        output.line(f"not in force yet: {more_people(activated.missing)}; {by} has", style="yellow")
        return
    output.line(f"in force: {count(bundle.policies, 'policy', 'policies')}, bundle {bundle.digest}", style="green")


def history(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Show which policies were put into force when, by whom and why, the newest first; times are UTC."""
    guard = open_reading(store)
    found = guard.audit.list(kind="activated", limit=1000, newest_first=True)
    if json:
        print_json([{"pos": entry.pos, "at": entry.at.isoformat(), **entry.document} for entry in found])
        return
    output = Output()
    if not found:
        output.line("no policies were ever put into force here")
        return
    rows = []
    for entry in found:
        body = entry.document
        named = ", ".join(f"{name} {item['version']}" for name, item in body["policies"].items())
        rows.append((entry.pos, moment(entry.at), body["by"], body["why"], named))
    output.table(("entry", "at (UTC)", "by", "why", "policies and versions"), rows, right=("entry",))


def _versions(bundle: Bundle) -> dict[str, int]:
    return {policy.name: policy.version for policy in bundle.policies}


def _changes(was: Bundle, now: Bundle) -> Iterator[str]:
    before = {policy.name: policy for policy in was.policies}
    for policy in now.policies:
        old = before.pop(policy.name, None)
        if old is None:
            yield f"{policy.name} version {policy.version}: new"
        elif old.digest != policy.digest:
            yield f"{policy.name} version {policy.version}: changed, was version {old.version}"
    for name, policy in before.items():
        yield f"{name} version {policy.version}: not in force any more"
