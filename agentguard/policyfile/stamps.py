"""When the files of policies were written: what tells that somebody saved one, where no system says so.

Looking costs next to nothing for a folder of policies, and works on shared folders and in containers too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISREG
from typing import TypeAlias

from agentguard.policyfile.filenames import CASES_END, PEOPLE, is_yaml

Stamps: TypeAlias = dict[Path, tuple[int, int, int]]
"""By file: when it was written, how large it is, and which one it is."""


def stamps_of(paths: Iterable[Path]) -> Stamps:
    """Return when each policy, test and people file of some folders was written; with a policy go those beside it."""
    found: Stamps = {}
    for file in (file for path in paths for file in _files(path)):
        try:
            status = file.stat()
        except OSError:
            continue  # gone since it was listed, or a link of an editor's to nowhere
        if S_ISREG(status.st_mode):
            found[file] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def is_hollow(before: Stamps, seen: Stamps) -> bool:
    """Return whether a file that had a text is empty or gone: editors make it so for a moment."""
    return any(file not in seen or (before[file][1] and not seen[file][1]) for file in before)


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for folder, _, names in os.walk(path):
            yield from (path for name in names if is_yaml(path := Path(folder, name)))
    else:
        yield from (path, path.with_name(f"{path.stem}{CASES_END}{path.suffix}"), path.with_name(PEOPLE))
