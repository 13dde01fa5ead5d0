"""Policies that a share of customers tries out: `policy activate --canary | --promote | --abort`, `policy canary`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from agentguard.analysis.difference import VERDICTS
from agentguard.analysis.simulating import Cell
from agentguard.cli import exits
from agentguard.cli.opened import open_reading
from agentguard.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from agentguard.cli.output import Output, print_json
from agentguard.core.canary import Canary, share_text
from agentguard.core.narration.interventions import change_of, openings
from agentguard.core.policy import Bundle
from agentguard.core.prose import amount_text
from agentguard.engine.activation import Activation
from agentguard.engine.canary_groups import Group, Groups
from agentguard.engine.change import Change
from agentguard.engine.guard import Guard
from agentguard.engine.powers import Person, counts_for, more_people
from agentguard.errors import UsageError
from agentguard.evidence.keys import Signer

CanaryOption = Annotated[
    str | None,
    typer.Option("--canary", help="Let them decide for a share of the customers only, like `10%`.", metavar="SHARE"),
]
SaltOption = Annotated[
    str | None,
    typer.Option(
        "--salt", help="With --canary: what decides who is in; drawn when left out.", envvar="AGENTGUARD_SALT"
    ),
]
PromoteOption = Annotated[bool, typer.Option("--promote", help="Put the canary's policies into force for everybody.")]
AbortOption = Annotated[bool, typer.Option("--abort", help="End the canary: what is in force decides for everybody.")]


@dataclass(frozen=True, slots=True)
class Trial:
    """What somebody wants with a canary; false if nothing.

    Raises:
        UsageError: It is more than one thing.
    """

    share: str | None = None
    salt: str | None = None
    promote: bool = False
    abort: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense together."""
        if sum((self.share is not None, self.promote, self.abort)) > 1:
            raise UsageError("expected one of --canary, --promote and --abort, got more than one")
        if self.salt is not None and self.share is None:
            raise UsageError("expected --salt with --canary, got it alone")

    @property
    def ends(self) -> bool:
        """Whether it is about the canary that runs, and takes no files."""
        return self.promote or self.abort

    def __bool__(self) -> bool:
        return self.share is not None or self.promote or self.abort


def carry_out(
    guard: Guard,
    trial: Trial,
    person: Person,
    signer: Signer | None = None,
    looked: Change | None = None,
    *,
    json: bool,
) -> None:
    """Begin, widen, promote or abort a canary, and say what came of it.

    Raises:
        typer.Exit: Somebody else has to ask for it too.
    """
    if trial.abort:
        done = guard.canary.abort(**person)
    elif trial.promote:
        done = guard.canary.promote(looked=looked, signer=signer, **person)
    else:
        done = guard.canary.begin(trial.share or "", salt=trial.salt, looked=looked, signer=signer, **person)
    changes = _changes(guard, done)
    if json:
        print_json({"bundle": done.bundle, "canary": _described(done.canary), "changed": done.changed,
                    "missing": done.missing, "entry": done.entry, "changes": changes})  # fmt: skip
    else:
        _say(Output(), done, changes, person["by"])
    if done.missing:
        raise typer.Exit(exits.FOUND)


def _changes(guard: Guard, done: Activation) -> list[str]:
    if done.entry is None or not done:
        return []
    body = guard.audit.show(done.entry).document
    return [change_of(body), *openings(body)]


def _say(output: Output, done: Activation, changes: list[str], by: str) -> None:
    if done.missing:
        output.sentence(
            f"nothing changed yet: {more_people(done.missing, counts_for('activate'))}; {by} has", style="yellow"
        )
        output.sentence(f"they look at it and say yes with `agentguard policy approve {done.entry}`")
    elif not done:
        output.line("this canary runs like this already; nothing has changed")
    for text in changes[1:]:
        output.sentence(text, indent=2)
    for text in changes[:1]:
        output.line(text, style="green")


def canary(
    who: Annotated[str | None, typer.Option("--who", help="A customer, by id: which policies decide for them.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="With --who: whose customer.")] = None,
    salt: Annotated[bool, typer.Option("--salt", help="Show the salt: whoever has it knows who is in.")] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show the canary that runs, or which policies decide for one customer; the salt only if it is asked for."""
    guard = open_reading(store)
    standing = guard.store.read(lambda reading: reading.in_force())
    if standing is None:
        raise UsageError("no policies are in force in this store; run `agentguard policy activate` first")
    running, output = standing.canary, Output()
    document: dict[str, Any] = {"bundle": standing.bundle, "canary": _described(running)}
    lines = ["no canary runs: the policies in force decide for everybody"]
    if running is not None:
        lines = [
            f"{share_text(running.share)} of the customers try out {_versions(guard.audit.bundle(running.bundle))}"
        ]
        lines.append(f"the others have {_versions(guard.audit.bundle(standing.bundle))}")
    if running is not None and salt:
        document["salt"] = running.salt
        lines.append(f"salt: {running.salt}")
    if who is not None:
        side = guard.canary.side(who, tenant=tenant)
        document["who"] = {"bundle": side.bundle, "number": side.number, "in": side.bundle != standing.bundle}
        number = "" if side.number is None else f" (number {side.number} of 0 to 9999)"
        lines.append(f"{who}{number}: {_versions(guard.audit.bundle(side.bundle))}")
    if json:
        print_json(document)
        return
    for line in lines:
        output.line(line)


def _described(found: Canary | None) -> dict[str, Any] | None:
    return None if found is None else {"bundle": found.bundle, "share": share_text(found.share)}


def _versions(bundle: Bundle) -> str:
    return ", ".join(f"{policy.name} version {policy.version}" for policy in bundle.policies)


def show_groups(guard: Guard, both: Groups, *, json: bool) -> None:
    """Print how both groups of a canary were decided, a line for each."""
    if json:
        print_json({"canary": _group(both.trial), "rest": _group(both.rest), "unread": both.unread})
        return
    output = Output()
    rows = [
        (name, _versions(guard.audit.bundle(group.bundle)), len(group.customers), group.requests, *_cells(group))
        for name, group in (("canary", both.trial), ("the others", both.rest))
    ]
    columns = ("who", "policies", "customers", "requests", *(verdict.name.lower() for verdict in VERDICTS))
    output.table(columns, rows, right=("customers", "requests"))
    if both.unread:
        output.line(f"of {both.unread} more decisions nobody knows whose they were: their records were purged")


def _cells(group: Group) -> list[str]:
    """Return each verdict's part of a group's requests, and what those were about in money."""
    return [
        ", ".join([f"{cell.count} ({_percent(cell.count, group.requests)})", *_worth(cell)])
        for cell in (group.verdicts[verdict] for verdict in VERDICTS)
    ]


def _worth(cell: Cell) -> list[str]:
    return [amount_text(minor, currency) for currency, minor in sorted(cell.worth.items())]


def _percent(part: int, whole: int) -> str:
    return f"{(200 * part + whole) // (2 * whole)}%" if whole else "–"


def _group(group: Group) -> dict[str, Any]:
    verdicts = {
        verdict.name.lower(): {"requests": cell.count, "worth": cell.worth} for verdict, cell in group.verdicts.items()
    }
    return {"bundle": group.bundle, "customers": len(group.customers), "requests": group.requests, **verdicts}
