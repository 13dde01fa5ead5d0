"""How types are written in a policy file: one line such as `money?, any sign` or a list of values.

The notation is part of the file format; the types themselves are in `types.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from agentguard.core.language import types
from agentguard.core.language.suggest import did_you_mean
from agentguard.core.language.types import Declared, Record, Type
from agentguard.errors import LanguageError

UNITS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 604_800}
"""Units of a written duration, in seconds; each has a singular too."""

MAX_DAYS = 1_000_000
MAX_VALUES = 200

_SIMPLE: dict[str, Type] = {
    "text": types.TEXT,
    "integer": types.INTEGER,
    "decimal": types.DECIMAL,
    "yes_no": types.YES_NO,
    "date": types.DATE,
    "time": types.TIME,
    "duration": types.DURATION,
}
_FOREIGN = {
    "bool": "yes_no",
    "boolean": "yes_no",
    "string": "text",
    "str": "text",
    "int": "integer",
    "number": "decimal",
    "float": "decimal",
    "double": "decimal",
    "datetime": "time",
    "timestamp": "time",
    "timedelta": "duration",
    "amount": "money",
}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"[^\s,\[\]\"'][^,\[\]\"']*")


def parse_duration(text: str) -> timedelta | None:
    """Return the duration that text like `30 days` or `1 hour` says, or None if it says none."""
    match = re.fullmatch(r"([0-9]{1,12}) +([a-z]+)", text.strip())
    if match is None:
        return None
    unit = plural(match[2])
    return None if unit is None else duration_of(int(match[1]), unit)


def plural(word: str) -> str | None:
    """Return the unit of time that a word names, in the plural, or None."""
    if word in UNITS:
        return word
    return f"{word}s" if f"{word}s" in UNITS else None


def duration_of(count: int, unit: str) -> timedelta | None:
    """Return a count of units as a duration, or None if it is longer than the bound."""
    seconds = count * UNITS[unit]
    return None if abs(seconds) > MAX_DAYS * 86_400 else timedelta(seconds=seconds)


def parse_type(
    notation: str | Sequence[str],
    records: Mapping[str, Record],
    currencies: tuple[str, ...],
) -> Declared:
    """Return the type that a one-line notation or a list of values says.

    Args:
        notation: `text`, `money?, any sign`, `list of item`, `time?, max_age 1 hour`, or the values of an enumeration.
        records: Record types by name.
        currencies: The file's currencies, which `money` means.

    Raises:
        LanguageError: The notation is wrong; offsets are into its text (0 for a list).
    """
    if not isinstance(notation, str):
        return Declared(_one_of(list(notation), 0))
    head, *options = _split(notation)
    declared = _parse_head(head[1], head[0], records, currencies)
    for offset, option in options:
        declared = _with_option(declared, option, offset)
    return declared


def _split(notation: str) -> list[tuple[int, str]]:
    """Cut at the commas outside brackets; each part with its offset, stripped."""
    parts: list[tuple[int, str]] = []
    depth = start = 0
    for place, character in enumerate(notation + ","):
        if character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
        elif character == "," and (depth <= 0 or place == len(notation)):
            part = notation[start:place]
            parts.append((start + len(part) - len(part.lstrip()), part.strip()))
            start = place + 1
    return parts


def _parse_head(text: str, offset: int, records: Mapping[str, Record], currencies: tuple[str, ...]) -> Declared:
    optional = text.endswith("?")
    if optional:
        text = text[:-1].rstrip()
    return Declared(_parse_kind(text, offset, records, currencies), optional=optional)


def _parse_kind(text: str, offset: int, records: Mapping[str, Record], currencies: tuple[str, ...]) -> Type:
    if text.startswith("["):
        if not text.endswith("]"):
            raise _wrong(
                offset, "type_malformed", f"the list of values is not closed: expected `]` at the end of `{text}`"
            )
        return _one_of([value.strip() for value in text[1:-1].split(",")] if text[1:-1].strip() else [], offset)
    if text == "list" or text.startswith("list "):
        inner = re.match(r"list +of +", text)
        if inner is None or not text[inner.end() :]:
            raise _wrong(offset, "type_malformed", f"a list says what is in it, like `list of text`, got `{text}`")
        item = text[inner.end() :]
        if item.endswith("?"):
            raise _wrong(
                offset, "type_malformed", "items of a list cannot be missing; write the `?` after the type of a field"
            )
        kind = _parse_kind(item, offset + inner.end(), records, currencies)
        if isinstance(kind, types.ListOf):
            raise _wrong(
                offset + inner.end(),
                "type_malformed",
                "a list of lists is not a type; make a record that holds the inner list",
            )
        return types.ListOf(kind)
    if text == "money":
        if not currencies:
            raise _wrong(offset, "no_currency", "`money` needs a currency; add `currency: USD` (or yours) to the file")
        return types.Money(currencies)
    if text in _SIMPLE:
        return _SIMPLE[text]
    if text in records:
        return records[text]
    raise _unknown_type(text, offset, records)


_OPTIONS = "(?:any sign|any_sign|personal|max_age|computed)"
"""How what may stand behind a type begins."""


def _unknown_type(text: str, offset: int, records: Mapping[str, Record]) -> LanguageError:
    known = [*_SIMPLE, "money", *records]
    if not text:
        return _wrong(
            offset, "type_malformed", f"expected a type such as {', '.join(f'`{name}`' for name in known[:4])}"
        )
    if text.lower() in _FOREIGN:
        hint = f"; here it is called `{_FOREIGN[text.lower()]}`"
    elif (option := re.match(rf"(\S+) +({_OPTIONS}.*)", text)) and option[1].rstrip("?") in known:
        hint = f"; put a comma between: `{option[1]}, {option[2]}`"
    else:
        hint = did_you_mean(text, known)
    return _wrong(offset, "type_unknown", f"`{text}` is not a type{hint}")


def _one_of(values: list[str], offset: int) -> types.OneOf:
    if not values:
        raise _wrong(offset, "type_malformed", "a list of values needs at least one value")
    if len(values) > MAX_VALUES:
        raise _wrong(offset, "type_malformed", f"a list of values has at most {MAX_VALUES}, got {len(values)}")
    for place, value in enumerate(values):
        if not _VALUE.fullmatch(value):
            raise _wrong(offset, "type_malformed", f"a value of a list must be plain words, got `{value}`")
        if value in values[:place]:
            raise _wrong(offset, "type_malformed", f"the value `{value}` stands twice in the list")
    return types.OneOf(tuple(values))


def _with_option(declared: Declared, option: str, offset: int) -> Declared:
    if option == "any sign":
        if not isinstance(declared.type, types.Money):
            raise _wrong(offset, "type_malformed", f"`any sign` belongs to money, not to {declared.type}")
        return replace(declared, type=replace(declared.type, any_sign=True))
    if option == "personal":
        return replace(declared, personal=True)
    if option.startswith("max_age"):
        age = parse_duration(option.removeprefix("max_age"))
        if age is None or not age:
            raise _wrong(offset, "type_malformed", f"`max_age` needs a time like `max_age 1 hour`, got `{option}`")
        return replace(declared, max_age=age)
    if option.startswith("computed"):
        match = re.fullmatch(r"computed +as +(\S+)", option)
        if match is None or not _WORD.fullmatch(match[1]):
            raise _wrong(offset, "type_malformed", f"expected `computed as` and a name from `names`, got `{option}`")
        return replace(declared, computed=match[1])
    known = ["any sign", "personal", "max_age 1 hour", "computed as some_name"]
    hint = did_you_mean(option, known) or f"; known are {', '.join(f'`{name}`' for name in known)}"
    raise _wrong(offset, "type_malformed", f"`{option}` cannot stand after a type{hint}")


def _wrong(offset: int, code: str, message: str) -> LanguageError:
    return LanguageError([(offset, code, message)])
