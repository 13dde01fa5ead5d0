"""What a key has signed: the newest checkpoint of each log, written down before the signature is made.

Nobody asks it what is true; it only keeps a key from signing a log that is not a continuation of what it signed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from agentguard.engine import machine
from agentguard.errors import NoteError, StoreUnavailableError, TamperedError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.store import forking

try:
    import fcntl
except ImportError:  # no such locks on this system: what is promised in the database has to do
    fcntl = None  # type: ignore[assignment]

PATIENCE = 30.0
_PAUSE = 0.01


@runtime_checkable
class SignedMemory(Protocol):
    """Remembers the newest checkpoint that was signed, by origin."""

    def alone(self) -> AbstractContextManager[None]:
        """Keep everybody else who signs with this key here away, in a block."""

    def last(self, origin: str) -> Checkpoint | None:
        """Return the newest checkpoint that was signed for an origin."""

    def names(self) -> frozenset[str]:
        """Return the origins of which something was signed."""

    def remember(self, checkpoint: Checkpoint) -> None:
        """Write down what is signed next; it is durable when this returns."""


class _Forked:
    """Nobody signs in a forked child yet, whatever the parent's threads are at."""

    def begin_anew(self) -> None:
        """Have a lock that nobody holds."""
        self._lock = threading.Lock()


class SignedHere(_Forked):
    """Remembers as long as the process lives."""

    def __init__(self) -> None:
        self._last: dict[str, Checkpoint] = {}
        self.begin_anew()
        forking.renew(self)

    def alone(self) -> AbstractContextManager[None]:
        """Keep the other threads away, in a block."""
        return _held(self._lock)

    def last(self, origin: str) -> Checkpoint | None:
        """Return the newest checkpoint that was signed for an origin."""
        return self._last.get(origin)

    def names(self) -> frozenset[str]:
        """Return the origins of which something was signed."""
        return frozenset(self._last)

    def remember(self, checkpoint: Checkpoint) -> None:
        """Remember what is signed next."""
        self._last[checkpoint.origin] = checkpoint


class SignedFile(_Forked):
    """Remembers in a small file: for each log the text of its newest checkpoint.

    Args:
        path: The file.
        lock: A file that is there: the lock on it keeps every process of this machine that signs with the key apart.
            One beside the file if left out.
    """

    def __init__(self, path: str | Path, lock: str | Path | None = None) -> None:
        self._path = Path(path)
        self._lock_path = None if lock is None else Path(lock)
        self.begin_anew()
        forking.renew(self)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the other threads and processes away, in a block.

        Raises:
            StoreUnavailableError: Another one holds it for too long.
        """
        with _held(self._lock), _locked(self._lock_path or Path(f"{self._path}.lock"), make=self._lock_path is None):
            yield

    def last(self, origin: str) -> Checkpoint | None:
        """Return the newest checkpoint that was signed for an origin.

        Raises:
            TamperedError: The file says nothing that could have been signed.
            StoreUnavailableError: It cannot be read.
        """
        return self._read().get(origin)

    def names(self) -> frozenset[str]:
        """Return the origins of which something was signed; raises what `last` raises."""
        return frozenset(self._read())

    def remember(self, checkpoint: Checkpoint) -> None:
        """Write down what is signed next.

        Raises:
            StoreUnavailableError: It cannot be written; nothing may be signed then.
        """
        kept = {**self._read(), checkpoint.origin: checkpoint}
        text = "\n".join(item.text for item in kept.values())
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            with beside.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            _make_durable(self._path.parent)
        except OSError as error:
            raise StoreUnavailableError(
                f"what is signed next cannot be written down in `{self._path}`: {error.strerror}; nothing was signed; "
                f"let this user write there, or name another file (`signed=`, `AGENTGUARD_SIGNED`)"
            ) from error

    def _read(self) -> dict[str, Checkpoint]:
        try:
            text = self._path.read_text("utf-8")
            found = [Checkpoint.read(f"{block.rstrip()}\n") for block in text.split("\n\n") if block.strip()]
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreUnavailableError(
                f"what was signed cannot be read from `{self._path}`: {error.strerror}; nothing was signed"
            ) from error
        except (NoteError, UnicodeError) as error:
            raise TamperedError(
                f"expected what was signed in `{self._path}`, got something else ({error}); nothing was signed; "
                f"restore the file, or make a new key"
            ) from error
        return {checkpoint.origin: checkpoint for checkpoint in found}


@contextmanager
def _held(lock: threading.Lock) -> Iterator[None]:
    if not lock.acquire(timeout=PATIENCE):
        raise StoreUnavailableError(f"another thread has been signing for more than {PATIENCE:g} s; nothing was signed")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _locked(path: Path, *, make: bool) -> Iterator[None]:
    """Hold the operating system's lock on a file; a process that dies gives it away."""
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | (os.O_CREAT if make else 0)
    try:
        file = os.open(path, flags, 0o600)
    except OSError as error:
        raise StoreUnavailableError(f"`{path}` cannot be opened: {error.strerror}; nothing was signed") from error
    try:
        if fcntl is not None:
            _wait(file, path)
        yield
    finally:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_UN)  # a child that was forked meanwhile has the file open as well
        os.close(file)


def _wait(file: int, path: Path) -> None:
    until = machine.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if machine.monotonic() >= until:
                raise StoreUnavailableError(
                    f"another process has been signing with `{path}` for more than {PATIENCE:g} s; nothing was signed"
                ) from error
            machine.sleep(_PAUSE)
        else:
            return


def _make_durable(folder: Path) -> None:
    if os.name != "posix":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
