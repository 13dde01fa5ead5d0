"""The files that a command is given: policies, their cases, and who the people are."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agentguard import policyfile
from agentguard.core.people import People
from agentguard.errors import UsageError
from agentguard.policyfile.filenames import CASES_END, PEOPLE, is_people, yaml_inside

Paths = Annotated[list[Path], typer.Argument(help="Policy files, or folders of them.", metavar="PATH…")]


class Kind(enum.Enum):
    """What a file is, by its name."""

    POLICY = "policy"
    CASES = "cases"
    PEOPLE = "people"


def files_of(paths: Sequence[Path]) -> list[tuple[Path, Kind]]:
    """Return the files that paths name, and those in folders and the folders below, each once, in a stable order.

    Raises:
        UsageError: A path is not there, or no file is.
    """
    found: dict[Path, Kind] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"expected a file or folder, got `{path}`, which is not there")
        inside = yaml_inside(path) if path.is_dir() else [path]
        found.update((item, kind_of(item)) for item in inside)
    if not found:
        raise UsageError(f"expected files that end in `.yaml`, got none in {', '.join(map(str, paths))}")
    return list(found.items())


def kind_of(path: Path) -> Kind:
    """Return what a file is: `people.yaml`, `*_test.yaml`, or a policy."""
    if is_people(path):
        return Kind.PEOPLE
    return Kind.CASES if path.stem.endswith(CASES_END) else Kind.POLICY


def people_for(paths: Sequence[Path], named: Path | None) -> People | None:
    """Return the people named, or those beside or right above the first path that has some; None without any."""
    if named is not None:
        return policyfile.load_people(named)
    for path in paths:
        folder = path.resolve() if path.is_dir() else path.resolve().parent
        for place in (folder, folder.parent):
            if (place / PEOPLE).is_file():
                return policyfile.load_people(place / PEOPLE)
    return None
