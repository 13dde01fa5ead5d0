"""Where people are told: a channel sends one event at a time, and raises until it was taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from agentguard.engine.event import TYPES, Event
from agentguard.errors import ConfigurationError


class Channel(Protocol):
    """Takes events to people or to another system.

    It may be given the same event twice, and then says the same `id` again.
    """

    @property
    def name(self) -> str:
        """Names the channel for good: how far it has come is kept under it."""
        ...

    def wants(self, event: Event) -> bool:
        """Return whether it sends an event at all."""
        ...

    def send(self, event: Event) -> None:
        """Send an event, and return once it was taken.

        Raises:
            UndeliveredError: It was not, and may be sent again, or never will be.
        """
        ...


@dataclass(frozen=True, slots=True)
class Only:
    """Which events a channel sends; what is empty does not narrow.

    Attributes:
        types: Like `escalation.opened`.
        routes: Like `refunds/finance`.
        who: Like `group:finance` or `user:maria`: events that are for one of them.
        tenants: Whose records they are about.
    """

    types: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    who: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()

    def __init__(
        self,
        *,
        types: Iterable[str] = (),
        routes: Iterable[str] = (),
        who: Iterable[str] = (),
        tenants: Iterable[str] = (),
    ) -> None:
        for name, given in (("types", types), ("routes", routes), ("who", who), ("tenants", tenants)):
            object.__setattr__(self, name, frozenset((given,) if isinstance(given, str) else given))
        unknown = sorted(self.types - set(TYPES))
        if unknown:
            raise ConfigurationError([f"expected `types` of {', '.join(TYPES)}, got `{unknown[0]:.100}`"])

    def admits(self, event: Event) -> bool:
        """Return whether an event is one of those."""
        given = (
            (self.types, {event.type}),
            (self.routes, {route.id for route in event.routes}),
            (self.who, set(event.to)),
            (self.tenants, {event.tenant}),
        )
        return all(not wanted or not wanted.isdisjoint(found) for wanted, found in given)


EVERYTHING = Only()
