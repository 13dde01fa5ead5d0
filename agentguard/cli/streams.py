"""`agentguard audit stream`: the log as events for a SIEM or a queue, one JSON document a line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import orjson
import typer

from agentguard.adapters.cloudevents import cloud_event
from agentguard.adapters.ocsf import ocsf_event
from agentguard.cli.interrupts import Stop, until_told_to_stop
from agentguard.cli.opened import open_reading
from agentguard.cli.options import DEFAULT_STORE, StoreOption
from agentguard.cli.output import Output
from agentguard.engine.streaming import Follower
from agentguard.errors import StoreError, UsageError
from agentguard.store.records import Entry

LONGEST_LINE = 1_000_000

FORMATS: Mapping[str, Callable[[str, Entry], dict[str, Any]]] = {"ocsf": ocsf_event, "cloudevents": cloud_event}


def stream(
    form: Annotated[str, typer.Option("--format", help="`ocsf` or `cloudevents`.")] = "ocsf",
    after: Annotated[int | None, typer.Option(help="Begin behind this position, 0 for the whole log.", min=0)] = None,
    cursor: Annotated[str | None, typer.Option(help="Keep how far it has come under this name.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for what is new; Ctrl-C or SIGTERM ends it.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between looks with --follow.", min=0.1)] = 1,
    out: Annotated[Path | None, typer.Option(help="Append to this file; standard output if left out.")] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write the log as OCSF events or CloudEvents, one JSON document a line, each at least once."""
    if form not in FORMATS:
        raise UsageError(f"expected one of {', '.join(FORMATS)} for --format, got `{form}`")
    follower = Follower(open_reading(store).store, after=after, cursor=cursor)
    with until_told_to_stop() as stop, _written_to(out) as write:
        _write_on(follower, FORMATS[form], write, stop if follow else None, every)


def _write_on(
    follower: Follower,
    event_of: Callable[[str, Entry], dict[str, Any]],
    write: Callable[[bytes], None],
    stop: Stop | None,
    every: float,
) -> None:
    """Write what there is; with something to stop by, also what comes until then."""
    while True:
        try:
            _write_what_is_there(follower, event_of, write, stop)
        except StoreError as error:  # whoever follows wants it to go on when the database is back
            if stop is None:
                raise
            Output(sys.stderr).failure(f"{error}; the next look tries again")
        if stop is None or stop.told:
            return
        stop.wait(every)


def _write_what_is_there(
    follower: Follower,
    event_of: Callable[[str, Entry], dict[str, Any]],
    write: Callable[[bytes], None],
    stop: Stop | None,
) -> None:
    while (stop is None or not stop.told) and (page := follower.page()):
        write(b"".join(orjson.dumps(event_of(follower.log, entry)) + b"\n" for entry in page))
        follower.done(page[-1].pos)  # only now: whatever ends the process before says these again


@contextmanager
def _written_to(out: Path | None) -> Iterator[Callable[[bytes], None]]:
    """Give what writes; a line of a file that was torn when a writer died is cut off, and comes again whole."""
    if out is None:
        yield _print
        return
    try:
        with out.open("ab+") as file:
            _cut_torn_line(file)

            def write(lines: bytes) -> None:
                """Write lines, and return once they are on disk."""
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())

            yield write
    except OSError as error:
        raise UsageError(f"expected a file to append to at `{out}`: {error.strerror or error}") from error


def _print(lines: bytes) -> None:
    sys.stdout.write(lines.decode())
    sys.stdout.flush()


def _cut_torn_line(file: BinaryIO) -> None:
    end = file.seek(0, os.SEEK_END)
    size = min(end, LONGEST_LINE)
    file.seek(end - size)
    tail = file.read(size)
    if tail and not tail.endswith(b"\n"):
        file.truncate(end - size + tail.rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)
