"""What editors save: files are looked at again and again, and told of once nobody is writing them any more.

An editor may empty a file before it fills it, or put a new one in its place, and leave others beside it; what counts is
the text that is there in the end, so that a save which changes nothing is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentguard.cli.interrupts import Stop
from agentguard.engine.machine import monotonic
from agentguard.policyfile import bounds
from agentguard.policyfile.filenames import PEOPLE
from agentguard.policyfile.stamps import Stamps, is_hollow, stamps_of

PAUSE = 0.2
"""Seconds from one look to the next; large folders are looked at less often."""
SHARE = 10
"""Looking takes at most one part in so many of the time."""
SETTLED = 0.1
"""Seconds without a change after which a file counts as written."""
EMPTIED = 1.0
"""Seconds that a file may be empty or gone before that counts as meant."""
LONGEST = 3.0
"""Seconds after which what is still being written is told of."""


def saves(path: Path, stop: Stop) -> Iterator[list[Path]]:
    """Yield no file to begin with; then those whose text has changed, each time that some were saved, until it is told.

    What is saved while somebody looks at what was yielded is seen afterwards.

    Args:
        path: A folder, or a policy, with which its examples and people go.
        stop: What ends it.
    """
    paths = [path, _people_above(path)]
    stamps = stamps_of(paths)
    texts = {file: _text(file) for file in stamps}
    yield []
    while not stop.told:
        began = monotonic()
        seen = stamps_of(paths)
        if seen == stamps:
            stop.wait(max(PAUSE, SHARE * (monotonic() - began)))
            continue
        stamps = _settled(paths, stamps, seen, stop)
        before, texts = texts, {file: _text(file) for file in stamps}
        changed = [file for file in {**before, **texts} if before.get(file) != texts.get(file)]
        if changed:
            yield sorted(changed)


def _people_above(path: Path) -> Path:
    """Return where the people of several folders of policies are."""
    folder = path.resolve()
    return (folder.parent if path.is_dir() else folder.parent.parent) / PEOPLE


def _settled(paths: list[Path], before: Stamps, seen: Stamps, stop: Stop) -> Stamps:
    """Return what is there once nothing changes any more, and nothing that had a text is empty or gone for a moment."""
    began = monotonic()
    while not stop.told and monotonic() - began < LONGEST:
        stop.wait(SETTLED)
        last, seen = seen, stamps_of(paths)
        if seen == last and not (is_hollow(before, seen) and monotonic() - began < EMPTIED):
            break
    return seen


def _text(file: Path) -> bytes | None:
    """Return what is in a file, as far as a policy may be long; None where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(bounds.FILE_BYTES + 1)
    except OSError:
        return None
