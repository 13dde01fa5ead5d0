"""Arguments made canonical: from what a model sent, untrusted, to values of the action's declared types.

Law 16: this happens once, before anything looks at them, so that policy, digest, approver and tool see the same frozen
values. Numbers are read as the text that was written; nothing is trimmed, rounded or guessed. Every fault is reported.
"""

from __future__ import annotations

import enum
import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from agentguard.core import language
from agentguard.core.hidden import hidden
from agentguard.core.language import Declared, Type, Value, conform
from agentguard.core.language.notation import MAX_DAYS, duration_of
from agentguard.core.money import EXPONENTS, Money
from agentguard.errors import ConformError, MoneyError

MAX_JSON_CHARACTERS = 65_536
MAX_JSON_NESTING = 32
MAX_TEXT_CHARACTERS = 10_000
MAX_LIST_ITEMS = 1_000
MAX_NAME_SHOWN = 60
MAX_UNKNOWN = 20
TOO_LONG = "too long"
"""Stands for a number that has no short text, so that it fails like any other text that is no number."""

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_DURATION = re.compile(r"([0-9]{1,9}) (second|minute|hour|day|week)s?")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one argument: its name, a stable code, and words that repeat nothing the model sent."""

    argument: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"`{self.argument}`: {self.message}" if self.argument else self.message

    @property
    def for_record(self) -> Fault:
        """The fault without a name that the model made up: whatever is personal in it would stay for good."""
        return replace(self, argument="") if self.code == "unknown" else self


@dataclass(frozen=True, slots=True)
class Arguments:
    """Canonical arguments, or the faults that keep them from being so; `values` is empty if there is any fault."""

    values: Mapping[str, Value]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonNumber:
    """A number of raw JSON as the text that was written, so that no digit is lost before it is typed."""

    text: str


class _FaultError(Exception):
    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def canonical_arguments(
    declared: Mapping[str, Declared], given: Mapping[str, Any] | str | bytes, defaults: Mapping[str, Any] | None = None
) -> Arguments:
    """Return the canonical values of what was given, or every fault in it.

    Args:
        declared: Type of each argument that the agent may give; computed arguments are not among them.
        given: A mapping from the host, or a JSON object as raw text from a model.
        defaults: The tool's own defaults, for arguments that were not given.
    """
    try:
        fields = given if type(given) is dict else _fields(given)
    except _FaultError as fault:
        return Arguments({}, (Fault("", fault.code, str(fault)),))
    faults: list[Fault] = []
    if not fields.keys() <= declared.keys():
        odd = (name for name in fields if name not in declared)
        faults += [_unknown(name, declared) for name in itertools.islice(odd, MAX_UNKNOWN)]
    values: dict[str, Value] = {}
    for name, kind in declared.items():
        raw = fields.get(name)
        if raw is None and defaults is not None:
            raw = defaults.get(name)
        if raw is None:
            if not kind.optional:
                faults.append(Fault(name, "missing", f"expected {_kind(kind.type)}, got nothing"))
            continue
        try:
            values[name] = _value(kind.type, raw)
        except _FaultError as fault:
            faults.append(Fault(name, fault.code, str(fault)))
    return Arguments({}, tuple(faults)) if faults else Arguments(values)


def _unknown(name: object, declared: Iterable[str]) -> Fault:
    shown = name if isinstance(name, str) and name.isprintable() else repr(name)
    return Fault(shown[:MAX_NAME_SHOWN], "unknown", f"expected only {', '.join(sorted(declared)) or 'no arguments'}")


def _fields(given: Mapping[str, Any] | str | bytes) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    if not isinstance(given, str | bytes):
        raise _FaultError("not_an_object", f"expected an object with named arguments, got {type(given).__name__}")
    fields = read_json(given)
    if not isinstance(fields, dict):
        raise _FaultError("not_an_object", "expected a JSON object with named arguments")
    return fields


def read_json(text: str | bytes) -> Any:
    """Return parsed JSON with numbers as `JsonNumber`; duplicate keys, NaN and Infinity are refused."""
    try:
        source = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise _FaultError("not_json", "expected JSON in UTF-8") from error
    if len(source) > MAX_JSON_CHARACTERS:
        raise _FaultError("too_long", f"expected at most {MAX_JSON_CHARACTERS} characters, got {len(source)}")
    if _nesting(source) > MAX_JSON_NESTING:
        raise _FaultError("too_deep", f"expected at most {MAX_JSON_NESTING} levels of nesting")
    try:
        return json.loads(
            source,
            parse_float=JsonNumber,
            parse_int=JsonNumber,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise _FaultError(
            "not_json", f"expected a JSON object, got text that stops being JSON at {error.pos}"
        ) from error


def _nesting(source: str) -> int:
    # Brackets inside strings count too: an upper bound is enough to keep the parser from recursing.
    depth = deepest = 0
    in_string = escaped = False
    for character in source:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _refuse_constant(name: str) -> Any:
    raise _FaultError("not_a_number", f"expected a finite number, got `{name}`")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _FaultError("duplicate", "expected each name once, got one twice")
    return fields


def _value(kind: Type, raw: Any) -> Value:
    """Read one value; what is read is conformed too, unless reading it has already checked all that its type asks."""
    if isinstance(raw, enum.Enum):
        raw = raw.value  # or one that is text as well would be read as `Reason.LATE`
    try:
        value = _READERS[type(kind)](kind, raw)
        return value if type(kind) in _COMPLETE else conform(kind, value)
    except (ConformError, MoneyError) as error:
        code = error.reason if isinstance(error, ConformError) else error.code
        raise _FaultError(code, str(error)) from error


def _integer(kind: Type, raw: Any) -> int:
    return int(_digits(raw, _INTEGER, kind, from_text=False))


def _decimal(kind: Type, raw: Any) -> Decimal:
    return Decimal(_digits(raw, _NUMBER, kind, from_text=True))


def _yes_no(kind: Type, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    raise _wrong(kind, raw)


def _digits(raw: Any, pattern: re.Pattern[str], kind: Type, *, from_text: bool) -> str:
    if isinstance(raw, float):
        raise _FaultError(
            "float", "expected an exact number: text like `40.00`, an int or a Decimal; a float is never exact"
        )
    if isinstance(raw, JsonNumber):
        written = raw.text
    elif isinstance(raw, str) and from_text:
        written = raw
    elif type(raw) is Decimal:  # exactly these types: a subclass may show another number than it is
        written = _decimal_text(raw)
    elif type(raw) is int:
        written = str(raw) if abs(raw) < 10**18 else TOO_LONG
    else:
        raise _wrong(kind, raw)
    if not pattern.fullmatch(written):
        digits = "at most 18 digits" if pattern is _INTEGER else "digits with a point for decimals"
        raise _FaultError("not_a_number", f"expected {_kind(kind)}: {digits}; no grouping, currency sign or exponent")
    return written


def _decimal_text(number: Decimal) -> str:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or not -9 <= exponent <= 18 or number.adjusted() > 18:
        return TOO_LONG
    return format(number, "f")


def _money(kind: language.Money, raw: Any) -> Value:
    if isinstance(raw, Money):
        return conform(kind, raw)
    currency = kind.currencies[0] if len(kind.currencies) == 1 else None
    if isinstance(raw, str):
        if " " in raw:
            raw, _, currency = raw.partition(" ")
    elif isinstance(raw, Mapping):
        if set(raw) != {"amount", "currency"} or not isinstance(raw["currency"], str):
            raise _wrong(kind, raw)
        raw, currency = raw["amount"], raw["currency"]
    try:
        if type(raw) is str and currency in kind.currencies:
            amount = Money.of(raw, currency)
            return amount if amount.minor > 0 else conform(kind, amount)
    except MoneyError:
        pass  # below, the same fault gets its own code
    written = _digits(raw, _NUMBER, kind, from_text=True)
    if currency is None:
        raise _FaultError(
            "currency_missing", f"expected an amount with its currency, like `40.00 {kind.currencies[0]}`"
        )
    if currency not in kind.currencies:
        raise _FaultError("currency", f"expected an amount in {' or '.join(kind.currencies)}, and no other currency")
    try:
        amount = Money.of(written, currency)
    except MoneyError as error:
        raise _FaultError(
            "over_precise", f"expected an amount in {currency} with at most {EXPONENTS[currency]} decimals"
        ) from error
    return conform(kind, amount)


def _text(kind: Type, raw: Any) -> str:
    if not isinstance(raw, str):
        raise _wrong(kind, raw)
    text = str.__str__(raw)  # a subclass may show another text than it is
    if len(text) <= MAX_TEXT_CHARACTERS and not text.isascii():
        text = unicodedata.normalize("NFC", text)  # which may be longer
    if len(text) > MAX_TEXT_CHARACTERS:
        raise _FaultError("too_long", f"expected at most {MAX_TEXT_CHARACTERS} characters, got {len(text)}")
    if found := hidden(text):
        raise _FaultError("control_character", f"expected plain text, got the character {found}")
    return text


def _one_of(kind: language.OneOf, raw: Any) -> Value:
    return raw if type(raw) is str and raw in kind.values else conform(kind, _text(kind, raw))


def _date(_: Type, raw: Any) -> date:
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return raw
    if isinstance(raw, str) and _DATE.fullmatch(raw):
        try:
            return date.fromisoformat(raw)
        except ValueError as error:
            raise _FaultError("not_a_date", "expected a date that exists, like `2026-12-24`") from error
    raise _FaultError("not_a_date", "expected a date like `2026-12-24`")


def _time(_: Type, raw: Any) -> datetime:
    if isinstance(raw, datetime) and raw.utcoffset() is not None:
        return raw
    if isinstance(raw, str) and _TIME.fullmatch(raw):
        try:
            return datetime.fromisoformat(raw)
        except ValueError as error:
            raise _FaultError(
                "not_a_time", "expected an instant that exists, like `2026-12-24T18:00:00+01:00`"
            ) from error
    raise _FaultError("not_a_time", "expected an instant with its offset, like `2026-12-24T18:00:00+01:00`")


def _duration(_: Type, raw: Any) -> timedelta:
    if isinstance(raw, timedelta):
        length = raw if abs(raw) <= timedelta(days=MAX_DAYS) else None
    elif isinstance(raw, str) and (written := _DURATION.fullmatch(raw)):
        length = duration_of(int(written[1]), f"{written[2]}s")
    else:
        raise _FaultError("not_a_duration", "expected a duration like `30 minutes`")
    if length is None:
        raise _FaultError("too_large", f"expected a duration of at most {MAX_DAYS:,} days")
    return length


def _record(kind: language.Record, raw: Any) -> dict[str, Value]:
    if not isinstance(raw, Mapping):
        raise _wrong(kind, raw)
    unknown = [name for name in raw if name not in kind.fields]
    if unknown:
        raise _FaultError("unknown", str(_unknown(unknown[0], kind.fields)))
    fields: dict[str, Value] = {}
    for name, declared in kind.fields.items():
        if raw.get(name) is not None:
            fields[name] = _value(declared.type, raw[name])
        elif not declared.optional:
            raise _FaultError("missing", f"expected `{name}` in it, got nothing")
    return fields


def _items(kind: language.ListOf, raw: Any) -> tuple[Value, ...]:
    if not isinstance(raw, list | tuple):
        raise _wrong(kind, raw)
    if len(raw) > MAX_LIST_ITEMS:
        raise _FaultError("too_long", f"expected at most {MAX_LIST_ITEMS} items, got {len(raw)}")
    return tuple(_value(kind.item, item) for item in raw)


def _wrong(kind: Type, raw: Any) -> _FaultError:
    got = "a number" if isinstance(raw, JsonNumber) else type(raw).__name__
    return _FaultError("wrong_type", f"expected {_kind(kind)}, got {got}")


def _kind(kind: Type) -> str:
    match kind:
        case language.Money():
            return f"an amount of {' or '.join(kind.currencies)}"
        case language.OneOf():
            return f"one of {', '.join(kind.values)}"
        case _:
            return f"{kind}"


_READERS: Mapping[type, Callable[[Any, Any], Any]] = {
    language.Text: _text,
    language.OneOf: _one_of,
    language.Integer: _integer,
    language.Decimal_: _decimal,
    language.Money: _money,
    language.YesNo: _yes_no,
    language.Date: _date,
    language.Time: _time,
    language.Duration: _duration,
    language.Record: _record,
    language.ListOf: _items,
}
_COMPLETE = frozenset({language.Text, language.OneOf, language.Money, language.YesNo})
