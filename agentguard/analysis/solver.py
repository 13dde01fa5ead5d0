"""Whether the solver is there, which proofs need and nothing else does."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from agentguard.errors import UsageError

HOW = "run `pip install 'agentguard[prove]'`"
_AT_WORK = threading.RLock()


def has_solver() -> bool:
    """Return whether proofs can be made here."""
    return find_spec("z3") is not None


def require_solver(what: str) -> None:
    """Refuse what cannot be done without the solver.

    Raises:
        UsageError: It is not installed.
    """
    if not has_solver():
        raise UsageError(f"expected the solver z3 for {what}, got none; {HOW}")


@contextmanager
def at_work() -> Iterator[None]:
    """Let one thread alone use the solver in this block, which crashes where two do.

    No other thread may free what was made here either, as it could in passing: nothing is collected meanwhile, and
    nothing is left behind for a thread that collects later.
    """
    with _AT_WORK:
        collects = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            gc.collect(0)  # what was made since is young: nothing has been collected that would have aged it
            if collects:
                gc.enable()
