"""How the accounts of limits began under each bundle that came into force, as the entries of that say."""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from agentguard.store import Reading
from agentguard.store.records import EntryFilter

Thing = TypeVar("Thing", bound=Hashable)

_PAGE = 100
_ACTIVATED = EntryFilter(kind="activated")


class Beginning(enum.StrEnum):
    """How a limit's accounts begin under policies that come into force."""

    KEPT = "kept"
    FILLED = "filled"
    STARTS_NOW = "starts_now"


@dataclass(frozen=True, slots=True)
class Opening:
    """What a limit found on its accounts when its policies came into force.

    Attributes:
        limit: Qualified id.
        identity: Digest of what makes its accounts; limits that share theirs have the same, and the same numbers.
        movements, holds: How many settled actions, and how many that are under way, were counted from the log.
        uncounted: How many were not, because what the limit reads was not recorded then, or was erased.
        erased: How many of these because it was erased.
    """

    limit: str
    identity: str
    beginning: Beginning
    movements: int = 0
    holds: int = 0
    uncounted: int = 0
    erased: int = 0


def recorded(opening: Opening) -> dict[str, Any]:
    """Return an opening as the entry of the activation says it, under the limit's id."""
    said: dict[str, Any] = {"identity": opening.identity, "account": str(opening.beginning)}
    if opening.beginning is Beginning.FILLED:
        said |= {name: getattr(opening, name) for name in ("movements", "holds", "uncounted", "erased")}
    return said


def opened(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each bundle that an entry of this put into force, by digest, with how its limits began."""
    yield body["bundle"], body.get("limits", {})
    if canary := body.get("canary"):
        yield canary["bundle"], canary["limits"]


def counted_until(reading: Reading, identities: frozenset[str]) -> dict[str, int | None]:
    """Return the position at which accounts ceased to be counted, None for now; those that never were are left out."""
    return _until(
        reading,
        identities,
        lambda body: {item["identity"] for _, limits in opened(body) for item in limits.values()},
    )


def remembered_until(reading: Reading, names: frozenset[tuple[str, str]]) -> dict[tuple[str, str], int | None]:
    """Return the same of what settled actions are remembered by: action and name of the value."""
    return _until(
        reading, names, lambda body: {(of, name) for of, named in body.get("remembers", {}).items() for name in named}
    )


def _until(
    reading: Reading, wanted: frozenset[Thing], told: Callable[[dict[str, Any]], set[Thing]]
) -> dict[Thing, int | None]:
    known: dict[Thing, int | None] = {}
    until = None
    for position, body in activations_back(reading):
        known.update(dict.fromkeys((told(body) & wanted) - known.keys(), until))
        if known.keys() >= wanted:
            break
        until = position
    return known


def activations_back(reading: Reading) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the entries of what was put into force with their positions, the newest first; purged ones are left out."""
    after = 0
    while page := reading.entries(after, _PAGE, _ACTIVATED, newest_first=True):
        yield from ((item.pos, item.document) for item in page if not item.is_purged)
        after = page[-1].pos


def activations_since(reading: Reading, position: int) -> Iterator[dict[str, Any]]:
    """Yield the entries of what was put into force after a position of the log, the first one first."""
    while page := reading.entries(position, _PAGE, _ACTIVATED):
        yield from (item.document for item in page)
        position = page[-1].pos
