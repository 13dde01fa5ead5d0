"""What a process remembers of the database, and what a transaction has not written yet.

Every change of the store has an entry in the log, so as long as the log's head is the one that this process committed
or read last, everything it remembers is still true without a query.

A lookup goes from a unit of work through its batch to what was committed; a unit that fails is forgotten by dropping
its layer.
"""

from __future__ import annotations

import enum
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Protocol

from agentguard.store.records import ActionRecord
from agentguard.store.statement import Statement

LARGEST_MEMORY = 20_000
"""How many things a process remembers before it forgets all of them; an action is two or three."""

Name = tuple[str, ...]
"""What is remembered under: a word for the kind of thing, then its key."""


class Unknown(enum.Enum):
    """Nothing is remembered; the database knows."""

    UNKNOWN = enum.auto()


UNKNOWN: Final = Unknown.UNKNOWN


class Account(NamedTuple):
    """What one account says.

    Attributes:
        kept: Its number of postings and what is pending as the database has them; None for a new one.
    """

    unit: str
    pending: int
    posted: int
    n: int
    last_us: int
    last_position: int
    reversed: int
    kept: tuple[int, int] | None


class Action(NamedTuple):
    """An action with what it holds by account, as (unit, amount).

    Attributes:
        kept: Its state and fence as the database has them; None for a new one.
    """

    record: ActionRecord
    holds: dict[str, tuple[str, int]]
    is_open: bool
    kept: tuple[str, int] | None


class Stretch(NamedTuple):
    """A time in which an account's total before a window's start is one and the same: after < start <= until."""

    after_us: int
    until_us: int
    total: int


class Remembering(Protocol):
    """What can be asked for what is remembered."""

    def find(self, name: Name) -> Any:
        """Return what is remembered under a name, or `UNKNOWN`."""


class Version(NamedTuple):
    """How far the log had come, and with which last entry: what is remembered is true of exactly that."""

    size: int
    leaf: str


class Memory:
    """What was committed, for whoever finds the log's head where it was then.

    One thread at a time commits, any number read meanwhile and add what they found.
    """

    __slots__ = ("_known", "_lock", "_version")

    def __init__(self) -> None:
        self._known: dict[Name, Any] = {}
        self._version: Version | None = None
        self._lock = threading.Lock()

    def at(self, version: Version) -> Remembering:
        """Return what is remembered of one version, which is nothing as soon as there is another one."""
        return _At(self, version)

    def begin(self, version: Version) -> None:
        """Forget everything unless it is of this version."""
        if self._version != version:
            self.forget()
            self._version = version

    def learn(self, known: dict[Name, Any], version: Version) -> None:
        """Remember what a commit made true."""
        with self._lock:
            self._version = None  # for readers: neither the old version nor the new one until all is in place
            self._add(known)
            self._version = version

    def learn_more(self, known: dict[Name, Any], version: Version) -> None:
        """Remember what a reader found, if that is the version which is remembered."""
        with self._lock:
            if self._version == version:
                self._add(known)

    def forget(self) -> None:
        """Remember nothing."""
        with self._lock:
            self._version = None
            self._known = {}

    def _add(self, known: dict[Name, Any]) -> None:
        if len(self._known) > LARGEST_MEMORY:
            self._known = {}
        self._known.update(known)

    def find(self, name: Name) -> Any:
        """Return what is remembered under a name, or `UNKNOWN`; for the thread that changes it."""
        return self._known.get(name, UNKNOWN)

    def find_at(self, name: Name, version: Version) -> Any:
        """Return what is remembered under a name if it is of this version, or `UNKNOWN`."""
        found = self._known.get(name, UNKNOWN)
        # Asked after the lookup, since a commit may come in between.
        return found if self._version == version else UNKNOWN


class _At:
    __slots__ = ("_memory", "_version")

    def __init__(self, memory: Memory, version: Version) -> None:
        self._memory = memory
        self._version = version

    def find(self, name: Name) -> Any:
        return self._memory.find_at(name, self._version)


class Layer:
    """What is known since a transaction or a unit of work began, and what of it is to be written.

    Attributes:
        changed: The names of actions and accounts that the database does not have like this.
        rows: New rows by the statement that inserts them.
    """

    __slots__ = ("below", "chain", "changed", "known", "remembered", "rows")

    def __init__(self, below: Layer | Remembering) -> None:
        self.known: dict[Name, Any] = {}
        self.changed: dict[Name, None] = {}
        self.rows: defaultdict[Statement, list[tuple[Any, ...]]] = defaultdict(list)
        self.below = below if isinstance(below, Layer) else None
        self.remembered: Remembering = below.remembered if isinstance(below, Layer) else below
        self.chain: tuple[dict[Name, Any], ...] = (self.known,)
        if self.below is not None:
            self.chain += self.below.chain

    def find(self, name: Name) -> Any:
        """Return what is known under a name, here or below, or `UNKNOWN`."""
        for known in self.chain:
            if name in known:
                return known[name]
        return self.remembered.find(name)

    def change(self, name: Name, value: Any) -> None:
        """Know something else from here on, which is to be written."""
        self.known[name] = value
        self.changed[name] = None

    @property
    def is_written(self) -> bool:
        """Whether the database has everything."""
        return not any(layer.changed or layer.rows for layer in self.layers())

    def layers(self) -> Iterator[Layer]:
        """Yield this layer and those below it."""
        layer: Layer | None = self
        while layer is not None:
            yield layer
            layer = layer.below

    def pending(self, statement: Statement) -> Iterator[tuple[Any, ...]]:
        """Yield the rows that are still to be inserted by a statement, here and in the layers below."""
        for layer in self.layers():
            yield from layer.rows.get(statement, ())

    def take(self, above: Layer) -> None:
        """Take over what the layer above came to."""
        self.known.update(above.known)
        self.changed.update(above.changed)
        for statement, rows in above.rows.items():
            self.rows[statement] += rows
