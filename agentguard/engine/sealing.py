"""How a checkpoint is taken: look, promise, sign, store, so that a key never signs two logs under one name.

The log is looked at in one consistent view and compared with everything that was signed before. Then size and root are
promised in the database, which makes all entries before it durable too, on a synchronous standby as well, and written
down beside the key. Only then the key signs, outside of any transaction. Whoever comes after a crash finds the promise
and signs the same, or goes on from it; two sealers at once promise one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from agentguard.engine.origin import is_restored, log_of, origin
from agentguard.engine.seals_keys import FIRST, introduce, key_of_log
from agentguard.engine.signing import memory_of
from agentguard.errors import ConfigurationError, StoreUnavailableError, TamperedError
from agentguard.evidence.checkpoint import Checkpoint, signed
from agentguard.evidence.keys import Signer
from agentguard.evidence.tree import EMPTY_ROOT, Subtrees, tree_root
from agentguard.log import get_logger
from agentguard.store import Reading, Store, Transaction, seals
from agentguard.store.seals import Sealed
from agentguard.store.tiles import MOST_TILES, StoredTree, Tile, add_tile, leaves, missing_tiles

log = get_logger("seals")

MOST_TRIES = 10
"""How often others may be quicker before this one gives up for now."""

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Sealing:
    """Who signs checkpoints, and when they are taken.

    Attributes:
        signer: Signs; a `SigningKeyFile`, or the host's own door to its keys.
        every: At most so long after an entry.
        at_most: Or as soon as there are so many entries.
        signed: File in which it is written down what was signed; beside the key for one in a file. A key that is kept
            elsewhere needs one: without it an old database that is put back is signed again by the next process.
    """

    signer: Signer
    every: timedelta = SECOND
    at_most: int = 1_000
    signed: str | Path | None = None

    def __post_init__(self) -> None:
        if self.every <= timedelta(0) or self.at_most < 1:
            raise ConfigurationError(
                [f"expected checkpoints after some time and some entries, got {self.every} and {self.at_most}"]
            )


@dataclass(frozen=True, slots=True)
class _Before:
    """What has to be written before anything can be signed: the first key, or tiles of the tree."""

    work: Callable[[Transaction], object]


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be signed next, the last promise, which it continues or is, and what to store of the tree."""

    checkpoint: Checkpoint
    promised: Checkpoint | None
    tiles: tuple[Tile, ...] = ()


class Sealer:
    """Takes checkpoints of one log with one key; several of them, in any number of processes, do no harm.

    Attributes:
        memory: What the key has signed.
    """

    def __init__(self, store: Store, signer: Signer, tenant: str, signed: str | Path | None = None) -> None:
        self._store = store
        self._signer = signer
        self._tenant = tenant
        self.memory = memory_of(signer, signed)

    def seal(self) -> Sealed | None:
        """Take a checkpoint of everything that is committed now; return it, or the last one if nothing is new.

        Raises:
            TamperedError: The log is not a continuation of what was signed; nothing was signed.
            ConfigurationError: The log has another key.
            StoreUnavailableError: The database cannot be written, is a standby, or what is signed cannot be remembered.
        """
        with self.memory.alone():
            for _ in range(MOST_TRIES):
                while isinstance(step := self._store.read(self._step), _Before):
                    self._store.transact(step.work)
                if not isinstance(step, _Due):
                    return step
                if self._promised(step):
                    return self._signed(step.checkpoint)
        raise StoreUnavailableError("others took checkpoints of this log all the time; the next try goes on from there")

    def follow(self) -> str:
        """Let the key sign the log under the name that it has now, once somebody is sure of a restore; return it."""
        with self.memory.alone():
            name = self._store.read(origin)
            if self.memory.last(name) is None:
                self.memory.remember(Checkpoint(name, 0, EMPTY_ROOT))
        return name

    def _require_name(self, name: str) -> None:
        """Refuse a log that goes on under a name of which nobody told the key.

        Whoever owns the database can write the entry of a restore too, and would have rewritten history signed with it.
        """
        if not is_restored(name) or self.memory.last(name) is not None:
            return
        if any(log_of(known) == log_of(name) for known in self.memory.names()):
            raise TamperedError(
                f"expected the log under a name that this key has signed, got `{name}`: its record says that a backup "
                f"was restored; nothing was signed; if that is so, say `agentguard audit seal --accept-restored` where "
                f"the key is"
            )

    def _step(self, reading: Reading) -> _Before | _Due | Sealed | None:
        """Return what comes next for the log as it is in this view, or its last checkpoint if that says it all."""
        size, name = reading.position(), origin(reading)
        self._require_name(name)
        last, promised = seals.newest(reading, name), seals.last_promise(reading, name)
        tree = StoredTree(reading)
        require_continued(reading, tree, (self.memory.last(name), promised, last.checkpoint if last else None))
        if not size or (last is not None and last.size == size):
            return last
        if key_of_log(reading) is None:
            return _Before(lambda transaction: introduce(transaction, self._signer.key, self._tenant, FIRST))
        require_key(reading, self._signer)
        tiles = tuple(missing_tiles(reading, tree=tree))
        if len(tiles) >= MOST_TILES:
            return _Before(lambda transaction: add_tiles(transaction, tiles))
        if promised is not None and promised.size == size:
            return _Due(promised, promised, tiles)  # somebody died before the signature was stored, or is at it now
        return _Due(Checkpoint(name, size, tree_root(tree, size)), promised, tiles)

    def _promised(self, due: _Due) -> bool:
        """Promise the checkpoint; False if somebody else promised another one meanwhile."""

        def work(transaction: Transaction) -> bool:
            """Keep the tiles in any case: they are true of the log whoever seals it."""
            add_tiles(transaction, due.tiles)
            return due.checkpoint == due.promised or seals.promise(transaction, due.checkpoint, due.promised)

        return self._store.transact(work)

    def _signed(self, checkpoint: Checkpoint) -> Sealed | None:
        if is_restored(checkpoint.origin) and self.memory.last(checkpoint.origin) is None:
            # Whoever owns the database can write the entry that renames the log; a person should know of it.
            log.warning("seals.log_renamed", origin=checkpoint.origin, size=checkpoint.size)
        self.memory.remember(checkpoint)
        note = signed(checkpoint, self._signer)

        def work(transaction: Transaction) -> Sealed | None:
            """Store it, unless somebody else stored a later one, which is the newest then."""
            seals.add_checkpoint(transaction, checkpoint.origin, checkpoint.size, note)
            return seals.newest(transaction, checkpoint.origin)

        return self._store.transact(work)


def add_tiles(transaction: Transaction, tiles: Iterable[Tile]) -> None:
    """Store tiles that others may have stored meanwhile."""
    for tile in tiles:
        add_tile(transaction, tile)


def require_continued(reading: Reading, tree: Subtrees, known: Iterable[Checkpoint | None]) -> None:
    """Refuse a log that does not continue what is known of it.

    Raises:
        TamperedError: It is shorter, or has another root at that size.
    """
    for before in known:
        if before is None or not before.size:
            continue
        if before.size > reading.position():
            raise TamperedError(
                f"expected the {before.size} entries that were signed before, got {reading.position()}: an older "
                f"database was put back, or entries were cut off; nothing was signed; run `agentguard audit verify`, "
                f"or `agentguard audit restored` if a backup was restored on purpose"
            )
        last = leaves(reading, before.size - 1, 1)[0]
        if tree_root(tree, before.size) != before.root or tree.root(0, before.size - 1) != last:
            raise TamperedError(
                f"expected the log whose {before.size} entries were signed before, got another one: it was rewritten; "
                f"nothing was signed; keep a copy and run `agentguard audit verify`"
            )


def require_key(reading: Reading, signer: Signer) -> None:
    """Refuse to sign with another key than the log's.

    Raises:
        ConfigurationError: The log has another one.
    """
    current, own = key_of_log(reading), signer.key
    if current is None or current.key != own:
        named = "none" if current is None else f"`{current.key.text}`"
        advice = "sign with that one, or introduce this one with `agentguard audit change-key`"
        raise ConfigurationError([f"expected the log's key {named} to sign, got `{own.text}`; {advice}"])
