"""A witness: who keeps the newest checkpoint of a log outside its database, and takes only one that continues it.

Only that finds an older state which was put back, a log that was rewritten as a whole, and two copies that went on
apart; whoever owns the database can do all of these so that it agrees with itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from agentguard.errors import ProofError, WitnessMovedError, WitnessRefusedError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.tree import EMPTY_ROOT, check_consistency

_RESTORED = re.compile(r"(.*)/restored-([1-9][0-9]{0,3})")


class Witness(Protocol):
    """Keeps the newest checkpoint of a log.

    Attributes:
        name: How the record calls it, unlike any other of the same guard.
        required: A guard does not start while it cannot be asked.
    """

    @property
    def name(self) -> str:
        """How the record calls it."""
        ...

    @property
    def required(self) -> bool:
        """True if a guard must not start while it cannot be asked."""
        ...

    def latest(self, origin: str) -> str | None:
        """Return the newest note that it has of a log; None where it has none, or tells only who offers one.

        Raises:
            WitnessRefusedError: It has another log in its place.
            WitnessUnavailableError: It cannot be asked now.
        """
        ...

    def add(self, old_size: int, proof: Sequence[bytes], note: str) -> str | None:
        """Take a checkpoint that continues its own, and return the line that it signs under it, if it signs.

        Once this returns, the checkpoint outlasts a crash of the witness.

        Args:
            old_size: How many entries the checkpoint covers that the witness has; 0 for none.
            proof: That the new one continues it.
            note: The signed checkpoint.

        Raises:
            WitnessMovedError: It has a checkpoint of another size than `old_size`.
            WitnessRefusedError: It has another log.
            WitnessUnavailableError: It cannot be asked now, or does not know the log or its key.
        """
        ...


def check_continues(kept: Checkpoint | None, old_size: int, proof: Sequence[bytes], offered: Checkpoint) -> None:
    """Check what every witness checks before it takes a checkpoint: that it continues the one that it has.

    Raises:
        WitnessMovedError: It has one of another size than `old_size`.
        WitnessRefusedError: The checkpoint does not continue it.
    """
    size, root = (kept.size, kept.root) if kept is not None else (0, EMPTY_ROOT)
    if old_size != size:
        raise WitnessMovedError(size)
    try:
        check_consistency(size, root, offered.size, offered.root, proof)
    except ProofError as error:
        raise WitnessRefusedError(f"the checkpoint of {offered.size} entries does not continue: {error}") from error


def generation(origin: str) -> tuple[str, int]:
    """Return the name of a log without what was added when a backup was restored, and how often that was."""
    found = _RESTORED.fullmatch(origin)
    return (found[1], int(found[2])) if found else (origin, 0)
