"""What a process remembers of the database, and what a transaction has not written yet.

Every change of the store has an entry in the log, so as long as the log's head is the one that this process committed
or read last, everything it remembers is still true without a query.

A lookup goes from what a transaction came to know to what was committed before it; what a unit of work changed is
taken back if it fails.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

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
    """What one account says."""

    unit: str
    pending: int
    posted: int
    n: int
    last_us: int
    last_position: int
    reversed: int


class Action(NamedTuple):
    """An action with what it holds by account, as (unit, amount)."""

    record: ActionRecord
    holds: dict[str, tuple[str, int]]
    is_open: bool


class Stretch(NamedTuple):
    """A time in which an account's total before a window's start is one and the same: after < start <= until."""

    after_us: int
    until_us: int
    total: int


Remembering = Callable[[Name, Unknown], Any]
"""Returns what is remembered under a name, or what it is told."""

Version = tuple[int, str]
"""How far the log had come, and with which last leaf: what is remembered is true of exactly that."""


class Memory:
    """What was committed, for whoever finds the log's head where it was then.

    One thread at a time commits, any number read meanwhile and add what they found.
    """

    __slots__ = ("_known", "_lock", "_version")

    def __init__(self) -> None:
        self._known: dict[Name, Any] = {}
        self._version: Version | None = None
        self._lock = threading.Lock()

    @property
    def entries(self) -> int:
        """How many entries the log had when this process last wrote; 0 where that is not known now."""
        version = self._version
        return 0 if version is None else version[0]

    def at(self, version: Version) -> Remembering:
        """Return what is remembered of one version, which is nothing as soon as there is another one."""
        return partial(self._find_at, version)

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

    @property
    def known(self) -> Remembering:
        """What is remembered, for the thread that changes it."""
        return self._known.get

    def _find_at(self, version: Version, name: Name, otherwise: Unknown) -> Any:
        found = self._known.get(name, otherwise)
        # Asked after the lookup, since a commit may come in between.
        return found if self._version == version else otherwise


class Layer:
    """What is known since a transaction began, and what of it is to be written.

    Attributes:
        changed: What the database has of the actions and accounts that are to be written, by their names.
        known: What was found in the database is added here as it is; what a unit of work makes of it, by `set`.
        rows: New rows by the statement that inserts them.
    """

    __slots__ = ("_added", "_before", "_changed_before", "_remembered", "changed", "known", "rows")

    def __init__(self, below: Remembering) -> None:
        self.known: dict[Name, Any] = {}
        self.changed: dict[Name, Any] = {}
        self.rows: dict[Statement, list[tuple[Any, ...]]] = {}
        self._remembered = below
        self.begin_unit()

    def begin_unit(self) -> None:
        """Keep everything so far, whatever becomes of the unit of work that begins."""
        self._before: dict[Name, Any] = {}
        self._changed_before = len(self.changed)
        self._added: list[Statement] = []

    def undo_unit(self) -> None:
        """Take back what the unit of work that began last did, none of which was written."""
        for name, value in self._before.items():
            if value is UNKNOWN:
                del self.known[name]
            else:
                self.known[name] = value
        while len(self.changed) > self._changed_before:
            self.changed.popitem()
        for statement in self._added:
            self.rows[statement].pop()
            if not self.rows[statement]:
                del self.rows[statement]

    @property
    def touched(self) -> Iterable[Name]:
        """The names under which the unit of work set something."""
        return self._before

    def find(self, name: Name) -> Any:
        """Return what is known under a name, or `UNKNOWN`."""
        found = self.known.get(name, UNKNOWN)
        return self._remembered(name, UNKNOWN) if found is UNKNOWN else found

    def set(self, name: Name, value: Any) -> None:
        """Know something else as long as the unit of work does not fail."""
        if name not in self._before:
            self._before[name] = self.known.get(name, UNKNOWN)
        self.known[name] = value

    def change(self, name: Name, value: Any) -> None:
        """Set something that is to be written."""
        before = self.known.get(name, UNKNOWN)
        self._before.setdefault(name, before)
        if name not in self.changed:
            self.changed[name] = self._remembered(name, UNKNOWN) if before is UNKNOWN else before
        self.known[name] = value

    def add(self, statement: Statement, row: tuple[Any, ...]) -> None:
        """Have a row inserted by a statement."""
        self.rows.setdefault(statement, []).append(row)
        self._added.append(statement)

    @property
    def is_written(self) -> bool:
        """Whether the database has everything."""
        return not self.changed and not self.rows

    def pending(self, statement: Statement) -> Sequence[tuple[Any, ...]]:
        """Return the rows that are still to be inserted by a statement."""
        return self.rows.get(statement, ())
