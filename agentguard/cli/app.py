"""The command line as a process runs it."""

from __future__ import annotations

import functools
import gc
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from agentguard.cli import exits
from agentguard.cli.groups import Group, command
from agentguard.cli.tree import TREE
from agentguard.log import leave_out

SAID_BY_COMMANDS = ("guard.halt_unknown", "limit.over")


def run(arguments: list[str] | None = None) -> int:
    """Run one command line, this process's own if none is given, and return its exit code."""
    return exits.guarded(lambda: commands()(arguments, standalone_mode=False))


@functools.cache
def commands() -> Group:
    """Return the tree of the commands; what was imported for one is kept for the next."""
    return Group("agentguard", TREE, params=command("agentguard", _root).params)


def main() -> None:
    """Run the command line and leave with its exit code."""
    gc.disable()  # until a command runs: looking for garbage in what is being imported takes a quarter of its time
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # an old encoding costs a few signs, and not the answer
    leave_out(*SAID_BY_COMMANDS)
    sys.exit(run())


def _say_version(wanted: bool) -> None:
    from importlib.metadata import version

    if wanted:
        typer.echo(f"agentguard {version('agentguard')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Stand for the options that come before any command."""
