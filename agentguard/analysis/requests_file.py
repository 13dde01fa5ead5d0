"""Requests of the past as a file tells them: a table as CSV, or one object a line as JSON, oldest first.

A column is named as policies name what it says: `at`, `action`, `on_behalf_of`, `agent`, `tenant`, the arguments
(`amount`), facts (`order.total`) and context (`context.channel`); `verdict` and `done` say what was decided and whether
it was done. An empty cell says that there was none, a column that is not there that nobody knows.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentguard.analysis.replaying import Past
from agentguard.analysis.written import YES, value_of
from agentguard.core.cases import Written
from agentguard.core.language import Declared, Value
from agentguard.core.language.suggest import did_you_mean
from agentguard.core.plan import Plan
from agentguard.core.policy import Bundle, Verdict
from agentguard.core.request import Actor, Fact, FactStatus, Request
from agentguard.errors import ConformError, UsageError

NEEDED = ("at", "action")
KNOWN = (*NEEDED, "on_behalf_of", "agent", "tenant", "key", "verdict", "done")
MOST_NAMED = 20
NO_COLUMN = "the file does not say it"
NOT_READABLE = "what the file says is not of its type"
_VERDICTS = {str(verdict): verdict for verdict in (Verdict.ALLOW, Verdict.ESCALATE, Verdict.DENY)}


@dataclass(frozen=True, slots=True)
class Row:
    """One request as it was written, by its line; `verdict` and `done` are None where the file does not say."""

    line: int
    at: datetime
    cells: Mapping[str, Written | None]
    verdict: Verdict | None
    done: bool | None

    @property
    def action(self) -> str:
        """The kind of action that was asked for."""
        return str(self.cells["action"])


def rows_of(path: Path, bundles: tuple[Bundle, ...], told: Callable[[int], None] | None = None) -> Iterator[Row]:
    """Yield the requests of a file, holding one of them at a time.

    Args:
        path: `.csv` with a header, or `.jsonl`.
        bundles: The policies that will read it: a column that none of them knows is a mistake.
        told: Told how many bytes were read.

    Raises:
        UsageError: It cannot be read, a line is none, a column is unknown, or a request is older than the one before.
    """
    known = frozenset(KNOWN).union(*map(_names, bundles))
    before = datetime.min.replace(tzinfo=UTC)
    try:
        with path.open("rb") as file:
            lines = _lines(file, told)
            for number, cells in _json(lines) if path.suffix.lower() in (".jsonl", ".ndjson") else _table(lines):
                for name in cells.keys() - known:
                    raise UsageError(f"line {number}: no policy knows `{name[:60]}`{did_you_mean(name, known)}")
                row = _row(number, cells)
                if row.at < before:
                    raise UsageError(f"line {number}: it is older than the one before; sort the file by `at`")
                before = row.at
                yield row
    except UnicodeDecodeError as error:
        raise UsageError(f"expected a file in UTF-8, got `{path}`, which is not") from error
    except OSError as error:
        raise UsageError(f"expected a file that can be read, got `{path}`: {error.strerror or error}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def past_of(row: Row, plan: Plan, verdict: Verdict, *, done: bool) -> Past:
    """Return a request as some policies can know it, with what was decided then."""
    zone = plan.files[0].policy.zone if plan.files else UTC
    unknown: dict[str, str] = {}

    def read(declared: Mapping[str, Declared]) -> dict[str, Value]:
        """Return what the file says of some names, and note what it does not."""
        values: dict[str, Value] = {}
        for name, item in declared.items():
            written = row.cells.get(name)
            if name not in row.cells:
                unknown[name] = NO_COLUMN
            elif written is not None:
                try:
                    values[name] = value_of(item.type, written, zone)
                except ConformError:
                    unknown[name] = NOT_READABLE
        return values

    arguments, context, facts = read(plan.asked), read(plan.context), read(plan.facts)
    customer = _text(row.cells, "on_behalf_of", "")
    known = {name: Fact(FactStatus.VALUE, value) for name, value in facts.items()}
    absent = {name: Fact(FactStatus.ABSENT) for name in plan.facts if name not in facts and name not in unknown}
    return Past(
        place=row.line,
        action_id=f"line {row.line}",
        customer=customer,
        request=Request(
            tenant=_text(row.cells, "tenant", "default"),
            actor=Actor(_text(row.cells, "agent", "agent")),
            on_behalf_of=customer,
            action=row.action,
            arguments=arguments,
            context=context,
            key=_text(row.cells, "key", f"line {row.line}"),
            asked_at=row.at,
        ),
        facts={**known, **absent},
        now=row.at,
        verdict=verdict,
        permitted=done,
        unknown=unknown,
    )


def _names(bundle: Bundle) -> frozenset[str]:
    return frozenset[str]().union(
        *(
            {*policy.facts, *policy.context, *(name for spec in policy.actions.values() for name in spec.arguments)}
            for policy in bundle.policies
        )
    )


def _lines(file: Iterator[bytes], told: Callable[[int], None] | None) -> Iterator[str]:
    read = 0
    for number, line in enumerate(file):
        read += len(line)
        if told is not None and number % 1000 == 0:
            told(read)
        yield line.decode("utf-8-sig" if number == 0 else "utf-8")


def _table(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Written | None]]]:
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _require_columns(header)
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise UsageError(
                    f"line {reader.line_num}: expected {len(header)} cells as in the header, got {len(row)}"
                )
            yield reader.line_num, {name: cell or None for name, cell in zip(header, row, strict=True)}
    except csv.Error as error:
        raise UsageError(f"line {reader.line_num}: expected a table as CSV: {error}") from error


def _require_columns(header: Sequence[str]) -> None:
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"expected each column once, got `{twice[:60]}` {header.count(twice)} times")
    if all(name in header for name in NEEDED):
        return
    if len(header) == 1 and ";" in header[0]:
        raise UsageError("expected columns with commas between them, got semicolons: save it as CSV with commas")
    needed = " and ".join(f"`{name}`" for name in NEEDED)
    found = ", ".join(f"`{name[:60]}`" for name in header[:MOST_NAMED]) or "nothing"
    more = f" and {len(header) - MOST_NAMED} more" if len(header) > MOST_NAMED else ""
    raise UsageError(f"expected the columns {needed} in the header, got {found}{more}")


def _json(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Written | None]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, parse_float=str, parse_int=str)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"line {number}: expected a JSON object on one line: {error}") from error
        if not isinstance(found, dict):
            raise UsageError(f"line {number}: expected a JSON object on one line, got something else")
        yield number, {name: _written(item) for name, item in found.items()}


def _written(item: Any) -> Any:
    """Return JSON as people write values: yes and no for what is true and not."""
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, list):
        return [_written(part) for part in item]
    if isinstance(item, dict):
        return {name: _written(part) for name, part in item.items()}
    return item


def _row(line: int, cells: Mapping[str, Written | None]) -> Row:
    for name in NEEDED:
        if not isinstance(cells.get(name), str):
            raise UsageError(f"line {line}: expected `{name}`, got nothing")
    written, done, at = cells.get("verdict"), cells.get("done"), str(cells["at"])
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise UsageError(f"line {line}: expected `at` like `2026-11-22T09:30:00Z`, got `{at[:60]}`") from error
    if written is not None and written not in _VERDICTS:
        raise UsageError(f"line {line}: expected `verdict` as allow, escalate or deny, got `{written}`")
    if done is not None and str(done).lower() not in YES:
        raise UsageError(f"line {line}: expected `done` as yes or no, got `{done}`")
    return Row(
        line,
        moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC),
        cells,
        None if written is None else _VERDICTS[str(written)],
        None if done is None else YES[str(done).lower()],
    )


def _text(cells: Mapping[str, Written | None], name: str, otherwise: str) -> str:
    found = cells.get(name)
    return found if isinstance(found, str) else otherwise
