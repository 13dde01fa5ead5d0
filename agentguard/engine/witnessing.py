"""What a guard has to do with its witnesses: they are offered each checkpoint, and an effect may wait for one of them.

Offers are made beside the walks and beside the sealing, for each witness by itself, so that a slow one holds up nobody;
each gets the newest checkpoint and not all of those in between.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

from agentguard.engine import worker
from agentguard.engine.machine import monotonic
from agentguard.engine.origin import origin
from agentguard.engine.signing_memory import SignedMemory
from agentguard.engine.witness import Witness
from agentguard.errors import (
    AgentGuardError,
    ConfigurationError,
    StoreError,
    WitnessMovedError,
    WitnessRefusedError,
    WitnessUnavailableError,
)
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.cosignature import witnessed
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.note import read_note
from agentguard.evidence.tree import consistency_proof, tree_root
from agentguard.log import get_logger
from agentguard.store import Reading, Store, Transaction, forking
from agentguard.store.seals import Sealed, add_cosignature, newest_witnessed, was_seen_by
from agentguard.store.tiles import StoredTree

log = get_logger("witness")

MOST_TRIES = 5
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
LOOK_AGAIN = 0.05
LONGEST_OFFER = 30.0
"""After so many seconds a witness that has not answered counts as one that cannot be asked."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody who waits until a witness has seen the log up to a position."""

    position: int
    until: float
    answer: Future[bool]

    def give(self, seen: bool) -> None:
        """Answer, unless they have gone."""
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_result(seen)


class Witnessing:
    """The witnesses of one guard.

    Attributes:
        seal_now: Asks whoever seals here to do so at once; set by them.
        signed: What the key of this host has signed, as it remembers that outside of the database; set by them too.
        refusal: What a witness said against this log; nothing is begun after that.

    What a witness has seen only counts as long as the log continues it: whoever owns the database may cut it off, or
    write down what no witness said, while somebody waits.

    Raises:
        ConfigurationError: Two witnesses have one name.
    """

    _lock: threading.Lock
    _stopping: threading.Event
    _offers: dict[str, str]
    _serving: set[str]
    _since: dict[str, float]
    _failing: set[str]
    _waiting: list[_Waiting]
    _watching: bool
    _shown: Checkpoint | None

    def __init__(self, witnesses: Sequence[Witness] = ()) -> None:
        self.witnesses = tuple(witnesses)
        twice = [name for name, count in Counter(witness.name for witness in witnesses).items() if count > 1]
        if twice:
            raise ConfigurationError(
                [f"expected a name of its own for each witness, got `{twice[0]}` twice: say `name=`"]
            )
        self.seal_now: Callable[[], None] = _nobody_seals
        self.signed: SignedMemory | None = None
        self.refusal = ""
        self._sizes: dict[tuple[str, str], int] = {}
        self.begin_anew()
        forking.renew(self)

    @property
    def is_any(self) -> bool:
        """Whether anything outside of the database knows what the log was."""
        return bool(self.witnesses) or self.signed is not None

    def offer(self, store: Store, note: str) -> None:
        """Have every witness offered a checkpoint, without waiting for what they say."""
        for witness in self.witnesses:
            with self._lock:
                self._offers[witness.name] = note
                if witness.name in self._serving:
                    self._say_if_silent(witness.name)
                    continue
                self._serving.add(witness.name)
            if not _began(worker.start(partial(self._serve, store, witness))):
                with self._lock:  # the next checkpoint is offered, if a thread is there by then
                    self._serving.discard(witness.name)

    def _say_if_silent(self, name: str) -> None:
        """Take a witness that does not answer for one that cannot be asked: a call that hangs raises nothing."""
        if name not in self._failing and monotonic() - self._since.get(name, monotonic()) > LONGEST_OFFER:
            self._failing.add(name)
            reason = f"no answer in {LONGEST_OFFER:g} seconds"
            log.warning("witness.unavailable", witness=name, error=WitnessUnavailableError.code, reason=reason)

    def offer_to(self, store: Store, witness: Witness, note: str) -> bool:
        """Offer a checkpoint to one witness, and wait for it; False if it has a later one of this log.

        Raises:
            WitnessRefusedError: It has another log than this, or a longer one.
            WitnessUnavailableError: It cannot be asked now, or does not know this log or its key.
            StoreError: What it says cannot be stored.
        """
        offered = Checkpoint.read(read_note(note).text)
        known = (witness.name, offered.origin)
        old = self._sizes.get(known, 0)
        for _ in range(MOST_TRIES):
            if old > offered.size:
                require_as_long(store, old)
                return False
            proof = store.read(partial(_proof, old=old, new=offered.size))
            try:
                line = witness.add(old, proof, note)
            except WitnessMovedError as error:
                old = error.size
                continue
            if not old and store.read(lambda reading: was_seen_by(reading, offered.origin, witness.name)):
                log.warning("witness.forgot", witness=witness.name)
            self._sizes[known] = offered.size
            signed = (line or "").rstrip("\n")
            store.transact(partial(_kept, checkpoint=offered, witness=witness.name, line=signed))
            self._shown = offered
            self._look(store)
            return True
        raise WitnessUnavailableError(f"witness `{witness.name}` was offered other checkpoints each time; try again")

    def covering(self, store: Store, position: int, seconds: float) -> Future[bool]:
        """Return what will say, after so many seconds at most, whether a witness has seen the log up to a position."""
        waiting = _Waiting(position, monotonic() + seconds, Future())
        with self._lock:
            self._waiting.append(waiting)
            watched, self._watching = self._watching, True
        if not watched and not _began(worker.start(partial(self._watch, store))):
            self._give_up()
        self.seal_now()
        return waiting.answer

    @property
    def untold(self) -> dict[str, bool]:
        """Who has not been told of a checkpoint yet that is there, by name, and whether the last try was in vain."""
        with self._lock:
            names = sorted(self._serving | self._offers.keys())
            return {name: name in self._failing or name not in self._serving for name in names}

    def stop(self) -> None:
        """Offer nothing any more."""
        self._stopping.set()

    def begin_anew(self) -> None:
        """Be as new in a forked child, where no thread of its parent lives on."""
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._offers = {}
        self._serving, self._failing, self._since = set(), set(), {}
        self._waiting = []
        self._watching = False
        self._shown = None

    def _serve(self, store: Store, witness: Witness) -> None:
        pause = FIRST_PAUSE
        while True:
            with self._lock:
                note = self._offers.pop(witness.name, None)
                if note is None or self._stopping.is_set():
                    self._serving.discard(witness.name)
                    return
                self._since[witness.name] = monotonic()
            if self._offered(store, witness, note):
                pause = FIRST_PAUSE
                self._failing.discard(witness.name)
                continue
            self._failing.add(witness.name)
            with self._lock:
                self._offers.setdefault(witness.name, note)
            self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _pause(self, seconds: float) -> None:
        """Leave a witness alone that did not answer; not for long where somebody waits for it."""
        began = monotonic()
        while not self._stopping.wait(LOOK_AGAIN):
            passed = monotonic() - began
            if passed >= seconds or (passed >= FIRST_PAUSE and self._waiting):
                return

    def _offered(self, store: Store, witness: Witness, note: str) -> bool:
        """Offer a checkpoint; False if it is to be tried again."""
        try:
            self.offer_to(store, witness, note)
        except WitnessRefusedError as error:
            self.refuse(witness.name, str(error))
        except (WitnessUnavailableError, StoreError) as error:
            if not self._stopping.is_set():
                log.warning("witness.unavailable", witness=witness.name, error=error.code, reason=str(error))
            return False
        except Exception as error:  # noqa: BLE001 - a host's own witness may raise anything
            log.error("witness.failed", witness=witness.name, error=type(error).__name__)  # noqa: TRY400
            return False
        return True

    def refuse(self, witness: str, why: str) -> None:
        """Let nothing begin any more: a witness has another log than this one."""
        self.refusal = f"witness `{witness}`: {why}"
        log.error("witness.refused", witness=witness, reason=why)

    def _watch(self, store: Store) -> None:
        """Look at what others write down, as long as somebody waits."""
        while True:
            try:
                self._look(store)
            except AgentGuardError as error:
                if not store.is_closed:
                    log.warning("guard.unavailable", error=error.code, reason=str(error))
            now = monotonic()
            with self._lock:
                late = [waiting for waiting in self._waiting if waiting.until <= now]
                self._waiting = [waiting for waiting in self._waiting if waiting.until > now]
                self._watching = bool(self._waiting) and not (self._stopping.is_set() or store.is_closed)
                given_up = late if self._watching else late + self._waiting
            for waiting in given_up:
                waiting.give(False)
            if not self._watching:
                return
            self._stopping.wait(LOOK_AGAIN)

    def _give_up(self) -> None:
        """Tell all who wait that nobody watches for them."""
        with self._lock:
            waiting, self._waiting, self._watching = self._waiting, [], False
        for item in waiting:
            item.give(False)

    def _look(self, store: Store) -> None:
        """Answer those who wait for what a witness has of the log as it is now."""
        with self._lock:
            waiting = tuple(self._waiting)
        if not waiting:
            return
        shown, claimed = self._shown, store.read(_claimed)
        first = min(item.position for item in waiting)
        said = [] if shown is None else [shown]
        if claimed is not None and claimed.size >= first and (shown is None or shown.size < claimed.size):
            said += self._confirmed(claimed)
        size = store.read(partial(_size_of_this, said=said))
        with self._lock:  # those who came since waited for nothing yet: what was read may be older than their entry
            covered = [item for item in self._waiting if item in waiting and item.position <= size]
            self._waiting = [item for item in self._waiting if item not in covered]
        for item in covered:
            item.give(True)

    def _confirmed(self, claimed: Sealed) -> list[Checkpoint]:
        """Return what the witnesses themselves say of a checkpoint that the database says they have."""
        keys = [getattr(witness, "key", None) for witness in self.witnesses]
        signing = [key for key in keys if isinstance(key, VerifierKey)]
        if signing and witnessed(read_note(claimed.note), signing):
            return [claimed.checkpoint]
        silent = [witness for witness, key in zip(self.witnesses, keys, strict=True) if key is None]
        notes = [witness.latest(claimed.origin) for witness in silent]  # they go by another name where others seal
        return [Checkpoint.read(read_note(note).text) for note in notes if note is not None]


def _began(work: Future[object]) -> bool:
    """Whether work is done in a thread, or was: the machine may have none left."""
    return not (work.done() and work.exception() is not None)


def waited(answer: Future[bool], seconds: float) -> bool:
    """Wait in this thread for what `covering` gave."""
    return bool(wait([answer], seconds).done) and answer.result()


def require_as_long(store: Store, size: int) -> None:
    """Refuse a log that is shorter than a witness has seen it.

    Raises:
        WitnessRefusedError: It is.
    """
    here = store.read(lambda reading: reading.position())
    if here < size:
        raise WitnessRefusedError(
            f"it has seen this log with {size} entries, and this database has {here}: an older one was put back"
        )


def _proof(reading: Reading, old: int, new: int) -> tuple[bytes, ...]:
    return consistency_proof(StoredTree(reading), old, new)


def _kept(transaction: Transaction, checkpoint: Checkpoint, witness: str, line: str) -> None:
    add_cosignature(transaction, checkpoint.origin, checkpoint.size, witness, line)


def _claimed(reading: Reading) -> Sealed | None:
    return newest_witnessed(reading, origin(reading))


def _size_of_this(reading: Reading, said: Sequence[Checkpoint]) -> int:
    """Return the size of the largest of some checkpoints that are of the log as it is read."""
    name, size, tree = origin(reading), reading.position(), StoredTree(reading)
    own = (item for item in said if item.origin == name and item.size <= size)
    return max((item.size for item in own if tree_root(tree, item.size) == item.root), default=0)


def _nobody_seals() -> None:
    """Do nothing: another process seals this log, every second."""
