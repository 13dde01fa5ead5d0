"""The logs that a witness knows, from a text file: a line for each key of a log, `ORIGIN KEY`.

    # the shop
    agentguard/shop agentguard/shop+1a2b3c4d+AQ…

A log that goes by `agentguard/shop` is known by its names after restores as well. The file is read again when it has
changed, so that a new key needs no restart; as long as it is wrong, what it said before holds.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from agentguard.engine.witness import generation
from agentguard.errors import ConfigurationError, NoteError
from agentguard.evidence.keys import LOG, VerifierKey
from agentguard.log import get_logger

log = get_logger("witness")

MOST_BYTES = 1_000_000


class WitnessedLogs:
    """The logs of a file, with their keys.

    Args:
        path: The file.

    Raises:
        ConfigurationError: It cannot be read, or a line is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp = self._stamped()
        self._keys = read_logs(path)

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys that sign for a log; none for one that is not known."""
        with self._lock:
            stamp = self._stamped()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._keys = read_logs(self._path)
                except ConfigurationError as error:
                    log.error("witness.logs_unread", reason=str(error))  # noqa: TRY400 - what was read before holds
            return self._keys.get(origin) or self._keys.get(generation(origin)[0], ())

    def _stamped(self) -> tuple[int, int]:
        try:
            stat = self._path.stat()
        except OSError:
            return (0, 0)
        return (stat.st_mtime_ns, stat.st_size)


def read_logs(path: Path) -> Mapping[str, tuple[VerifierKey, ...]]:
    """Return the keys of each log that a file names.

    Raises:
        ConfigurationError: It cannot be read, or a line is wrong; every one of them at once.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES).decode()
    except (OSError, UnicodeError) as error:
        raise ConfigurationError([f"the file of logs `{path}` cannot be read: {error}"]) from error
    found: dict[str, tuple[VerifierKey, ...]] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            origin, key = words[0], VerifierKey.read(words[-1])
            if len(words) != 2 or key.signs != LOG:
                raise NoteError(f"expected `ORIGIN KEY` with the key of a log, got `{line.strip()[:100]}`")
        except NoteError as error:
            problems.append(f"`{path}` line {number}: {error}")
        else:
            found[origin] = (*found.get(origin, ()), key)
    if problems:
        raise ConfigurationError(problems)
    return found
