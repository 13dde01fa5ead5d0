"""Values as canonical bytes, and the digests of them.

Canonical bytes are RFC 8785. In the subset used here (ASCII keys, no floats, whole numbers under 2**53 in size) the
sorted keys of orjson give the same bytes, and a test holds the two equal.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from agentguard.core import language
from agentguard.core.language import Value
from agentguard.core.money import Money, canonical_number
from agentguard.errors import ConformError

LARGEST_JSON_INTEGER = 2**53 - 1

_CANONICAL = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
)
"""Refuses every key that is not text, and nearly every value that is outside the subset."""

_SCALARS = frozenset({str, bool, int, type(None)})


def encode(value: Value) -> Any:
    """Return a value as JSON that `decode` can read back with the value's declared type."""
    kind = type(value)
    if kind is str or kind is bool:
        return value
    if kind is int and -LARGEST_JSON_INTEGER <= value <= LARGEST_JSON_INTEGER:  # type: ignore[operator]
        return value
    if kind is Money:
        return str(value)
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_JSON_INTEGER else str(value)
    if isinstance(value, Money):
        return str(value)
    if isinstance(value, Decimal):
        return format(canonical_number(value), "f")
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)}us"
    if isinstance(value, Mapping):
        return {name: encode(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    raise ConformError("not_encodable", f"expected a value of the policy language, got `{type(value).__name__}`")


def decode(kind: language.Type, encoded: Any) -> Value:
    """Return the value that `encode` made this JSON of.

    Raises:
        ConformError: The JSON cannot have come from a value of this type.
    """
    try:
        return _decode(kind, encoded)
    except (ValueError, TypeError, ArithmeticError, AttributeError, KeyError) as error:
        raise ConformError("not_decodable", f"expected an encoded `{kind}`, got `{encoded!r:.80}`") from error


def _decode(kind: language.Type, encoded: Any) -> Value:
    match kind:
        case language.Money():
            return Money.parse(encoded)
        case language.Integer():
            return int(encoded)
        case language.Decimal_():
            return Decimal(encoded)
        case language.Time():
            return _instant(encoded)
        case language.Date():
            return date.fromisoformat(encoded)
        case language.Duration():
            return timedelta(microseconds=int(encoded.removesuffix("us")))
        case language.Record():
            return {name: _decode(kind.fields[name].type, item) for name, item in encoded.items()}
        case language.ListOf():
            return tuple(_decode(kind.item, item) for item in encoded)
        case language.YesNo():
            if not isinstance(encoded, bool):
                raise ValueError(encoded)
            return encoded
        case _:
            if not isinstance(encoded, str):
                raise ValueError(encoded)
            return encoded


def _instant(encoded: str) -> datetime:
    """Return the instant that `time_text` wrote so, and only so; `strptime` takes five times as long."""
    found = datetime.fromisoformat(encoded)
    if found.tzinfo is not UTC or time_text(found) != encoded:
        raise ValueError(encoded)
    return found


def time_text(moment: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC with six digits of a second."""
    # Of two readings of a doubled hour Python says that they are equal: only instants in UTC may be remembered.
    return _utc_text(moment if moment.tzinfo is UTC else moment.astimezone(UTC))


@lru_cache(maxsize=1024)
def _utc_text(moment: datetime) -> str:
    return "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ" % (  # noqa: UP031 - in half of the time that `isoformat` takes
        moment.year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond,
    )


def canonical_bytes(document: Any) -> bytes:
    """Return the RFC 8785 bytes of a JSON document of the subset that agentguard writes.

    Raises:
        ConformError: A float, a key that is not ASCII text, half of a character, or a number of 2**53 or more is in it.
    """
    try:
        written = orjson.dumps(document, option=_CANONICAL)
    except orjson.JSONEncodeError as error:
        _refuse_outside_subset(document)  # says what it is, where it is one of these
        raise ConformError(
            "not_text", f"expected whole Unicode text without cycles, got what has no bytes: {error}"
        ) from error
    if not written.isascii() or not _in_subset(document):
        _refuse_outside_subset(document)
    return written


def _in_subset(document: Any) -> bool:
    """Return whether a document that was written as ASCII has no values but those of the subset."""
    kind = type(document)
    if kind is dict:
        items = document.values()
    elif kind is list or kind is tuple:
        items = document
    else:
        return kind in _SCALARS
    for item in items:  # noqa: SIM110 - every entry and answer comes through here, and a generator costs twice as much
        if type(item) not in _SCALARS and not _in_subset(item):
            return False
    return True


def _refuse_outside_subset(document: Any) -> None:
    kind = type(document)
    if kind is str or kind is bool or document is None:
        return
    if kind is int:
        if -LARGEST_JSON_INTEGER <= document <= LARGEST_JSON_INTEGER:
            return
        raise ConformError(
            "number_too_large", f"expected a whole number under 2**53, got `{document}`; write it as text"
        )
    if kind is dict:
        for key, item in document.items():
            if type(key) is not str or not key.isascii():
                raise ConformError("key_not_ascii", f"expected ASCII text as a key, got `{key!r}`")
            _refuse_outside_subset(item)
        return
    if kind is list or kind is tuple:
        for item in document:
            _refuse_outside_subset(item)
        return
    raise ConformError(
        "not_canonical", f"expected text, a whole number, yes/no, a list or an object, got `{kind.__name__}`"
    )


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes in hex."""
    return hashlib.sha256(data).hexdigest()


def keyed_digest(secret: bytes, text: str) -> str:
    """Return the HMAC-SHA-256 of a text in hex: for whatever could be guessed and tried."""
    return keyed_digests(secret)(text)


def keyed_digests(secret: bytes) -> Callable[[str], str]:
    """Return what makes keyed digests under a secret, with the secret's part of the work done once."""
    begun = hmac.new(secret, digestmod="sha256")

    def keyed(text: str) -> str:
        """Return the keyed digest of a text, as hexadecimal digits."""
        made = begun.copy()
        made.update(text.encode())
        return made.hexdigest()

    return keyed
