"""`agentguard audit keygen` and `change-key`: the key that signs the log."""

from __future__ import annotations

from pathlib import Path
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
from agentguard.engine.powers import more_people
from agentguard.engine.signing import make_key, read_public


def keygen(
    file: Annotated[Path, typer.Argument(help="The new file for the private key.")] = Path("seal.key"),
    name: Annotated[str, typer.Option("--name", help="What the key is called in signatures.")] = "agentguard",
    json: JsonOption = False,
) -> None:
    """Make a key that signs the log, in a file of its own; print the public one, for whoever checks: `FILE.pub` too."""
    public = make_key(file, name)
    if json:
        print_json({"key": public.text, "file": str(file), "public": f"{file}.pub"})
    else:
        Output().line(public.text)


def change_key(
    key: Annotated[str, typer.Argument(help="The new public key, as text or in a file.")],
    why: WhyOption = "",
    stolen: Annotated[
        bool, typer.Option("--stolen", help="Somebody else has the old one: nothing that it signs is believed.")
    ] = False,
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Let another key sign the log from here on; it takes two people where people.yaml says who may."""
    new = read_public(key)
    said = "the reason for another key goes into the record"
    guard, person = open_for(store, policies, people, as_, why, said)
    done = guard.seals.change_key(new, stolen=stolen, **person)
    if json:
        print_json({"key": done.key, "changed": done.changed, "missing": done.missing, "entry": done.entry})
    elif done.missing:
        Output().line(f"the key is not changed yet: {more_people(done.missing)}; {person['by']} has")
    elif done:
        Output().line(f"{done.key} signs from entry {done.entry} on; give every sealer its file")
    else:
        Output().line("it is the log's key already; nothing has changed")
    if done.missing:
        raise typer.Exit(FOUND)
