"""Many units of work in one transaction: each is run in memory on top of those before it, all are written together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from agentguard.store.channel import Channel
from agentguard.store.head import Head, moment_of
from agentguard.store.ledger_clock import LedgerClock
from agentguard.store.lookups import Lookups
from agentguard.store.memory import Layer, Memory
from agentguard.store.records import ActionKey
from agentguard.store.transaction import Transaction
from agentguard.store.writing import HeadChange, write_out

T = TypeVar("T")


class TornError(Exception):
    """A unit failed after something of it had reached the database, so that the whole transaction has to end."""


class Batch:
    """One transaction of the database, from the lock on the log's head to just before the commit."""

    def __init__(self, channel: Channel, head: Head, memory: Memory, clock: LedgerClock) -> None:
        self._channel = channel
        self._memory = memory
        self._before = self._head = head
        self._moment = moment_of(clock, head)
        self._reached = False
        memory.begin(head.version)
        self._layer = Layer(memory.known)

    @property
    def head(self) -> Head:
        """The log's head with everything that was run so far."""
        return self._head

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to write."""
        return self._head is self._before and not self._reached

    def foresee(self, keys: Iterable[ActionKey]) -> None:
        """Look up at once what units of work will ask for by these keys."""
        Lookups(self._channel, self._layer).foresee(keys)

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run a unit of work; one that raises leaves nothing behind.

        Raises:
            TornError: It raised when it was too late for that.
        """
        self._layer.begin_unit()
        lookups = Lookups(self._channel, self._layer, writes=True)
        transaction = Transaction(self._head.copy(), self._moment, lookups)
        try:
            value = work(transaction)
            head = transaction.finish()
        except BaseException as error:
            if lookups.reached:
                raise TornError from error
            self._layer.undo_unit()
            raise
        if head.size != self._head.size:
            self._head = head
        self._reached = self._reached or lookups.reached
        return value

    def write(self) -> None:
        """Write everything that is not in the database yet, and the log's head.

        Raises:
            OvertakenError: A row is not what this process remembered of it.
        """
        self._reached = self._reached or not self._layer.is_written
        change = None
        if self._head is not self._before:
            clock = self._moment.kept
            after = (self._head.size, self._head.leaf, self._moment.us, clock.wall_us, clock.uptime_us, clock.boot)
            change = HeadChange(self._before.version, after)
        write_out(self._channel, self._layer, change)

    def remember(self) -> None:
        """Let the process remember what was committed."""
        self._memory.learn(self._layer.known, self._head.version)
