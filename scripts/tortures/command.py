"""Torture the guard: processes of threads and tasks on one database, killed at random again and again.

Workers ask a real payment provider, a process with its own books, for refunds of every kind of effect, under limits
that all want at once, and send each other's keys. They die by SIGKILL, alone and together, and are stopped and let go
on; so is the provider, and PostgreSQL's server, whose standby takes over. In the end all is recovered and counted.

Exit code 0: everything that must be 0 is 0; 1: something is not; 2: an option cannot be used, or nothing could start.
The long form is `--kills 200 --actions 20000`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from agentguard.errors import AgentGuardError
from scripts.tortures.aftermath import recover
from scripts.tortures.chaos import Chaos, Plan, Tally
from scripts.tortures.database import Database, PostgresPair, SqliteFile
from scripts.tortures.judge import judge
from scripts.tortures.provider import Provider
from scripts.tortures.report import as_json, misfortunes, show
from scripts.tortures.shop import Place, open_guard
from scripts.tortures.worker import Crew


def main(arguments: list[str]) -> int:
    """Torture, recover, judge and print; return the exit code."""
    options = _options(arguments)
    # Thousands of warnings are what is wanted here; what counts is counted.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    folder = Path(tempfile.mkdtemp(prefix="torture-")) if options.keep is None else options.keep
    try:
        with _database(options.engine, folder, standby=options.standby) as database:
            counted = _tortured(options, folder, database)
    except AgentGuardError as error:
        Console(stderr=True).print(f"scripts/torture: {error}", markup=False, highlight=False, soft_wrap=True)
        return 2
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(counted, indent=2))
    else:
        show(Console(), counted)
    return 0 if counted["holds"] else 1


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number


def _options(arguments: list[str]) -> argparse.Namespace:
    words, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="scripts/torture", description=words + rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seconds", type=float, default=45, help="at least so long (45)")
    parser.add_argument("--kills", type=int, default=0, help="and until so many workers were killed")
    parser.add_argument("--actions", type=int, default=0, help="and until so many actions were answered")
    parser.add_argument("--workers", type=_positive, default=4, help="processes at a time (4)")
    parser.add_argument("--threads", type=_positive, default=4, help="threads in each (4)")
    parser.add_argument("--tasks", type=_positive, default=8, help="asyncio tasks in each (8)")
    parser.add_argument("--breath", type=float, default=0.6, help="mean seconds between two misfortunes (0.6)")
    parser.add_argument("--database-life", type=float, default=15, help="mean seconds until PostgreSQL is killed (15)")
    parser.add_argument(
        "--standby",
        action="store_true",
        help="give PostgreSQL a synchronous standby, which takes over every second time",
    )
    parser.add_argument("--seed", default=None, help="the same misfortunes again, as far as machines allow")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep books, journals and SQLite's file in there")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args(arguments)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        if any(options.keep.iterdir()):
            parser.error(f"expected an empty folder for --keep, got `{options.keep}`, which is not; name another")
    options.seed = options.seed or secrets.token_hex(4)
    return options


@contextlib.contextmanager
def _database(engine: str, folder: Path, *, standby: bool) -> Iterator[Database]:
    database: Database = SqliteFile(folder) if engine == "sqlite" else PostgresPair(pair=standby)
    try:
        yield database
    finally:
        database.stop()


def _tortured(options: argparse.Namespace, folder: Path, database: Database) -> dict[str, object]:
    started = time.monotonic()
    provider = Provider(folder, options.seed)
    try:
        place = Place(folder, provider.port, options.seed)
        place.journals.mkdir()
        place.move(database.address)
        guard = open_guard(place, activate=True)
        guard.start()
        guard.close()
        plan = Plan(
            seconds=options.seconds,
            kills=options.kills,
            actions=options.actions,
            workers=options.workers,
            crew=Crew(options.threads, options.tasks),
            breath=options.breath,
            database_life=options.database_life,
        )
        chaos = Chaos(place, plan, provider, database)
        with _progress() as bar:
            task = bar.add_task("")

            def tell(tally: Tally) -> None:
                bar.update(task, description=f"{tally.actions:,} actions, {tally.kills} workers killed")
                bar.refresh()

            tally = chaos.run(tell)
            bar.update(task, description="recovering")
            bar.refresh()
            provider.calm()
            guard = open_guard(place)
            asked = recover(guard, place)
            bar.update(task, description="judging")
            bar.refresh()
            judgement = judge(guard, place)
            guard.close()
    finally:
        provider.stop()
    done = misfortunes(tally, provider.kills, database.kills, database.promotions, asked)
    return as_json(judgement, done, time.monotonic() - started, options.seed)


def _progress() -> Progress:
    errors = Console(stderr=True)
    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    # No thread may run in a process that forks workers.
    return Progress(*columns, console=errors, transient=True, auto_refresh=False, disable=not errors.is_terminal)
