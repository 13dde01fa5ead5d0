"""Recorded calls of real agents, as they lie in a folder: JSON lines, plain or gzipped, any of them missing.

Numbers with a fraction are read from their text, so that money stays exact.
"""

import enum
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

from agentguard.core.money import Money

CENT = Decimal("0.01")


class RecordingError(Exception):
    """A file of the folder is not what a recording looks like; the message names the file and line."""


class Expected(enum.StrEnum):
    """What a perfect guard does with a call; known to the replay, never to the policy."""

    GOOD = "good"
    FORBIDDEN = "forbidden"
    FORBIDDEN_SOFT = "forbidden_soft"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call, as the guard will meet it.

    Attributes:
        world: Calls of one world happened one after another; what happened in another is not known there.
        facts: What the systems of record knew just before the call, by the first part of the facts' names; None for
            a record that does not exist.
        succeeded: Whether the tool did what it was asked for when the call was recorded.
    """

    world: str
    action: str
    arguments: Mapping[str, Any]
    on_behalf_of: str
    facts: Mapping[str, Mapping[str, Any] | None]
    expected: Expected
    context: Mapping[str, Any] = field(default_factory=dict)
    succeeded: bool = True


def find(folder: Path, name: str) -> Path | None:
    """Return the file of this name, plain or gzipped, or None."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def read_text(path: Path) -> str:
    """Return a file's text, unpacked if it is gzipped."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8") as stream:
                return stream.read()
        return path.read_text(encoding="utf-8")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise RecordingError(f"{path}: expected text or gzipped text, could not read it: {error}") from error


def read_lines(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON-lines file, or none if there is no such file."""
    path = find(folder, name)
    if path is None:
        return []
    records = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_float=Decimal)
        except ValueError as error:
            raise RecordingError(f"{path}:{number}: expected one JSON object a line, got: {error}") from error
        if not isinstance(record, dict):
            raise RecordingError(f"{path}:{number}: expected a JSON object, got {type(record).__name__}")
        records.append(record)
    return records


def read_object(folder: Path, name: str) -> dict[str, Any] | None:
    """Return the object of a JSON file, or None if there is no such file."""
    path = find(folder, name)
    if path is None:
        return None
    try:
        record = json.loads(read_text(path), parse_float=Decimal)
    except ValueError as error:
        raise RecordingError(f"{path}: expected a JSON object, got: {error}") from error
    if not isinstance(record, dict):
        raise RecordingError(f"{path}: expected a JSON object, got {type(record).__name__}")
    return record


def money(amount: Any, currency: str) -> Money:
    """Return an amount as the system of record means it: to the cent.

    The sources kept money as binary fractions, so sums came out like 6.739999999999981; the record means 6.74.
    """
    return Money.of(Decimal(str(amount)).quantize(CENT, rounding=ROUND_HALF_EVEN), currency)


def plain_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's arguments with numbers as exact text and without nulls, as a chat adapter hands them over."""
    return {
        name: format(value, "f") if isinstance(value, Decimal) else value
        for name, value in arguments.items()
        if value is not None
    }
