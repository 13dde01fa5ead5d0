"""Whether the solver is there, which proofs need and nothing else does."""

from __future__ import annotations

from importlib.util import find_spec

from agentguard.errors import UsageError

HOW = "run `pip install 'agentguard[prove]'`"


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
