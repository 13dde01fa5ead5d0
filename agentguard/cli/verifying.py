"""`agentguard audit verify`: whether the record still says what it said, what is wrong, and what still holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard.cli import exits
from agentguard.cli.opened import open_reading
from agentguard.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from agentguard.cli.output import Output, print_json
from agentguard.core.prose import moment, numbered
from agentguard.engine.guard import Guard
from agentguard.errors import AgentGuardError, NoteError, UsageError
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.note import MOST_BYTES
from agentguard.store.verification import Finding, Kept, Verification

MOST_SHOWN = 20
"""Findings that are shown with what their entries are about; the rest in a line each."""


def verify(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", help="A checkpoint that was kept elsewhere; may be given more than once."),
    ] = None,
    witness: Annotated[
        list[Path] | None, typer.Option("--witness", help="The file of a witness; may be given more than once.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="A public key of the log or of a witness, or a file with some; more than once."),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option("--from", help="Begin at this checkpoint, which you trust; what is before is skipped."),
    ] = None,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="Decide every decision again from its entry and compare.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Check that the log still says what it said: exit code 1 if it does not."""
    keys = [found for text in key or () for found in _keys(text)]
    kept = [_kept(path) for path in (*(checkpoint or ()), *(witness or ()))]
    guard = open_reading(store)
    checked = _verified(guard, keys, kept, _kept(since) if since is not None else None, quiet=json)
    differing = _differing(guard) if decisions and checked.ok else []
    if json:
        print_json(_verification(checked, differing if decisions else None))
    else:
        _print(Output(), guard, checked, differing, decisions=decisions, asked=bool(kept or checked.since))
    if not checked.ok or differing:
        raise typer.Exit(exits.FOUND)


def _keys(text: str) -> list[VerifierKey]:
    path = Path(text)
    if "+" not in text or path.is_file():
        lines = [line.strip() for line in _read(path).splitlines()]
        wanted = [line for line in lines if line and not line.startswith("#")]
    else:
        wanted = [text]
    try:
        return [VerifierKey.read(line) for line in wanted]
    except NoteError as error:
        raise UsageError(f"expected a public key for --key, like `audit keygen` prints it: {error}") from error


def _kept(path: Path) -> Kept:
    return Kept(str(path), _read(path))


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise UsageError(f"expected a file that can be read, got `{path}`: {error.strerror}") from error
    except UnicodeError as error:
        raise UsageError(f"expected text in `{path}`, got other bytes: {error}") from error


def _verified(
    guard: Guard, keys: list[VerifierKey], kept: list[Kept], since: Kept | None, *, quiet: bool
) -> Verification:
    if quiet or not sys.stderr.isatty():
        return guard.audit.verify(keys=keys, kept=kept, since=since)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("checking the log")

        def told(done: int, total: int) -> None:
            """Draw how far it is."""
            progress.update(task, completed=done, total=total)

        return guard.audit.verify(told, keys=keys, kept=kept, since=since)


def _differing(guard: Guard) -> list[dict[str, Any]]:
    """Decide every decision again; return those that come out otherwise than they are recorded."""
    found: list[dict[str, Any]] = []
    after = 0
    while page := guard.audit.list(after=after, limit=500, kind="decided"):
        for entry in page:
            if not entry.body:
                continue  # it was purged
            again = guard.audit.recompute(entry.pos)
            if not again.same:
                found.append({"pos": entry.pos, "differs": list(again.differs), "erased": list(again.erased)})
        after = page[-1].pos
    return [item for item in found if not item["erased"]]


def _verification(checked: Verification, differing: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {
        "ok": checked.ok and not differing,
        "entries": checked.entries,
        "from": checked.since,
        "streams": checked.streams,
        "intact": checked.intact,
        "erased": checked.erased,
        "purged": checked.purged,
        "head": checked.head,
        "root": checked.root,
        "checkpoints": checked.checkpoints,
        "signed": checked.signed,
        "kept": checked.kept,
        "spared": checked.spared,
        "changed": list(checked.changed),
        "keys": list(checked.keys),
        "pinned": checked.pinned,
        "findings": [_document(item) for item in checked.findings],
        "truncated": checked.truncated,
        "late": [_document(item) for item in checked.late],
        "decisions_that_differ": differing,
    }


def _document(finding: Finding) -> dict[str, Any]:
    return {"pos": finding.pos, "code": finding.code, "message": finding.message}


def _print(
    output: Output,
    guard: Guard,
    checked: Verification,
    differing: list[dict[str, Any]],
    *,
    decisions: bool,
    asked: bool,
) -> None:
    for number, finding in enumerate(checked.findings):
        output.line(f"{finding.code}: {finding}", style="red")
        if finding.pos is not None and number < MOST_SHOWN:
            output.line(f"  {_about(guard, finding.pos)}")
    for item in differing:
        output.line(f"entry {item['pos']}: decided again, {', '.join(item['differs'])} came out otherwise", style="red")
    for finding in checked.late:
        output.prose(f"worth a question: {finding.message}")
    if not checked.ok:
        _print_broken(output, checked)
        return
    where = f" after the {checked.since} that were checked before" if checked.since else ""
    output.line(f"intact: {numbered(checked.entries, 'entry')}{where}, every one says what it said", style="bold green")
    if decisions and not differing:
        output.line("every decision comes out the same when it is decided again")
    if checked.erased:
        output.prose(
            f"erased, as entries say: {numbered(checked.erased, 'personal value')}; the log holds without them"
        )
    if checked.purged:
        output.prose(
            f"purged under signed tombstones: {numbered(checked.purged, 'entry')}; their places in the log hold"
        )
    _print_signed(output, checked)
    _print_kept(output, checked, asked=asked)
    output.line(f"head {checked.head or '–'}")


def _about(guard: Guard, position: int) -> str:
    """Return what an entry is about as its row says, in a line; whether that is true is another matter."""
    try:
        entry = guard.audit.show(position)
        at = moment(entry.at)
    except (AgentGuardError, OverflowError):
        return "no such entry is left"
    return f"the row says: {entry.kind}, {at} UTC, {f'action {entry.action_id}' if entry.action_id else 'no action'}"


def _print_broken(output: Output, checked: Verification) -> None:
    output.line()
    more = " and more" if checked.truncated else ""
    found, entries = numbered(len(checked.findings), "finding"), numbered(checked.entries, "entry")
    output.line(f"broken: {found}{more} in {entries}", style="bold red")
    last = checked.since + checked.entries
    if checked.pinned and any(finding.code == "signature" for finding in checked.findings):
        output.prose(
            "a log whose key was changed takes every key that it had, each with a --key of its own; `agentguard audit "
            "list --kind key_introduced` has those that it names: believe the ones that you know from elsewhere"
        )
    if checked.spared:
        by = "" if checked.pinned else " with the key that the log names"
        which = ", ".join(map(str, checked.changed))
        output.prose(
            f"of entries 1 to {checked.spared} only {which} changed: each of the others is what was signed{by}"
        )
    if not checked.intact and not checked.spared:
        output.prose("nothing is sure from the first entry on; an older checkpoint may show how far it was the same")
    if checked.intact >= last:
        output.prose(f"entries 1 to {checked.intact} say what they said: what is wrong lies beside them, or after them")
    elif checked.intact:
        output.prose(
            f"entries 1 to {checked.intact} join from the first on; what is said after that may be somebody else's"
        )
    if holds := max(checked.signed, checked.kept):
        how = "a checkpoint kept elsewhere says" if checked.kept >= checked.signed else "the log's key signed them"
        output.prose(f"entries 1 to {holds} are as {how}")


def _print_signed(output: Output, checked: Verification) -> None:
    size = checked.since + checked.entries
    if not checked.checkpoints:
        if not checked.since:
            output.prose("no checkpoint is signed: whoever owns the database could have rewritten all of it")
        elif checked.entries:
            output.prose("none of these later ones is in a signed checkpoint yet")
        return
    later = size - checked.signed
    also = f"; {later} later {'one is' if later == 1 else 'ones are'} in none yet" if later else ""
    taken = numbered(checked.checkpoints, "checkpoint")
    output.prose(f"entries 1 to {checked.signed} are as the log's key signed them in {taken}{also}")
    if not checked.pinned:
        output.prose(f"the log itself names this key: give --key if you know it from elsewhere ({checked.keys[-1]})")


def _print_kept(output: Output, checked: Verification, *, asked: bool) -> None:
    if checked.kept:
        output.prose(f"entries 1 to {checked.kept} are as a checkpoint kept elsewhere says")
    elif not asked:
        output.prose(
            "keep a checkpoint, or the number of entries and the head, somewhere else: only that finds a log replaced "
            "as a whole"
        )
