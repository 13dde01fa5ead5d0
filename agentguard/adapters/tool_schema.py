"""The JSON Schema of an action's arguments, as models are shown it: closed, and every field required.

It follows the strict subset that OpenAI enforces, which every other vendor reads too. It is a courtesy to the model
and protects nothing: the guard reads what comes back by the declared types alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from agentguard.core import language
from agentguard.core.language import Declared, Type
from agentguard.core.money import EXPONENTS, MAX_FRACTION_DIGITS

_WHOLE = "(0|[1-9][0-9]{0,17})"


def arguments_schema(arguments: Mapping[str, Declared], may_be_left_out: Collection[str] = ()) -> dict[str, Any]:
    """Return the schema of an object with these arguments.

    Args:
        arguments: What the action declares, by short name; computed ones are left out here.
        may_be_left_out: Arguments that the tool has a default for; like optional ones they may be null.
    """
    return _object(
        {name: declared for name, declared in arguments.items() if declared.computed is None},
        frozenset(may_be_left_out),
    )


def _object(fields: Mapping[str, Declared], may_be_left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    properties = {}
    for name, declared in fields.items():
        shape = _shape(declared.type)
        properties[name] = _or_null(shape) if declared.optional or name in may_be_left_out else shape
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _or_null(shape: dict[str, Any]) -> dict[str, Any]:
    if shape["type"] == "object":
        return {"anyOf": [shape, {"type": "null"}]}
    nullable = {**shape, "type": [shape["type"], "null"]}
    if "enum" in shape:
        nullable["enum"] = [*shape["enum"], None]
    return nullable


def _shape(kind: Type) -> dict[str, Any]:
    match kind:
        case language.Money():
            return _money(kind)
        case language.OneOf(values=values):
            return {"type": "string", "enum": list(values)}
        case language.Record(fields=fields):
            return _object(fields)
        case language.ListOf(item=item):
            return {"type": "array", "items": _shape(item)}
        case _:
            return dict(_PLAIN[type(kind)])


def _money(kind: language.Money) -> dict[str, Any]:
    digits = max(EXPONENTS[currency] for currency in kind.currencies)
    number = ("-?" if kind.any_sign else "") + _WHOLE + (rf"(\.[0-9]{{1,{digits}}})?" if digits else "")
    example = f"40.{'0' * digits}" if digits else "40"
    if len(kind.currencies) == 1:
        words = (
            f"An exact amount of {kind.currencies[0]} as decimal text, like {example}; no currency sign, no grouping."
        )
        return {"type": "string", "pattern": f"^{number}$", "description": words}
    words = f"An exact amount with its currency, like {example} {kind.currencies[0]}; no currency sign, no grouping."
    return {"type": "string", "pattern": f"^{number} ({'|'.join(kind.currencies)})$", "description": words}


_PLAIN: dict[type[Any], dict[str, Any]] = {
    language.Text: {"type": "string"},
    language.Integer: {"type": "integer"},
    language.YesNo: {"type": "boolean"},
    language.Decimal_: {
        "type": "string",
        "pattern": rf"^-?{_WHOLE}(\.[0-9]{{1,{MAX_FRACTION_DIGITS}}})?$",
        "description": "An exact number as decimal text, like 2.5.",
    },
    language.Date: {"type": "string", "format": "date", "description": "A day, like 2026-12-24."},
    language.Time: {
        "type": "string",
        "format": "date-time",
        "description": "An instant with its offset, like 2026-12-24T18:00:00+01:00.",
    },
    language.Duration: {
        "type": "string",
        "pattern": "^[0-9]{1,9} (second|minute|hour|day|week)s?$",
        "description": "A length of time, like 30 minutes.",
    },
}
