"""Files of what was done elsewhere: one deed a line as JSON, or one a row of a table, every problem with its line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from agentguard.core.arguments import JsonNumber
from agentguard.core.language import Decimal_, Declared, Integer, ListOf, Record, YesNo
from agentguard.core.language.suggest import did_you_mean
from agentguard.core.policy import Bundle
from agentguard.engine.deeds import Deed
from agentguard.engine.recording import MOST_DEEDS
from agentguard.errors import UsageError

LARGEST_FILE = 256 * 2**20
TEXTS = ("action", "key", "on_behalf_of", "by", "source", "relates_to", "external_reference", "tenant", "agent")
PARTS = ("arguments", "context", "facts")
FIELDS = (*TEXTS, "happened_at", *PARTS)
NEEDED = ("action", "key", "happened_at", "by", "source")


@dataclass(frozen=True, slots=True)
class DeedFile:
    """What a file tells: deeds with their lines, and what is wrong with the other lines."""

    deeds: tuple[tuple[int, Deed], ...]
    problems: tuple[tuple[int, str], ...]


def read(path: Path, bundle: Bundle, defaults: Mapping[str, Any], *, partly: bool = False) -> DeedFile:
    """Read a file of deeds.

    Args:
        path: `.jsonl` with one object a line, or `.csv` with a header.
        bundle: The policies in force: the cells of a table are read as the types that they declare.
        defaults: What holds for every line that does not say it.
        partly: Record what some limit cannot count all the same.

    Raises:
        UsageError: The file cannot be read, or is neither.
    """
    readers: Mapping[str, Callable[[str, Bundle], Iterator[_Line]]] = {
        ".jsonl": lambda text, _: _json_lines(text),
        ".ndjson": lambda text, _: _json_lines(text),
        ".csv": _rows,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"expected a file that ends in `.jsonl` or `.csv`, got `{path}`")
    deeds: list[tuple[int, Deed]] = []
    problems: list[tuple[int, str]] = []
    for line in reader(_text(path), bundle):
        try:
            deeds.append((line.number, _deed({**defaults, **line.fields()}, partly=partly)))
        except UsageError as error:
            problems.append((line.number, str(error)))
        if len(deeds) > MOST_DEEDS:
            raise UsageError(f"expected at most {MOST_DEEDS} lines in `{path}`, got more; record it in parts")
    return DeedFile(tuple(deeds), tuple(problems))


@dataclass(frozen=True, slots=True)
class _Line:
    """A line by its number; `fields` gives what it says, or raises what is wrong with it."""

    number: int
    fields: Callable[[], dict[str, Any]]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UsageError(f"expected a file of at most {LARGEST_FILE} bytes, got `{path}`; record it in parts")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"expected a file in UTF-8, got `{path}`, whose byte {error.start + 1} is not") from error
    except OSError as error:
        raise UsageError(f"expected a file that can be read, got `{path}`: {(error.strerror or '').lower()}") from error


def _deed(fields: Mapping[str, Any], *, partly: bool) -> Deed:
    for name in fields:
        if name not in FIELDS:
            raise UsageError(f"unknown field `{str(name)[:60]}`{did_you_mean(str(name), FIELDS)}")
    for name in NEEDED:
        if fields.get(name) in (None, ""):
            raise UsageError(f"expected `{name}`, got nothing")
    for name in TEXTS:
        if fields.get(name) is not None and not isinstance(fields[name], str):
            raise UsageError(f"expected `{name}` as text, got {_kind(fields[name])}")
    for name in PARTS:
        if fields.get(name) is not None and not isinstance(fields[name], dict):
            raise UsageError(f"expected `{name}` as an object, got {_kind(fields[name])}")
    given = {name: value for name, value in fields.items() if value is not None and name != "happened_at"}
    context = {name: _plain(value) for name, value in (given.pop("context", None) or {}).items()}
    arguments = given.pop("arguments", {})
    happened_at = _moment(fields["happened_at"])
    return Deed(arguments=arguments, context=context, happened_at=happened_at, partly=partly, **given)


def _moment(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise UsageError(f"expected `happened_at` like `2026-11-22T09:30:00+01:00`, got `{str(text)[:60]}`") from error


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", bool: "yes or no", JsonNumber: "a number"}
    return names.get(type(value), "something else")


def _plain(value: Any) -> Any:
    """Return a number of JSON as Python has it; context is typed where it is used."""
    if not isinstance(value, JsonNumber):
        return value
    return int(value.text) if value.text.lstrip("-").isdigit() else Decimal(value.text)


def _json_lines(text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _Line(number, lambda line=line: _json_object(line))  # type: ignore[misc]


def _json_object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(
            line,
            parse_float=JsonNumber,
            parse_int=JsonNumber,
            parse_constant=_refuse_constant,
            object_pairs_hook=_once,
        )
    except json.JSONDecodeError as error:
        found_out = f"{error.msg.lower()} at column {error.colno}"
        raise UsageError(f"expected a JSON object on one line, got something else: {found_out}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"expected a JSON object on one line: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"expected a JSON object on one line, got {_kind(found)}")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"expected a finite number, got `{name}`")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("expected each name once, got one twice")
    return found


def _rows(text: str, bundle: Bundle) -> Iterator[_Line]:
    """Yield the rows of a table; its columns are fields, or parts of one like `arguments.amount`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header)
        for row in reader:
            if any(row):
                yield _Line(reader.line_num, lambda row=row: _fields_of(header, row, bundle))  # type: ignore[misc]
    except csv.Error as error:
        raise UsageError(f"expected a table in CSV, got line {reader.line_num}: {error}") from error


def _check_header(header: list[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UsageError(f"expected each column once, got `{twice[0]}` twice")
    for name in header:
        part, _, rest = name.partition(".")
        if name not in (*TEXTS, "happened_at") and not (part in PARTS and rest):
            near = did_you_mean(name, (*TEXTS, "happened_at", "arguments.…", "context.…", "facts.…"))
            hint = near or ": expected a field, or a part of one like `arguments.amount`"
            raise UsageError(f"unknown column `{name[:60]}`{hint}")


def _fields_of(header: list[str], row: list[str], bundle: Bundle) -> dict[str, Any]:
    """Return a row as fields; an empty cell says nothing."""
    if len(row) != len(header):
        raise UsageError(f"expected {len(header)} cells as in the header, got {len(row)}")
    cells = {name: cell for name, cell in zip(header, row, strict=True) if cell}
    declared = _declared(bundle, cells.get("action", ""))
    fields: dict[str, Any] = {}
    for name, cell in cells.items():
        part, _, rest = name.partition(".")
        if part in PARTS:
            known = name if part != "facts" else rest
            fields.setdefault(part, {})[rest] = _cell(name, declared.get(f"{part}:{known}"), cell)
        else:
            fields[name] = cell
    return fields


def _declared(bundle: Bundle, action: str) -> dict[str, Declared]:
    found: dict[str, Declared] = {}
    for policy in bundle.governing(action):
        arguments = policy.actions[action].arguments
        found |= {f"arguments:arguments.{name}": declared for name, declared in arguments.items()}
        found |= {f"context:{name}": declared for name, declared in policy.context.items()}
        found |= {f"facts:{name}": declared for name, declared in policy.facts.items()}
    return found


def _cell(name: str, declared: Declared | None, cell: str) -> Any:
    """Return a cell as a value of its type, where text is not it; what does not fit is told later, by its name."""
    kind = None if declared is None else declared.type
    if isinstance(kind, Integer | Decimal_):
        return JsonNumber(cell)
    if isinstance(kind, YesNo):
        return {"yes": True, "no": False, "true": True, "false": False}.get(cell.lower(), cell)
    if isinstance(kind, ListOf | Record):
        try:
            return _json_object(f'{{"cell": {cell}}}')["cell"]
        except UsageError as error:
            raise UsageError(f'expected `{name}` as JSON, like `["a", "b"]`, got something else') from error
    return cell
