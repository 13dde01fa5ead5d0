"""`agentguard demo`, as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentguard.cli.demo import run
from agentguard.cli.options import JsonOption


def demo(
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where to keep its record, `agentguard-demo` if left out; an earlier one goes."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Watch an agent serve customers behind a guard: no key, no network, nothing real is paid."""
    raise typer.Exit(run(folder, as_json=json))
