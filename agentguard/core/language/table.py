"""Tables: small lookups that a product owner can read, indexed by one or more keys.

Their values' type is inferred from what is written, since nothing else says it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from agentguard.core import money
from agentguard.core.language import types
from agentguard.core.language.notation import parse_duration
from agentguard.core.language.types import Type, Value
from agentguard.errors import LanguageError, MoneyError

MAX_ENTRIES = 10_000
MAX_LEVELS = 4

Entries: TypeAlias = Mapping[str, "Entries | Value"]
Written: TypeAlias = Mapping[str, "Written | str"]

_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup of `levels` keys; `entries` nests as deep and ends in values of one type."""

    name: str
    levels: int
    item: Type
    entries: Entries = field(hash=False)

    def get(self, keys: tuple[str, ...]) -> Value | None:
        """Return the value under these keys, or None if there is no such entry."""
        found: Entries | Value | None = self.entries
        for key in keys:
            if not isinstance(found, Mapping):
                return None
            found = found.get(key)
        return found


def key_text(value: Value) -> str:
    """Return how a value is written as a key of a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def parse_table(name: str, written: Written) -> Table:
    """Return the table that nested mappings of texts say.

    Raises:
        LanguageError: It is empty, uneven or mixed; one problem at offset 0.
    """
    leaves: list[str] = []
    levels = _levels(name, written, 1, leaves)
    item, values = _infer(name, leaves)
    converted = iter(values)

    def convert(part: Written) -> Entries:
        """Return a part of the table with its values in their type."""
        return {
            unicodedata.normalize("NFC", key): convert(inner) if isinstance(inner, Mapping) else next(converted)
            for key, inner in part.items()
        }

    return Table(name, levels, item, convert(written))


def _levels(name: str, part: Written, level: int, leaves: list[str]) -> int:
    if not part:
        raise _wrong(f"the table `{name}` needs at least one entry")
    if level > MAX_LEVELS:
        raise _wrong(f"the table `{name}` nests at most {MAX_LEVELS} deep")
    depths: set[int] = set()
    for inner in part.values():
        if isinstance(inner, Mapping):
            depths.add(_levels(name, inner, level + 1, leaves))
        else:
            leaves.append(inner)
            depths.add(level)
    if len(depths) > 1:
        raise _wrong(f"every entry of the table `{name}` must nest equally deep")
    if len(leaves) > MAX_ENTRIES:
        raise _wrong(f"the table `{name}` has at most {MAX_ENTRIES:,} entries")
    return depths.pop()


def _infer(name: str, leaves: list[str]) -> tuple[Type, list[Value]]:
    """Return the one type that all written values have, and the values."""
    if all(_NUMBER.fullmatch(leaf) for leaf in leaves):
        if any("." in leaf for leaf in leaves):
            return types.DECIMAL, [Decimal(leaf) for leaf in leaves]
        return types.INTEGER, [int(leaf) for leaf in leaves]
    if all(leaf in {"yes", "no", "true", "false"} for leaf in leaves):
        return types.YES_NO, [leaf in {"yes", "true"} for leaf in leaves]
    durations = [parse_duration(leaf) for leaf in leaves]
    if all(duration is not None for duration in durations):
        return types.DURATION, [duration for duration in durations if duration is not None]
    try:
        return types.DATE, [date.fromisoformat(leaf) for leaf in leaves]
    except ValueError:
        pass  # not all of them are dates; they may still be money or text
    try:
        amounts = [money.Money.parse(leaf) for leaf in leaves]
    except MoneyError:
        pass  # not all of them are money; they may still be text
    else:
        return types.Money(tuple(sorted({amount.currency for amount in amounts})), any_sign=True), list(amounts)
    odd = next((leaf for leaf in leaves if _NUMBER.fullmatch(leaf)), None)
    if odd is not None:
        other = next(leaf for leaf in leaves if not _NUMBER.fullmatch(leaf))
        raise _wrong(f"the entries of the table `{name}` must be of one type, got `{odd}` and `{other[:40]}`")
    texts = [unicodedata.normalize("NFC", leaf) for leaf in leaves]
    return types.OneOf(tuple(dict.fromkeys(texts))), list(texts)


def _wrong(message: str) -> LanguageError:
    return LanguageError([(0, "table_malformed", message)])
