"""Options that many commands have: what a command works on, who gives it, and for whom it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[
    str, typer.Option("--store", envvar="AGENTGUARD_STORE", help="Address of the database.", show_default=True)
]
PoliciesOption = Annotated[
    Path, typer.Option("--policies", envvar="AGENTGUARD_POLICIES", help="Folder or file with the policies.")
]
PeopleOption = Annotated[
    Path | None,
    typer.Option("--people", envvar="AGENTGUARD_PEOPLE", help="people.yaml; beside the policies when left out."),
]
AppOption = Annotated[
    str | None,
    typer.Option("--app", envvar="AGENTGUARD_APP", help="The application's guard, like `shop.guard:guard`."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
AsOption = Annotated[
    str | None,
    typer.Option("--as", help="Who you are, where people.yaml has `allow_unverified: yes`; recorded as unverified."),
]

WhyOption = Annotated[str, typer.Option("--why", help="The reason, for the record.")]

DEFAULT_STORE = "sqlite:///agentguard.db"
DEFAULT_POLICIES = Path("policies")
