"""`agentguard audit reconcile`: whether everything that was paid is on record, and the other way round."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard.cli.audit import moment_of
from agentguard.cli.bookfile import FIELDS, UNITS, BookFile, Reading
from agentguard.cli.exits import FOUND
from agentguard.cli.identity import login
from agentguard.cli.opened import open_reading
from agentguard.cli.options import DEFAULT_STORE, AsOption, JsonOption, StoreOption
from agentguard.cli.output import Output, print_json
from agentguard.cli.spreadsheet import require_new, table_in
from agentguard.core.language.suggest import did_you_mean
from agentguard.core.prose import moment
from agentguard.engine.guard import Guard
from agentguard.engine.reconciling import CODES, Finding, Reconciliation, Scope, record_reconciliation
from agentguard.errors import UsageError
from agentguard.store.payments import DONE, NOT_DONE, PENDING, Payments

MOST_SHOWN = 50
COLUMNS = ("finding", "at", "line", "payment", "action_id", "action", "paid", "recorded", "detail")
_AT_ONCE = 1_000


def reconcile(
    file: Annotated[Path, typer.Argument(help="The provider's export as CSV.")],
    units: Annotated[str, typer.Option(help="How the file writes amounts: `major` (40.00) or `minor` (4000).")] = "",
    columns: Annotated[
        str, typer.Option(help="Which column says what, where its name does not tell: `id=Refund ID,key=Note`.")
    ] = "",
    where: Annotated[list[str] | None, typer.Option(help="Only lines that say this: `Type=refund`.")] = None,
    status: Annotated[
        list[str] | None, typer.Option(help="What a word of the file means: `won=done`, `pending` or `not_done`.")
    ] = None,
    negative: Annotated[bool, typer.Option("--negative", help="What goes out is below zero in the file.")] = False,
    action: Annotated[list[str] | None, typer.Option(help="Only these actions, like `refund.issue`.")] = None,
    amount: Annotated[str | None, typer.Option(help="The argument that is paid, where there are several.")] = None,
    since: Annotated[str | None, typer.Option(help="From then on; the file's first payment if left out.")] = None,
    until: Annotated[str | None, typer.Option(help="Until then; the file's last payment if left out.")] = None,
    slack: Annotated[int, typer.Option(help="Minutes from an action to its payment, at most.", min=0)] = 10,
    out: Annotated[Path | None, typer.Option(help="Write what is found to this file, as CSV.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do not record that it was compared.")] = False,
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Compare a payment provider's export with the record: exit code 1 if they differ."""
    how = Reading(
        _units(units, file), _pairs("--columns", columns.split(",") if columns else [], FIELDS),
        _pairs("--where", where or []), negative, _statuses(status or []),
    )  # fmt: skip
    scope = Scope(
        frozenset(action or ()),
        amount,
        None if since is None else moment_of(since),
        None if until is None else moment_of(until),
        timedelta(minutes=slack),
    )
    require_new(out)
    guard = open_reading(store)
    with Payments() as payments, _progress(quiet=json) as told:
        book = _kept(payments, file, how, told)
        if book.problems:
            _say_problems(file, book.problems, json=json)
            raise typer.Exit(FOUND)
        done = guard.audit.reconcile(payments, scope, lambda seen, every: told("comparing actions", seen, every))
    _write_down(guard, done, book, as_, dry_run=dry_run)
    if out is not None:
        with table_in(out, COLUMNS) as table:
            for finding in done.findings:
                table.row(_row(finding))
    if json:
        print_json(_document(done, book, dry_run=dry_run))
    else:
        _say(Output(), done, out)
    if not done.ok:
        raise typer.Exit(FOUND)


def _kept(payments: Payments, file: Path, how: Reading, told: Callable[[str, int, int], None]) -> BookFile:
    """Read a file to its end, so that its digest is of all of it."""
    read, size = 0, file.stat().st_size if file.is_file() else 0

    def seen(count: int) -> None:
        """Tell how much was read."""
        nonlocal read
        read += count
        told("reading the file", read, size)

    book = BookFile(file, how, seen)
    lines = book.payments()
    while some := list(islice(lines, _AT_ONCE)):
        payments.add(some)
    return book


def _write_down(guard: Guard, done: Reconciliation, book: BookFile, named: str | None, *, dry_run: bool) -> None:
    if dry_run:
        return
    by, authenticated = (named, "unverified") if named is not None else (login(), "os_login")
    who = {"by": by, "authenticated": authenticated, "tenant": guard.tenant}
    record_reconciliation(guard.store, done, sha256=book.sha256, **who)


def _units(units: str, file: Path) -> str:
    if units not in UNITS:
        got = f"`{units}`" if units else "nothing"
        raise UsageError(
            f"expected --units, got {got}: `major` if `{file.name}` writes 40.00 for forty, `minor` if it writes 4000"
        )
    return units


def _pairs(option: str, given: Sequence[str], known: Mapping[str, Any] | None = None) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageError(f"expected `NAME=VALUE` for {option}, got `{item}`")
        if known is not None and name not in known:
            raise UsageError(f"expected one of {', '.join(known)} before `=`, got `{name}`{did_you_mean(name, known)}")
        pairs[name] = value
    return pairs


def _statuses(given: Sequence[str]) -> dict[str, str]:
    pairs = _pairs("--status", given)
    for meaning in pairs.values():
        if meaning not in (DONE, PENDING, NOT_DONE):
            raise UsageError(f"expected {DONE}, {PENDING} or {NOT_DONE} behind `=` for --status, got `{meaning}`")
    return {word.lower(): meaning for word, meaning in pairs.items()}


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give what shows how far it is; nothing is shown where nobody sees it."""
    if quiet or not sys.stderr.isatty():
        yield lambda _what, _done, _every: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading the file", total=None)
        yield lambda what, done, every: progress.update(task, description=what, completed=done, total=every)


def _say_problems(file: Path, problems: list[tuple[int, str]], *, json: bool) -> None:
    if json:
        print_json({"ok": False, "problems": [{"line": line, "message": message} for line, message in problems]})
        return
    output = Output(sys.stderr)
    for line, message in problems:
        output.line(f"{file}:{line}: {message}", style="red")
    output.failure("nothing was compared: what cannot be read may be what is missing; correct it and try again")


def _say(output: Output, done: Reconciliation, out: Path | None) -> None:
    window = f"{moment(done.window.since)} to {moment(done.window.until)} UTC"
    output.line(f"{done.payments} payments and {done.actions} actions, {window}: {done.matched} alike")
    if done.pending:
        output.line(f"{done.pending} payments are not finished yet")
    if done.at_edges:
        output.prose(
            f"{done.at_edges} actions without a payment lie at the window's edges, and their payment may lie outside: "
            "compare a longer time"
        )
    if done.ok:
        output.line("the provider's books and the record say the same", style="bold green")
        return
    output.line()
    for code, count in sorted(done.counts.items()):
        output.line(f"{code} {count}: {CODES[code]}", style="red")
    output.line()
    rows = [
        (item.code, moment(item.at)[:16], item.line or "–", item.payment or "–", item.paid or "–", item.recorded or "–",
         "\n".join(filter(None, (item.action_id, item.detail))) or "–")
        for item in done.findings[:MOST_SHOWN]
    ]  # fmt: skip
    output.table(("finding", "at (UTC)", "line", "payment", "paid", "on record", "about"), rows, right=("line",))
    more = sum(done.counts.values()) - len(rows)
    if more:
        output.line(f"and {more} more{f', all of them in {out}' if out else ': `--out FILE.csv` has all'}")


def _row(finding: Finding) -> tuple[object, ...]:
    return (
        finding.code, finding.at.isoformat(), finding.line, finding.payment, finding.action_id, finding.action,
        finding.paid, finding.recorded, finding.detail,
    )  # fmt: skip


def _document(done: Reconciliation, book: BookFile, *, dry_run: bool) -> dict[str, Any]:
    return {
        "ok": done.ok,
        "sha256": book.sha256,
        "since": done.window.since.isoformat(),
        "until": done.window.until.isoformat(),
        "payments": done.payments,
        "actions": done.actions,
        "matched": done.matched,
        "pending": done.pending,
        "at_edges": done.at_edges,
        "dry_run": dry_run,
        "counts": dict(sorted(done.counts.items())),
        "findings": [dict(zip(COLUMNS, _row(finding), strict=True)) for finding in done.findings],
        "problems": [],
    }
