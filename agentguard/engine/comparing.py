"""The log compared with what its witnesses have of it, before a guard acts: an older one, or another one, refuses.

The key that signs here is one of them, at hand and free: what it signed is written down outside of the database too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field
from functools import partial

from agentguard.engine import worker
from agentguard.engine.origin import log_of, origin, origin_of
from agentguard.engine.parts import Parts
from agentguard.engine.signing_memory import SignedMemory
from agentguard.engine.witness import Witness, generation
from agentguard.engine.witnessing import Witnessing
from agentguard.errors import (
    AgentGuardError,
    LogRolledBackError,
    TamperedError,
    WitnessRefusedError,
    WitnessUnavailableError,
)
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.note import read_note
from agentguard.evidence.tree import tree_root
from agentguard.log import get_logger
from agentguard.store import Reading, Store
from agentguard.store.seals import newest
from agentguard.store.tiles import StoredTree

log = get_logger("witness")

OWN_KEY = "own key"
"""How the record calls what this host's own key signed, among the witnesses."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a witness has that this log does not continue.

    Attributes:
        why: What is wrong, in words.
        size: How many entries the witness has seen; None where it did not say.
        note: The checkpoint that it has; empty where it showed none.
    """

    witness: str
    why: str
    size: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing a log with its witnesses.

    Attributes:
        here: How many entries this log has.
        sealed: How many of them its own newest checkpoint covers.
        unasked: Why a witness could not be asked, by name.
    """

    origin: str
    here: int
    sealed: int = 0
    differences: tuple[Difference, ...] = ()
    unasked: Mapping[str, str] = field(default_factory=dict)

    @property
    def lost(self) -> int | None:
        """How many entries at most the witnesses have seen that are not here: those after the newest checkpoint here.

        What is written to an older database once it was put back is not taken for what was lost. None where no witness
        said how many it has seen.
        """
        sizes = [difference.size for difference in self.differences if difference.size is not None]
        return max(0, max(sizes) - self.sealed) if sizes else None


def require_same(parts: Parts) -> None:
    """Refuse to act on a log that its witnesses know to be longer, or another one.

    Raises:
        LogRolledBackError: One of them does, or this host's own key.
        StoreUnavailableError: What the key signed cannot be read.
        WitnessUnavailableError: One without which the guard must not start cannot be asked.
    """
    if not parts.witnessing.is_any:
        return
    found = compared(parts.store, parts.witnessing, parts.waits.witness.total_seconds())
    for difference in found.differences:
        log.error("witness.refused", witness=difference.witness, reason=difference.why)
    if found.differences:
        raise LogRolledBackError(_refusal(found))
    for name, why in found.unasked.items():
        if any(witness.name == name and witness.required for witness in parts.witnessing.witnesses):
            raise WitnessUnavailableError(f"witness `{name}`, without which nothing is begun, cannot be asked: {why}")
        log.warning("witness.unavailable", witness=name, reason=why)


def look_again(parts: Parts) -> None:
    """Ask the witnesses once more, while agents act; where one has another log, nothing is begun any more."""
    if not parts.witnessing.is_any or parts.witnessing.refusal:
        return
    try:
        found = compared(parts.store, parts.witnessing, parts.waits.witness.total_seconds())
    except AgentGuardError as error:
        log.warning("witness.unavailable", witness="", reason=str(error))
        return
    for difference in found.differences:
        parts.witnessing.refuse(difference.witness, difference.why)


def compared(store: Store, witnessing: Witnessing, seconds: float) -> Comparison:
    """Ask every witness at once, and wait so many seconds at most, what it has of this log.

    Raises:
        StoreUnavailableError: The database cannot be read, or what the key of this host signed.
    """
    own = None if witnessing.signed is None else _signed_here(store, witnessing.signed)
    name, here, sealed = store.read(_standing)
    asked = {
        witness.name: worker.start(partial(_asked, store, witnessing, witness, name))
        for witness in witnessing.witnesses
    }
    wait(asked.values(), seconds)
    differences = [] if own is None else [own]
    unasked: dict[str, str] = {}
    for witness, answer in asked.items():
        if not answer.done():
            unasked[witness] = f"no answer in {seconds:g} seconds"
        elif isinstance(answer.exception(), WitnessRefusedError | TamperedError):
            differences.append(Difference(witness, str(answer.exception())))
        elif answer.exception() is not None:
            unasked[witness] = _words(answer.exception())
        elif answer.result() is not None:
            differences.append(answer.result())
    return Comparison(name, here, sealed, tuple(differences), unasked)


def _standing(reading: Reading) -> tuple[str, int, int]:
    name = origin(reading)
    last = newest(reading, name)
    return name, reading.position(), 0 if last is None else last.size


def _asked(store: Store, witnessing: Witnessing, witness: Witness, name: str) -> Difference | None:
    """Return what one witness has that this log does not continue; None where it has nothing of the kind."""
    note = witness.latest(name)
    if note is not None:
        return store.read(partial(_shown, witness=witness.name, note=note))
    last = store.read(lambda reading: newest(reading, name))
    if last is not None:  # some tell how long a log is only to who offers them a checkpoint
        witnessing.offer_to(store, witness, last.note)
    return None


def _signed_here(store: Store, memory: SignedMemory) -> Difference | None:
    """Return what the key of this host signed that this log does not continue."""
    log_itself = origin_of(store.read(lambda reading: reading.log_name()), 0)
    try:  # read before the entries: whatever is written down there was committed before
        names = [name for name in memory.names() if log_of(name) == log_itself]  # a key may sign many logs
        known = [found for name in names if (found := memory.last(name)) is not None]
    except TamperedError as error:
        return Difference(OWN_KEY, str(error))
    return store.read(partial(_beyond, known=known))


def _beyond(reading: Reading, known: Sequence[Checkpoint]) -> Difference | None:
    name = origin(reading)
    for kept in known:
        if generation(kept.origin)[1] > generation(name)[1]:
            after = f"it signs this log as it went on after a restore, `{kept.origin}`"
            return Difference(OWN_KEY, f"{after}: this database does not know of that")
    own = next((kept for kept in known if kept.origin == name and kept.size), None)
    return None if own is None else _difference(reading, OWN_KEY, own)


def _shown(reading: Reading, witness: str, note: str) -> Difference | None:
    return _difference(reading, witness, Checkpoint.read(read_note(note).text), note)


def _difference(reading: Reading, witness: str, kept: Checkpoint, note: str = "") -> Difference | None:
    here = reading.position()
    if kept.size > here:
        why = f"it has seen this log with {kept.size} entries, and this database has {here}"
    elif tree_root(StoredTree(reading), kept.size) != kept.root:
        why = f"the first {kept.size} entries are not those that it has seen"
    else:
        return None
    return Difference(witness, why, kept.size, note)


def _refusal(found: Comparison) -> str:
    told = "; ".join(f"witness `{difference.witness}`: {difference.why}" for difference in found.differences)
    shorter = any(difference.size is not None and difference.size > found.here for difference in found.differences)
    older = "an older database was put back" if shorter else "the log was rewritten, or went on twice"
    return (
        f"expected the log `{found.origin}` as its witnesses have it, got another one: {told}. It seems that {older}; "
        f"nothing is begun. Put the newest database back, or, if an older one was restored on purpose, record it with "
        f"`agentguard audit restored --why …` and `--witness` or, for the own key, `--key`"
    )


def _words(error: BaseException | None) -> str:
    return str(error) if isinstance(error, AgentGuardError) else type(error).__name__


def require_some(witnesses: Sequence[Witness], waiting: Sequence[str]) -> list[str]:
    """Return what to say of actions whose effects wait for a witness where there is none."""
    if witnesses or not waiting:
        return []
    names = ", ".join(f"`{action}`" for action in waiting)
    return [f"policies let {names} wait for a witness, and this guard has none; say `Guard(…, witnesses=[…])`"]
