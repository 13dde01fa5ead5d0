"""From a history that broke a law to a shorter one that breaks the same law, by leaving events out."""

import tempfile
from pathlib import Path

from tests.simulation.history import EVENTS, History
from tests.simulation.laws import LawBrokenError

MEMORY = Path("/dev/shm")
MOST_TRIES = 150


def tell(seed, only=None, address=None):
    """Run one history in memory and return it with what went wrong, or None."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        history = History(seed, folder, only, address)
        try:
            history.run()
        except Exception as error:
            return history, error
        return history, None


def kind_of(error):
    """Return what two failures have in common if they are the same: the law, or the error."""
    return str(error).partition(":")[0] if isinstance(error, LawBrokenError) else type(error).__name__


def shorten(seed, error):
    """Return the events that a history needs to fail, as far as a bounded number of tries finds out."""
    only, tries = frozenset(range(EVENTS)), 0
    size = EVENTS // 2
    while size and tries < MOST_TRIES:
        for start in range(0, EVENTS, size):
            fewer = only - frozenset(range(start, start + size))
            if fewer == only or tries == MOST_TRIES:
                continue
            tries += 1
            _, found = tell(seed, fewer)
            if found is not None and kind_of(found) == kind_of(error):
                only = fewer
        size //= 2
    return only


def report(seed, only=None):
    """Return what went wrong and everything that led to it, and the line that keeps it as a case."""
    history, error = tell(seed, only)
    told = "\n".join(f"  {line}" for line in history.told)
    events = "" if only is None else f": {' '.join(str(number) for number in sorted(only))}"
    return f"seed {seed}: {error}\n{told}\nadd this line to tests/simulation/cases.txt:\n{seed}{events}"
