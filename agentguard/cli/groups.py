"""Groups of commands that are known by name and in a line, and imported when one of them is asked for."""

from __future__ import annotations

import gc
import importlib
from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Leaf:
    """A command: where its function is among the modules of the command line, and what it does in a line."""

    line: str
    function: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A group of commands, in the order in which its help lists them, and what they are about in a line."""

    line: str
    members: Mapping[str, Leaf | Branch]


class Group(TyperGroup):
    """A group as typer runs it; its help and a mistyped name import no command."""

    def __init__(self, name: str, branch: Branch, **settings: Any) -> None:
        super().__init__(name=name, help=branch.line, no_args_is_help=True, rich_markup_mode=None, **settings)
        self.lines = {member: found.line for member, found in branch.members.items()}
        self.commands = Commands(branch.members)
        self._below = [
            (member, f"{group} {member}")
            for group, found in branch.members.items()
            if isinstance(found, Branch)
            for member in found.members
        ]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is meant; one that is in a group below is named with its group."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as error:
            meant = " or ".join(f"'{whole}'" for member, whole in self._below if member == args[0])
            if meant:
                error.message = f"No such command '{args[0]}'. Did you mean {meant}?"
            raise

    def list_commands(self, _context: Any) -> list[str]:
        """Return the names of the commands in their order."""
        return [*self.lines]

    def format_commands(self, _context: Any, formatter: Any) -> None:
        """Write what each command does."""
        with formatter.section("Commands"):
            formatter.write_dl([*self.lines.items()])


class Commands(UserDict[str, Any]):
    """Commands by name; each is built when it is first asked for, which is when its module is imported."""

    def __getitem__(self, name: str) -> Any:
        """Return a command as typer runs it."""
        found = self.data[name]
        if isinstance(found, Branch):
            self.data[name] = Group(name, found)
        elif isinstance(found, Leaf):
            module, _, function = found.function.partition(":")
            self.data[name] = command(name, getattr(importlib.import_module(f"agentguard.cli.{module}"), function))
        return self.data[name]


class Command(TyperCommand):
    """A command as typer runs it, whose usage is written as the manual does."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self._arguments = [parameter for parameter in self.params if isinstance(parameter, TyperArgument)]
        for argument in self._arguments:
            argument.metavar = argument.metavar or str(argument.name).upper()

    def collect_usage_pieces(self, _context: Any) -> list[str]:
        """Return what may follow its name: `[OPTIONS] FILE`, with brackets around what may be left out."""
        names = ((str(argument.metavar), argument.required) for argument in self._arguments)
        return ["[OPTIONS]", *(name if must or name.startswith("[") else f"[{name}]" for name, must in names)]

    def invoke(self, ctx: Any) -> Any:
        """Run it; from here on garbage is looked for again, and not among what was imported, where there is none."""
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        return super().invoke(ctx)


def command(name: str, function: Any) -> Command:
    """Return a function as a command."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command(name, cls=Command)(function)
    return cast("Command", typer.main.get_command(alone))
