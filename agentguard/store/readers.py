"""The reading end of a store: one consistent view for each query, beside whoever writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from agentguard.store.channel import Channel
from agentguard.store.connections import Connections
from agentguard.store.head import begin_with_head, moment_of
from agentguard.store.ledger_clock import LedgerClock
from agentguard.store.lookups import Lookups
from agentguard.store.memory import Layer, Memory
from agentguard.store.reading import Reading
from agentguard.store.turn import Turns

T = TypeVar("T")


class Readers:
    """Runs queries, any number at a time."""

    def __init__(self, connections: Connections, clock: LedgerClock, memory: Memory, turns: Turns) -> None:
        self._connections = connections
        self._clock = clock
        self._memory = memory
        self._turns = turns

    def run(self, query: Callable[[Reading], T]) -> T:
        """Run a query on one consistent view."""
        with self._turns.taken():
            return self._run(query)

    def _run(self, query: Callable[[Reading], T]) -> T:
        try:
            channel = self._connections.take()
            try:
                return self._answer(channel, query)
            finally:
                self._end(channel)
        except Exception as error:
            if self._connections.is_database_error(error):
                raise self._connections.meaning(error) from error
            raise

    def _answer(self, channel: Channel, query: Callable[[Reading], T]) -> T:
        head = begin_with_head(channel, writes=False)
        version = head.version
        layer = Layer(self._memory.at(version))
        found = query(Reading(head, moment_of(self._clock, head), Lookups(channel, layer)))
        if layer.known:
            self._memory.learn_more(layer.known, version)
        return found

    def _end(self, channel: Channel) -> None:
        try:
            channel.rollback()
        except self._connections.dialect.errors:
            self._connections.give(channel, broken=True)
        else:
            self._connections.give(channel)
