"""The command tree of `agentguard`."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, MutableMapping
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard.cli import (
    actions,
    audit,
    clock,
    completeness,
    escalations,
    exits,
    incidents,
    keys,
    letters,
    limits,
    operating,
    packs,
    people,
    policies,
    privacy,
    recording,
    retention,
    reviews,
    seals,
    store,
    streams,
    witness,
    witness_restored,
    worker,
)
from agentguard.cli.opened import JsonOption

app: typer.Typer = typer.Typer(
    name="agentguard",
    help="Policies, limits, escalations and the audit log of what LLM agents do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(policies.app, name="policy")
audit.app.command("stream")(streams.stream)
audit.app.command("erase")(privacy.erase)
audit.app.command("about")(privacy.about)
audit.app.command("purge")(retention.purge)
audit.app.add_typer(retention.holds, name="legal-hold")
audit.app.command("restored")(witness_restored.restored)
audit.app.command("keygen")(keys.keygen)
audit.app.command("change-key")(keys.change_key)
audit.app.command("seal")(seals.seal)
audit.app.command("checkpoint")(seals.checkpoint)
audit.app.command("receipt")(seals.receipt)
audit.app.command("check-receipt")(seals.check_receipt)
audit.app.command("export")(packs.export)
audit.app.command("reconcile")(completeness.reconcile)
audit.app.command("affected")(incidents.affected)
audit.app.command("note")(incidents.note)
app.add_typer(audit.app, name="audit")
app.add_typer(escalations.app, name="escalations")
app.add_typer(reviews.app, name="reviews")
app.add_typer(people.app, name="people")
app.add_typer(actions.app, name="actions")
app.add_typer(clock.app, name="clock")
app.add_typer(store.app, name="store")
app.add_typer(witness.app, name="witness")
app.command("limits")(limits.show)
app.command("record")(recording.record)
app.command("recover")(operating.recover)
app.command("worker")(worker.work)
app.command("letter")(letters.letter)
app.command("halt")(operating.halt)
app.command("resume")(operating.resume)


@app.command()
def demo(
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where to keep its record, `agentguard-demo` if left out; an earlier one goes."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Watch an agent serve customers behind a guard: no key, no network, nothing real is paid."""
    from agentguard.cli.demo import run

    raise typer.Exit(run(folder, as_json=json))


def run(arguments: list[str] | None = None) -> int:
    """Run one command line, this process's own if none is given, and return its exit code."""
    return exits.guarded(lambda: commands()(arguments, standalone_mode=False))


@functools.cache
def commands() -> Callable[..., int | None]:
    """Return the tree of the commands; it is built once, since that takes longer than most commands."""
    return typer.main.get_command(app)


def _drop_what_is_said(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop what a command says in words of its own."""
    if event["event"] in ("guard.halt_unknown", "limit.over"):
        import structlog

        raise structlog.DropEvent
    return event


def main() -> None:
    """Run the command line and leave with its exit code."""
    import structlog

    gc.freeze()  # what was imported stays; looking for garbage in it takes a quarter of a command's time
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # an old encoding costs a few signs, and not the answer
    if not structlog.is_configured():  # standard output belongs to what a command prints
        processors = [_drop_what_is_said, *structlog.get_config()["processors"]]
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr), processors=processors)
    sys.exit(run())
