"""`agentguard audit restored`: an operator says that an older database was put back on purpose."""

from __future__ import annotations

from typing import Annotated

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
from agentguard.cli.signer import SignedOption, SigningKeyOption, signer_of
from agentguard.cli.witness import WitnessOption, witnesses_of
from agentguard.engine.powers import more_people
from agentguard.engine.restored import Restoration
from agentguard.errors import UsageError


def restored(
    why: WhyOption = "",
    witness: WitnessOption = None,
    key: SigningKeyOption = None,
    signed: SignedOption = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Record it though no witness says that anything is missing.")
    ] = False,
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Say that an older database was put back on purpose; the log goes on under a new name, and what was lost is told.

    Nothing acts on a log that is older than what a witness has seen of it until this is recorded.
    """
    witnesses = witnesses_of(witness)
    signer = signer_of(key, signed)
    if not witnesses and signer is None and not anyway:
        raise UsageError(
            "expected --witness, who has seen the log as it was, or --key, which signed it; without either say --anyway"
        )
    said = "what was restored, from what, and on whose word"
    guard, person = open_for(store, policies, people, as_, why, said, witnesses=witnesses, signer=signer)
    done = guard.restored(anyway=anyway, **person)
    if json:
        print_json(_document(done))
    else:
        _tell(done, person["by"], agreed=guard.seals.signs_here)
    if not done:
        raise typer.Exit(FOUND)


def _document(done: Restoration) -> dict[str, object]:
    return {
        "recorded": bool(done),
        "missing": done.missing,
        "entry": done.entry,
        "origin": done.origin,
        "continues": done.found.origin,
        "here": done.found.here,
        "lost": done.found.lost,
        "witnessed": {item.witness: {"size": item.size, "why": item.why} for item in done.found.differences},
        "unasked": dict(done.found.unasked),
    }


def _tell(done: Restoration, by: str, *, agreed: bool) -> None:
    output = Output()
    for item in done.found.differences:
        output.line(f"witness `{item.witness}`: {item.why}")
    for name, why in done.found.unasked.items():
        output.line(f"witness `{name}` was not asked: {why}", style="yellow")
    if not done:
        output.line(f"nothing is recorded yet: {more_people(done.missing)}; {by} has")
        return
    lost = done.found.lost
    output.line(f"recorded as entry {done.entry}; the log goes on as `{done.origin}`")
    output.prose(
        "the key signs it under that name"
        if agreed
        else "whoever has the log's key has to agree before it signs that: `agentguard audit seal --accept-restored`"
    )
    if lost is not None:
        output.line(
            f"up to {lost} entries are lost: what they say was done is no longer known here, so that the same could be "
            f"done again. Compare with the provider's books (`agentguard audit reconcile`) before agents act."
        )
