"""`agentguard audit seal`, `checkpoint`, `receipt` and `check-receipt`: what makes the record checkable elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from agentguard.adapters.checkpoint_exports import CheckpointFile
from agentguard.cli.exits import FOUND
from agentguard.cli.interrupts import until_told_to_stop
from agentguard.cli.opened import open_reading
from agentguard.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from agentguard.cli.output import Output, print_json
from agentguard.cli.signer import SignedOption, SigningKeyOption, signer_of
from agentguard.cli.witness import WitnessOption, witnesses_of
from agentguard.core.prose import moment, span
from agentguard.engine import receipts
from agentguard.engine.guard import Guard
from agentguard.engine.receipts import Checked
from agentguard.engine.sealing import Sealing
from agentguard.engine.seals import SealState
from agentguard.engine.signing import VARIABLE, read_public
from agentguard.engine.witness import Witness
from agentguard.errors import StoreUnavailableError, UsageError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.note import read_note

_LOOKS_EVERY = 0.2

KeysOption = Annotated[
    list[str] | None,
    typer.Option("--key", help="A public key that you trust, as text or in a file; several of them by repeating."),
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Write it into this file; printed if left out.")]


def seal(
    key: SigningKeyOption = None,
    signed: SignedOption = None,
    once: Annotated[bool, typer.Option("--once", help="Take one checkpoint and end.")] = False,
    state: Annotated[bool, typer.Option("--state", help="Seal nothing; show how far the log is sealed.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.05, help="At most so many seconds after an entry.")] = 1,
    at_most: Annotated[int, typer.Option("--at-most", min=1, help="Or after so many entries.")] = 1_000,
    export: Annotated[
        list[Path] | None, typer.Option("--export", help="Keep the newest checkpoint in this file too; repeatable.")
    ] = None,
    accept_restored: Annotated[
        bool,
        typer.Option("--accept-restored", help="A backup was restored on purpose: sign the log under its new name."),
    ] = False,
    witness: WitnessOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Seal the log: sign a checkpoint soon after entries, until Ctrl-C or SIGTERM; the agents' hosts need no key."""
    if state:
        _show_state(open_reading(store).seals.state(), json=json)
        return
    signer = signer_of(key, signed)
    if signer is None:
        raise UsageError(f"expected --key FILE or {VARIABLE}: `agentguard audit keygen` makes a key")
    sealing = Sealing(signer, timedelta(seconds=every), at_most, signed if key is None else None)
    witnesses = witnesses_of(witness)
    guard = open_reading(store, witnesses=witnesses, signer=sealing)
    for path in export or ():
        guard.seals.listen(CheckpointFile(path))
    if accept_restored:
        guard.seals.follow()
    try:
        if once:
            sealed = guard.seals.seal()
            guard.seals.stop()
            _say_sealed(None if sealed is None else sealed.note, json=json, compact=False)
            _require_seen(guard, witnesses)
        else:
            _seal_on(guard, json=json)
    finally:
        guard.close()


def checkpoint(
    position: Annotated[
        int | None, typer.Argument(help="The first one that covers this entry; the newest if left out.", metavar="POS")
    ] = None,
    out: OutOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Print a checkpoint: a signed note of the log's size and root, to be kept where nobody rewrites it."""
    guard = open_reading(store)
    found = guard.seals.newest() if position is None else guard.seals.covering(position)
    if found is None:
        what = "the log has no checkpoint yet" if position is None else f"no checkpoint covers entry {position} yet"
        _missing(what, json=json)
    elif json:
        print_json({**_sealed(found.note), "witnesses": list(found.witnesses)})
    else:
        _write(found.note, out)


def receipt(
    position: Annotated[int, typer.Argument(help="The entry.", metavar="POS")],
    out: OutOption = None,
    within: Annotated[float, typer.Option(help="Seconds to wait for a checkpoint that covers it.", min=0)] = 0,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Print the proof that an entry is in the sealed log: a C2SP tlog-proof, which `check-receipt` checks anywhere."""
    guard = open_reading(store)
    kept = guard.seals.kept(position)
    found = guard.seals.receipt(position, timedelta(seconds=within))
    if found is None:
        _missing(f"entry {position} is in no checkpoint yet", {"kept": orjson.loads(kept.text)}, json=json)
    elif json:
        print_json({"kept": orjson.loads(kept.text), "receipt": found.text})
    else:
        _write(found.text, out)


def check_receipt(
    file: Annotated[Path, typer.Argument(help="The receipt: a tlog-proof, or `{log, position, leaf}` as JSON.")],
    key: KeysOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Look at no database; --key is needed then.")] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Check a receipt against the log and the keys you trust: exit code 1 if the entry is not there any more."""
    keys = tuple(map(read_public, key or ()))
    if offline and not keys:
        raise UsageError("expected --key with --offline: a receipt that nobody's key confirms proves nothing")
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"expected a receipt in `{file}`, which cannot be read: {error.strerror}") from error
    except UnicodeError as error:
        raise UsageError(f"expected a receipt in `{file}`, got bytes that are no text: {error}") from error
    try:
        checked = receipts.check(None, text, keys) if offline else open_reading(store).seals.check_receipt(text, keys)
    except StoreUnavailableError as error:
        raise StoreUnavailableError(f"{error}; --offline checks a proof by --key alone") from error
    if json:
        print_json(_checked(checked))
    else:
        _say_checked(Output(), checked, keys)
    if not checked.ok:
        raise typer.Exit(FOUND)


def _seal_on(guard: Guard, *, json: bool) -> None:
    output = Output(sys.stderr if json else sys.stdout)
    guard.seals.listen(lambda note: _say_sealed(note, json=json, compact=True), "what is printed")
    output.line(f"sealing {guard.store.url}; stop with Ctrl-C or SIGTERM")
    said = ""
    with until_told_to_stop() as stop:
        guard.seals.begin()
        while not stop.told:
            stop.wait(_LOOKS_EVERY)
            trouble = guard.seals.trouble
            words = trouble.words if trouble is not None else ""
            if words and words != said:
                Output(sys.stderr).failure(f"{words}; it is tried again")
            said = words
    guard.seals.stop()
    output.line("stopped")


def _require_seen(guard: Guard, witnesses: Sequence[Witness]) -> None:
    """Say which witnesses have not seen the newest checkpoint; it is taken all the same."""
    newest = guard.seals.newest()
    seen = () if newest is None else newest.witnesses
    unseen = [item.name for item in witnesses if newest is not None and item.name not in seen]
    if unseen:
        advice = "it is offered again with the next one"
        Output(sys.stderr).line(f"witness {', '.join(unseen)} has not seen this checkpoint; {advice}", style="yellow")
        raise typer.Exit(FOUND)


def _say_sealed(note: str | None, *, json: bool, compact: bool) -> None:
    document = None if note is None else _sealed(note)
    if json and compact:
        sys.stdout.write(orjson.dumps(document).decode() + "\n")
    elif json:
        print_json(document)
    elif note is None:
        Output().line("the log has no entries: nothing to seal")
    else:
        said = Checkpoint.read(read_note(note).text)
        Output().line(f"sealed {said.size:,} entries, root {said.root.hex()}")
    sys.stdout.flush()


def _sealed(note: str) -> dict[str, Any]:
    said = Checkpoint.read(read_note(note).text)
    return {"origin": said.origin, "size": said.size, "root": said.root.hex(), "note": note}


def _missing(what: str, more: dict[str, Any] | None = None, *, json: bool) -> None:
    """Say that there is nothing yet, and how to get it."""
    if json:
        print_json({"missing": what, **(more or {})})
    else:
        advice = "a guard with a signer takes one within a second, `agentguard audit seal --once` takes one now"
        Output(sys.stderr).line(f"{what}; {advice}", style="yellow")
    raise typer.Exit(FOUND)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"`{out}` cannot be written: {error.strerror}") from error


def _show_state(state: SealState, *, json: bool) -> None:
    if json:
        print_json(_state(state))
    else:
        _say_state(Output(), state)
    if not state.in_time:
        raise typer.Exit(FOUND)


def _state(state: SealState) -> dict[str, Any]:
    return {
        "origin": state.origin,
        "entries": state.entries,
        "sealed": state.sealed,
        "unsealed": state.unsealed,
        "oldest_unsealed_seconds": None if state.oldest is None else state.oldest.total_seconds(),
        "in_time": state.in_time,
        "key": state.key or None,
        "checkpoint": None if state.checkpoint is None else _sealed(state.checkpoint.note),
        "at": None if state.checkpoint is None else state.checkpoint.at.isoformat(),
        "witnesses": [] if state.checkpoint is None else list(state.checkpoint.witnesses),
    }


def _say_state(output: Output, state: SealState) -> None:
    output.line(f"log      {state.origin}")
    output.line(f"key      {state.key or 'none yet'}")
    taken = "" if state.checkpoint is None else f", the newest checkpoint is of {moment(state.checkpoint.at)} UTC"
    output.line(f"sealed   {state.sealed:,} of {state.entries:,} entries{taken}")
    if state.checkpoint is not None:
        output.line(f"seen by  {', '.join(state.checkpoint.witnesses) or 'no witness'}")
    if state.oldest is not None:
        style = "" if state.in_time else "red"
        late = "" if state.in_time else ": longer than it should; is a sealer running?"
        output.line(f"open     {state.unsealed:,}, the oldest for {span(state.oldest.total_seconds())}{late}", style)


def _checked(checked: Checked) -> dict[str, Any]:
    return {
        "ok": checked.ok,
        "problems": list(checked.problems),
        "log": checked.kept.log,
        "position": checked.kept.position,
        "leaf": checked.kept.leaf,
        "sealed": checked.sealed,
        "signed_by": list(checked.signed_by),
    }


def _say_checked(output: Output, checked: Checked, keys: tuple[VerifierKey, ...]) -> None:
    for problem in checked.problems:
        output.line(problem, style="red")
    if not checked.ok:
        return
    sealed = f", sealed with {checked.sealed:,} entries" if checked.sealed else "; no checkpoint covers it yet"
    output.line(f"entry {checked.kept.position} of log {checked.kept.log} is there{sealed}", style="bold green")
    for text in checked.signed_by:
        output.line(f"signed by {text}")
    if checked.signed_by and not keys:
        output.prose("the key was taken from the log itself; name the one that you know with --key")
