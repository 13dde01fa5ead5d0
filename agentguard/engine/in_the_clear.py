"""Where an id still stands in what is recorded, though whom it names was erased: policies do not mark it personal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Clear:
    """The places in which one text was found; sealed values are not texts any more."""

    text: str
    places: set[str] = field(default_factory=set)

    def look(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Look at the arguments, facts and context of entries."""
        for body in bodies:
            for section in ("arguments", "facts", "context"):
                for name, value in (body.get(section) or {}).items():
                    if self.text in _texts(value):
                        self.places.add(name if section == "context" else f"{section}.{name}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
