"""`agentguard record`: count what people and other systems did, from a file, after an outage say."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard.cli.deedfile import read
from agentguard.cli.exits import FOUND
from agentguard.cli.identity import login
from agentguard.cli.opened import open_app, open_reading
from agentguard.cli.options import DEFAULT_STORE, AppOption, JsonOption, StoreOption
from agentguard.cli.output import Output, print_json
from agentguard.core.policy import Bundle
from agentguard.core.prose import amount_text
from agentguard.engine.deeds import Deed, Recorded
from agentguard.engine.guard import Guard
from agentguard.errors import RecordingError, UsageError

MOST_SHOWN = 50


def record(
    file: Annotated[Path, typer.Argument(help="One deed a line as JSON (`.jsonl`), or one a row (`.csv`).")],
    source: Annotated[str | None, typer.Option(help="The system that tells it, where a line does not say.")] = None,
    by: Annotated[str | None, typer.Option(help="Who did it, where a line does not say; you if left out.")] = None,
    partly: Annotated[
        bool, typer.Option("--partly", help="Record also what a limit cannot count, and say which.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Record nothing; say what would be.")] = False,
    app: AppOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Count in limits and log what people and other systems did; nothing is decided and no tool is called."""
    guard = open_app(app) if app is not None else open_reading(store)
    if app is not None:
        guard.start(recover=False)
    defaults = {"by": by or login(), **({} if source is None else {"source": source})}
    found = read(file, _in_force(guard), defaults, partly=partly)
    lines = [number for number, _ in found.deeds]
    problems = list(found.problems)
    try:
        recorded = _recorded(guard, [deed for _, deed in found.deeds], dry_run=dry_run or bool(problems), quiet=json)
    except RecordingError as error:
        recorded = ()
        problems += [(lines[number - 1], message) for number, message in error.problems]
    if problems:
        _say_problems(file, sorted(problems), json=json)
        raise typer.Exit(FOUND)
    if json:
        print_json(_document(lines, found.deeds, recorded, dry_run=dry_run))
    else:
        _say(Output(), lines, recorded, dry_run=dry_run)


def _in_force(guard: Guard) -> Bundle:
    digest = guard.store.read(lambda reading: reading.digest_in_force())
    if digest is None:
        raise UsageError("no policies are in force in this store; run `agentguard policy activate` first")
    return guard.audit.bundle(digest)


def _recorded(guard: Guard, deeds: Sequence[Deed], *, dry_run: bool, quiet: bool) -> tuple[Recorded, ...]:
    if quiet or dry_run or not sys.stderr.isatty():
        return guard.record_all(deeds, dry_run=dry_run)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("recording", total=len(deeds))
        return guard.record_all(deeds, progress=lambda done, of: progress.update(task, completed=done, total=of))


def _say_problems(file: Path, problems: list[tuple[int, str]], *, json: bool) -> None:
    if json:
        told = [{"line": line, "message": message} for line, message in problems]
        print_json({"recorded": 0, "already_recorded": 0, "dry_run": False, "problems": told, "deeds": []})
        return
    output = Output(sys.stderr)
    for line, message in problems[:MOST_SHOWN]:
        output.line(f"{file}:{line}: {message}", style="red")
    if len(problems) > MOST_SHOWN:
        output.line(f"and {len(problems) - MOST_SHOWN} more", style="red")
    lines = len({line for line, _ in problems})
    output.failure(f"nothing was recorded, because of {lines} line{'s' if lines > 1 else ''}; correct and try again")


def _say(output: Output, lines: Sequence[int], recorded: Sequence[Recorded], *, dry_run: bool) -> None:
    if not recorded:
        output.line("nothing to record: the file tells of no deed")
        return
    known = sum(item.replayed for item in recorded)
    already = f", {known} recorded before" if known else ""
    output.line(f"{'would record' if dry_run else 'recorded'} {len(recorded) - known}{already}", style="bold")
    uncounted = Counter(reason for item in recorded for reason in item.uncounted)
    for reason, count in sorted(uncounted.items()):
        output.line(f"not counted {count} times: {reason}", style="yellow")
    over = [(line, standing) for line, item in zip(lines, recorded, strict=True) for standing in item.over]
    for line, standing in over[:MOST_SHOWN]:
        used, most = amount_text(standing.used, standing.unit), amount_text(standing.max, standing.unit)
        output.line(f"line {line}: {standing.limit} is over its max, {used} used of {most}; what follows is refused")
    if len(over) > MOST_SHOWN:
        output.line(f"and {len(over) - MOST_SHOWN} more")


def _document(
    lines: Sequence[int], deeds: Sequence[tuple[int, Deed]], recorded: Sequence[Recorded], *, dry_run: bool
) -> dict[str, Any]:
    known = sum(item.replayed for item in recorded)
    return {
        "recorded": len(recorded) - known,
        "already_recorded": known,
        "dry_run": dry_run,
        "problems": [],
        "deeds": [
            {
                "line": line,
                "source": deed.source,
                "key": deed.key,
                "action": item.action,
                "action_id": item.action_id or None,
                "entry": item.entry,
                "already_recorded": item.replayed,
                "limits": [
                    {
                        "limit": standing.limit,
                        "unit": standing.unit,
                        "amount": standing.amount,
                        "used": standing.used,
                        "held": standing.held,
                        "max": standing.max,
                        "left": standing.left,
                        "over": standing.over,
                    }
                    for standing in item.limits
                ],
                "not_counted": list(item.uncounted),
                "given_back": [
                    {"limit": freed.limit, "unit": freed.unit, "amount": freed.amount, "action_id": freed.action_id}
                    for freed in item.freed
                ],
            }
            for line, (_, deed), item in zip(lines, deeds, recorded, strict=True)
        ],
    }
