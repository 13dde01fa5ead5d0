"""A witness that is a file on another volume: the newest signed checkpoint, as a note that anybody can read.

    guard = Guard("policies/", witnesses=[FileWitness("/mnt/archive/shop.checkpoint")], signer=…)

It is worth as much as the volume is out of reach of whoever owns the database. One file is for one log; after a restore
the checkpoint of before is kept beside it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentguard.engine.witness import check_continues, generation
from agentguard.errors import NoteError, WitnessRefusedError, WitnessUnavailableError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.note import MOST_BYTES, read_note

try:
    import fcntl
except ImportError:  # no such locks on this system: one process has to do
    fcntl = None  # type: ignore[assignment]


class FileWitness:
    """Keeps a log's newest checkpoint in a file.

    Args:
        path: The file; its folder exists.
        name: How the record calls it; `file:` and the file's name if left out.
        required: A guard does not start while the file cannot be read.
    """

    def __init__(self, path: str | Path, *, name: str = "", required: bool = False) -> None:
        self.path = Path(path)
        self.name = name or f"file:{self.path.name}"
        self.required = required

    def latest(self, origin: str) -> str | None:
        """Return the note in the file; None before the first, or before the first since a restore.

        Raises:
            WitnessRefusedError: The file has another log, or this one as it went on after a restore.
            WitnessUnavailableError: It cannot be read now.
        """
        kept = self._kept()
        return None if kept is None or not self._is_of(kept[1], origin) else kept[0]

    def add(self, old_size: int, proof: Sequence[bytes], note: str) -> str | None:
        """Put a checkpoint that continues the one in the file into its place; nothing is signed.

        Raises:
            WitnessMovedError: The file has a checkpoint of another size than `old_size`.
            WitnessRefusedError: The file has another log.
            WitnessUnavailableError: It cannot be written now.
        """
        offered = _checkpoint(note)
        with self._alone():
            kept = self._kept()
            same = kept is not None and self._is_of(kept[1], offered.origin)
            check_continues(kept[1] if kept is not None and same else None, old_size, proof, offered)
            try:
                if kept is not None and not same:
                    _replace(self.path.with_name(f"{self.path.name}.{generation(kept[1].origin)[1]}"), kept[0])
                _replace(self.path, note)
            except OSError as error:
                raise self._unavailable("written", error) from error
        return None

    def _is_of(self, kept: Checkpoint, origin: str) -> bool:
        """Return whether the file has this log as it goes on now; False if it was restored since."""
        (log, restores), (wanted, wanted_restores) = generation(kept.origin), generation(origin)
        if log != wanted:
            raise WitnessRefusedError(
                f"`{self.path}` has the log `{log}`, not `{wanted}`: another database stands in its place, or the file "
                f"is of another one"
            )
        if restores > wanted_restores:
            raise WitnessRefusedError(
                f"`{self.path}` has the log as it went on after it was restored, `{kept.origin}`: this database does "
                f"not know of that"
            )
        return restores == wanted_restores

    def _kept(self) -> tuple[str, Checkpoint] | None:
        try:
            with self.path.open("rb") as file:
                data = file.read(MOST_BYTES)
        except FileNotFoundError:
            if not self.path.parent.is_dir():
                raise WitnessUnavailableError(f"no folder `{self.path.parent}`: is its volume there?") from None
            return None
        except OSError as error:
            raise self._unavailable("read", error) from error
        if not data:
            return None
        try:
            text = data.decode()
            return text, Checkpoint.read(read_note(text).text)
        except (NoteError, UnicodeError) as error:
            raise WitnessRefusedError(
                f"expected a signed checkpoint in `{self.path}`, got something else: look at who changed it"
            ) from error

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep every other writer away, of this process and of others."""
        try:
            file = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise self._unavailable("written", error) from error
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def _unavailable(self, done: str, error: OSError) -> WitnessUnavailableError:
        return WitnessUnavailableError(f"`{self.path}` cannot be {done}: {error.strerror or type(error).__name__}")


def _checkpoint(note: str) -> Checkpoint:
    try:
        return Checkpoint.read(read_note(note).text)
    except NoteError as error:
        raise WitnessUnavailableError(f"what was offered is no checkpoint: {error}") from error


def _replace(path: Path, text: str) -> None:
    """Put a text into a file's place so that a crash leaves the one before or the new one, and never a piece."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
