"""The seals of a guard's log: checkpoints that its key signs, receipts of entries, and whether both are in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from inspect import iscoroutinefunction
from typing import TypeVar, Unpack

from agentguard.engine import powers, receipts
from agentguard.engine.answers import Answer
from agentguard.engine.comparing import look_again, require_same
from agentguard.engine.machine import in_thread, monotonic, sleep
from agentguard.engine.origin import origin
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Permit, Person, Use
from agentguard.engine.sealing import SECOND, Sealer, Sealing
from agentguard.engine.sealing_loop import LATE, SealingLoop, Trouble
from agentguard.engine.seals_keys import Introduced, introduce, introduced, key_of_log
from agentguard.engine.seals_listening import ListenerState, Listening
from agentguard.engine.signing import from_environment, has_key, signed_elsewhere
from agentguard.errors import NoteError, UsageError
from agentguard.evidence.keys import LOG, Signer, VerifierKey
from agentguard.evidence.receipt import Receipt
from agentguard.log import get_logger
from agentguard.store import Reading, Transaction, seals
from agentguard.store.seals import Sealed

log = get_logger("seals")

Told = TypeVar("Told", bound=Callable[[str], object])
Found = TypeVar("Found")

WITHIN = timedelta(seconds=10)
"""How long somebody who asks for a receipt waits for the next checkpoint, where nothing is said."""

LOOKS_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class SealState:
    """How far the log is sealed.

    Attributes:
        origin: What the log is called in its checkpoints.
        entries: How many it has; `sealed` of them are covered by the newest checkpoint, `unsealed` are not.
        oldest: How long the oldest of these has waited; None if there is none.
        in_time: False where it has waited too long, or sealing is in trouble.
        checkpoint: The newest one.
        key: The log's key as text; empty before the first.
        signs_here: Whether this guard has a key.
        trouble: Why the last try of this process failed.
        listeners: Who is told of checkpoints.
    """

    origin: str
    entries: int
    sealed: int
    unsealed: int
    oldest: timedelta | None
    in_time: bool
    checkpoint: Sealed | None
    key: str
    signs_here: bool
    trouble: Trouble | None = None
    listeners: tuple[ListenerState, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What came of introducing a key; true if it signs from now on.

    Attributes:
        changed: False if it is the log's key already, or if somebody else has to say the same first.
        missing: How many more people it takes.
        entry: Position of the entry about it.
    """

    key: str
    changed: bool
    missing: int
    entry: int

    def __bool__(self) -> bool:
        return self.changed


class Seals:
    """What `guard.seals` is."""

    def __init__(self, parts: Parts, tenant: str, signer: Signer | Sealing | None) -> None:
        self._parts = parts
        self._tenant = tenant
        self._signer = signer
        self._listening: list[Listening] = []
        self._sealing: Sealing | None = None
        self._sealer: Sealer | None = None
        self._loop: SealingLoop | None = None
        self._ended = False
        self._log = ""

    @property
    def signs_here(self) -> bool:
        """Whether this guard has a key, and takes checkpoints once it has started."""
        return self._signer is not None or has_key()

    def read_key(self) -> None:
        """Read the key, where there is one: what it signed is compared with the log before anything is written.

        Raises:
            ConfigurationError: There is no key where one is named.
        """
        found = None if self._sealing is not None else self._signer or from_environment()
        if found is not None:
            self._sealing = found if isinstance(found, Sealing) else Sealing(found, signed=signed_elsewhere(found))
            self._sealer = Sealer(self._parts.store, self._sealing.signer, self._tenant, self._sealing.signed)
            self._parts.witnessing.signed = self._sealer.memory

    def begin(self) -> None:
        """Start sealing beside the walks, once; `Guard.start` calls it.

        Raises:
            ConfigurationError: There is no key where one is named.
        """
        if self._loop is not None or self.signs_here:
            self._with_key().begin()

    def stop(self) -> None:
        """Take the last checkpoint, have the witnesses offered it, and end; each in a bounded time.

        What could not be done in time is logged: an older copy of the database could be put back unseen for so much.
        """
        if self._ended:
            return
        self._ended = True
        if self._loop is not None:
            self._loop.stop()
            if untold := self._waited_until_told():
                log.warning("seals.not_told", names=", ".join(untold), entries_sealed=self._loop.sealed)
        for listening in self._listening:
            listening.stop()
        self._parts.witnessing.stop()

    @property
    def trouble(self) -> Trouble | None:
        """Why the last try of this process to take a checkpoint failed; None if it did not."""
        return None if self._loop is None else self._loop.trouble

    def seal(self) -> Sealed | None:
        """Take a checkpoint of everything that is committed, now, and return it; None for a log without entries.

        Raises:
            TamperedError: The log is not a continuation of what was signed; nothing was signed.
            ConfigurationError: The log has another key.
            UsageError: This guard has no key.
        """
        return self._with_key().seal()

    def state(self) -> SealState:
        """Return how far the log is sealed, whoever seals it."""
        return self._parts.store.read(self._state)

    def origin(self) -> str:
        """Return what the log is called in its checkpoints."""
        return self._parts.store.read(origin)

    def newest(self) -> Sealed | None:
        """Return the newest checkpoint, or None before the first."""
        return self._parts.store.read(lambda reading: seals.newest(reading, origin(reading)))

    def covering(self, position: int, within: timedelta = timedelta(0)) -> Sealed | None:
        """Return the first checkpoint that covers an entry; wait for it at most so long, and return None after that.

        Where this guard seals, a checkpoint is taken at once; else it waits for somebody else's.
        """
        return self._waited(position, within, lambda reading: seals.covering(reading, origin(reading), position))

    def receipt(self, position: int, within: timedelta = WITHIN) -> Receipt | None:
        """Return the proof that an entry is in the log, signed (`text` is a C2SP tlog-proof); None if none is in time.

        Args:
            position: Of the entry; `Answer.entry` is one.
            within: How long to wait for a checkpoint that covers it.

        Raises:
            NotFoundError: The log has no such entry.
            ProofError: The log is not the one that the checkpoint seals: it was rewritten.
        """
        return self._waited(position, within, lambda reading: receipts.proved(reading, position))

    async def areceipt(self, position: int, within: timedelta = WITHIN) -> Receipt | None:
        """Do as `receipt` does, in an event loop."""
        return await in_thread(lambda: self.receipt(position, within))

    def kept(self, about: Answer | int) -> receipts.Kept:
        """Return what names an entry for good, to be kept by a caller: log, position and leaf.

        Args:
            about: An answer, whose last entry it is and for which the database is not asked again; or a position.

        Raises:
            NotFoundError: The log has no such entry, or nothing was stored about the answer.
        """
        if isinstance(about, Answer) and about.entry is not None and about.leaf:
            self._log = self._log or self._parts.store.read(lambda reading: reading.log_name())
            return receipts.Kept(self._log, about.entry, about.leaf)
        position = about.entry or 0 if isinstance(about, Answer) else about
        return self._parts.store.read(lambda reading: receipts.kept(reading, position))

    def check_receipt(self, text: str, keys: Sequence[VerifierKey] = ()) -> receipts.Checked:
        """Check a receipt against this log and the keys that are trusted; where none are given, the log's own.

        Raises:
            NoteError: It is no receipt.
            UnverifiedError: None of the keys signed it.
        """
        return self._parts.store.read(lambda reading: receipts.check(reading, text, keys or _own_keys(reading)))

    def introduced(self) -> tuple[Introduced, ...]:
        """Return every key of the log, the first one first."""
        return self._parts.store.read(introduced)

    def change_key(self, key: VerifierKey | str, *, stolen: bool = False, **person: Unpack[Person]) -> KeyChange:
        """Let another key sign the log from here on; hosts that have the old one sign nothing any more.

        Args:
            key: The new public key, or its text.
            stolen: Whether somebody else has the old one, so that it may have signed what is not true.
            person: Who says so, why, and how they are known; the power is `change_key`.

        Raises:
            PowerRefusedError: This person may not, or has asked already and somebody else has to.
            UsageError: It is no key that signs a log.
        """
        new = _key_of(key)

        def work(transaction: Transaction, permit: Permit) -> KeyChange:
            """Write the new key down, if enough people have said so."""
            before = key_of_log(transaction)
            if before is not None and before.key == new:
                return KeyChange(new.text, False, 0, before.entry)
            agreement = permit.together(transaction)
            if agreement.missing:
                return KeyChange(new.text, False, agreement.missing, agreement.entry)
            written = introduce(transaction, new, self._tenant, permit.recorded(agreement), stolen=stolen)
            return KeyChange(new.text, written is not None, 0, 0 if written is None else written.pos)

        return powers.used(self._parts, Use("change_key", new.text, self._tenant, **person), work)

    def follow(self) -> str:
        """Let the key sign the log under the name that it has since a restore; return the name.

        A key that signed the log before signs nothing under another name until somebody says this where the key is.

        Raises:
            UsageError: There is no key here.
        """
        return self._with_key().follow()

    def listen(self, function: Told, name: str = "") -> Told:
        """Have a function called with each new checkpoint, a signed note, that this guard takes or finds.

        Raises:
            UsageError: It is no function, or a coroutine, for which no loop runs here.
        """
        given: object = function
        if not callable(given) or iscoroutinefunction(given):
            raise UsageError(f"expected a plain function that takes a note, got {type(function).__name__}")
        named = name or str(getattr(function, "name", "") or getattr(function, "__qualname__", type(function).__name__))
        self._listening.append(Listening(named, function))
        return function

    def _with_key(self) -> SealingLoop:
        """Return what seals with the key; who only reads a log needs none, so it is looked for no earlier."""
        if self._loop is None:
            self.read_key()
            if self._sealing is None or self._sealer is None:
                raise UsageError(
                    "expected a key to seal with, got none; give `signer=`, name a key file in AGENTGUARD_SIGNING_KEY, "
                    "or let `agentguard audit seal --key FILE` do it elsewhere"
                )
            require_same(self._parts)  # what was put back is not signed a second time under the same name
            doubted = partial(look_again, self._parts)  # the next round could be a minute away
            self._loop = SealingLoop(self._parts.store, self._sealing, self._sealer, self._took, doubted)
            self._parts.witnessing.seal_now = self._loop.ask
        return self._loop

    def _took(self, sealed: Sealed) -> None:
        self._parts.witnessing.offer(self._parts.store, sealed.note)
        for listening in self._listening:
            listening.tell(sealed)

    def _waited_until_told(self) -> tuple[str, ...]:
        """Wait until everybody was told of every checkpoint; return who was not, in `Waits.witness` or after a try."""
        until = monotonic() + self._parts.waits.witness.total_seconds()
        while True:
            states = [listening.state for listening in self._listening]
            untold = {state.name: bool(state.attempts) for state in states if state.waiting}
            untold |= self._parts.witnessing.untold
            if all(untold.values()) or monotonic() >= until:  # who fails holds up nobody
                return tuple(untold)
            sleep(LOOKS_EVERY)

    def _waited(self, position: int, within: timedelta, look: Callable[[Reading], Found | None]) -> Found | None:
        """Return what is found once a checkpoint covers an entry."""
        found = self._parts.store.read(look)
        if found is not None or within <= timedelta(0):
            return found
        if self._loop is None:
            return self._polled(within, look)
        if self._loop.is_running:
            self._loop.wait_for(position, within.total_seconds())
        else:
            self._loop.seal()
        return self._parts.store.read(look)

    def _polled(self, within: timedelta, look: Callable[[Reading], Found | None]) -> Found | None:
        until = monotonic() + within.total_seconds()
        found = None
        while found is None and (left := until - monotonic()) > 0:
            sleep(min(left, LOOKS_EVERY))
            found = self._parts.store.read(look)
        return found

    def _state(self, reading: Reading) -> SealState:
        name, entries = origin(reading), reading.position()
        last, key = seals.newest(reading, name), key_of_log(reading)
        sealed = 0 if last is None else min(last.size, entries)
        first = reading.entry(sealed + 1) if sealed < entries else None
        oldest = None if first is None else max(reading.clock().ledger - first.at, timedelta(0))
        trouble = self.trouble
        every = SECOND if self._loop is None else self._loop.every
        return SealState(
            origin=name,
            entries=entries,
            sealed=sealed,
            unsealed=entries - sealed,
            oldest=oldest,
            in_time=trouble is None and (oldest is None or oldest <= LATE * every),
            checkpoint=last,
            key="" if key is None else key.key.text,
            signs_here=self.signs_here,
            trouble=trouble,
            listeners=tuple(listening.state for listening in self._listening),
        )


def _own_keys(reading: Reading) -> tuple[VerifierKey, ...]:
    return tuple(dict.fromkeys(found.key for found in introduced(reading)))


def _key_of(key: VerifierKey | str) -> VerifierKey:
    try:
        found = VerifierKey.read(key) if isinstance(key, str) else key
    except NoteError as error:
        raise UsageError(str(error)) from error
    if found.signs != LOG:
        raise UsageError(f"expected the key of a log, got that of the witness `{found.name}`, which signs no log")
    return found
