"""What the files of a folder of policies are, by their names: policies, test cases beside them, and their people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Final

PEOPLE: Final = "people.yaml"
CASES_END: Final = "_test"
"""How the name of a file with test cases ends, without its suffix."""
_SUFFIXES: Final = (".yaml", ".yml")


def is_yaml(path: PurePath) -> bool:
    """Return whether a file is YAML by its name."""
    return path.suffix.lower() in _SUFFIXES


def is_policy(path: PurePath) -> bool:
    """Return whether a file in a folder of policies is one by its name: all YAML is, but for people and test cases."""
    return is_yaml(path) and not is_people(path) and not path.stem.endswith(CASES_END)


def is_people(path: PurePath) -> bool:
    """Return whether a file says who the people are by its name, `people.yml` too, which nobody would read."""
    return is_yaml(path) and path.stem.casefold() == "people"


def yaml_inside(folder: Path) -> Iterator[Path]:
    """Yield the YAML files of a folder and of those below it, in a stable order.

    What is hidden is passed by: a mounted configuration keeps its files a second time in a folder `..2026_11_20`.
    """
    for path in sorted(folder.rglob("*")):
        if is_yaml(path) and not is_hidden(path.relative_to(folder)) and path.is_file():
            yield path


def is_hidden(path: PurePath) -> bool:
    """Return whether a file is hidden, or in a hidden folder, by its path from the folder that is looked at."""
    return any(part.startswith(".") for part in path.parts)
