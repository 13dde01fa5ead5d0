"""An entry with everything personal in it opened, as far as the keys are still there; whoever shows it records that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentguard.core.entry import place_of
from agentguard.core.prose import ERASED
from agentguard.core.reader import Unseal
from agentguard.core.reviews import REVIEWED
from agentguard.engine import confirming, contesting, judging, told, voting
from agentguard.engine.parts import Parts
from agentguard.engine.restoring import unsealer
from agentguard.store import Reading
from agentguard.store.records import Entry

_WORDS = {
    told.TOLD: ("words", told.PLACE),
    confirming.KIND: ("words", confirming.PLACE),
    contesting.CONTESTED: ("words", contesting.PLACE),
    REVIEWED: ("note", judging.PLACE),
    voting.VOTED: ("note", voting.PLACE),
}
"""By kind of entry: the key under which sealed words stand, and the place they are sealed for."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An entry's document in the clear.

    Attributes:
        document: Its body; what was erased stands as `(erased)`.
        places: Places of the values that were opened, as the record of a look names them.
        erased: Places of those whose key was destroyed.
    """

    document: dict[str, Any]
    places: tuple[str, ...]
    erased: tuple[str, ...]


def opened(parts: Parts, reading: Reading, item: Entry) -> Opened:
    """Return an entry with its sealed values opened.

    Raises:
        StoreUnavailableError: The keys are not those of this database.
        TamperedError: A sealed value was changed.
    """
    parts.require_keys(reading)
    body = item.document
    if item.is_purged:
        return Opened(body, (), ())
    opening = _Opening(unsealer(parts, reading, item.action_id or body.get("confirmation", "")), item.kind)
    document = {name: opening.value(name, value) for name, value in body.items()}
    return Opened(document, tuple(opening.places), tuple(opening.erased))


@dataclass(slots=True)
class _Opening:
    """One entry in the opening."""

    unseal: Unseal
    kind: str
    places: list[str] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)

    def value(self, name: str, value: Any) -> Any:
        """Return what stands under a key of a body, opened."""
        if name in ("arguments", "real_values") and isinstance(value, Mapping):
            return {key: self._plain(f"arguments.{key}", inner) for key, inner in value.items()}
        if name == "context" and isinstance(value, Mapping):
            return {key: self._plain(place_of("context", key), inner) for key, inner in value.items()}
        if name == "facts" and isinstance(value, Mapping):
            return {key: self._fact(key, inner) for key, inner in value.items()}
        key, place = _WORDS.get(self.kind, ("", ""))
        if name == key:
            return self._plain(place, value)
        return value

    def _fact(self, name: str, fact: Any) -> Any:
        if not (isinstance(fact, Mapping) and "value" in fact):
            return fact
        return {**fact, "value": self._plain(f"facts.{name}", fact["value"])}

    def _plain(self, place: str, value: Any) -> Any:
        if not (isinstance(value, Mapping) and set(value) == {"sealed"}):
            return value
        found = self.unseal(place, value["sealed"])
        (self.places if found is not None else self.erased).append(place)
        return ERASED if found is None else found
