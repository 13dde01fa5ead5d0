"""The single values of a policy file as the models see them: a node that keeps its place, with a schema for editors.

The models say only of which shape a value is; what the text in it means is read later, where its place is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from agentguard.policyfile.node import Mapping, Node, Scalar, Sequence, shape

T = TypeVar("T")
Schema: TypeAlias = dict[str, Any]


def spelled(pattern: str, expected: str) -> Schema:
    """Return the schema of a text that is spelled in a certain way, with what editors say of any other."""
    return {"type": "string", "pattern": pattern, "patternErrorMessage": f"Expected {expected}."}


TEXT: Schema = {"type": ["string", "number", "boolean"]}
TEXT_OR_TEXTS: Schema = {"type": [*TEXT["type"], "array"], "items": TEXT}
CONDITION: Schema = {"type": ["string", "boolean"], "minLength": 1}
AMOUNT: Schema = {"type": ["string", "number"]}
VERDICT: Schema = {
    **spelled("^(allow|deny|abstain|escalate to [A-Za-z][A-Za-z0-9_-]*)$", "allow, deny, or escalate to a route"),
    "defaultSnippets": [
        {"label": "allow", "body": "allow"},
        {"label": "deny", "body": "deny"},
        {"label": "escalate to …", "body": "escalate to ${1:route}"},
    ],
}
OUTCOME: Schema = {"type": "string", "enum": ["allow", "escalate", "deny"]}
IDENTIFIER: Schema = spelled("^[A-Za-z][A-Za-z0-9_-]*$", "a name of letters, digits, - and _ that begins with a letter")
DAY: Schema = spelled("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "a day like 2026-12-31")
SPAN: Schema = spelled(
    "^[0-9]+ (minute|hour|day|week)s?( of [A-Za-z0-9_-]+)?$", "a time like 30 minutes, 4 hours or 1 day"
)
YEARS: Schema = spelled("^[0-9]+ (day|year)s?$", "a time like 90 days or 7 years")
LANGUAGE: Schema = {"type": "object", "additionalProperties": TEXT}


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """Accepts nodes of some shapes as they are, and tells editors what stands there."""

    schema: Schema
    shapes: tuple[type[Scalar | Mapping | Sequence], ...] = (Scalar,)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate by shape alone."""
        return core_schema.no_info_plain_validator_function(self.accept)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return what editors check."""
        return dict(self.schema)

    def accept(self, node: Node) -> Node:
        """Return the node if its shape is one of those accepted."""
        if not isinstance(node, self.shapes) or (isinstance(node, Scalar) and not node.text and not node.style):
            raise wrong_shape(self.expected, node)
        return node

    @property
    def expected(self) -> str:
        """The accepted shapes in words."""
        names = {Scalar: "a text", Sequence: "a list", Mapping: "`key: value` pairs"}
        *others, last = (names[kind] for kind in self.shapes)
        return f"{', '.join(others)} or {last}" if others else last


def wrong_shape(expected: str, node: object) -> PydanticCustomError:
    """Return the error for a value of another shape."""
    got = shape(node) if isinstance(node, Scalar | Mapping | Sequence) else "something else"
    return PydanticCustomError("wrong_shape", "expected {expected}, got {got}", {"expected": expected, "got": got})


def _items(node: Any) -> tuple[Node, ...]:
    if not isinstance(node, Sequence):
        raise wrong_shape("a list", node)
    return tuple(node.items)


def _entries(node: Any) -> dict[str, Node]:
    if not isinstance(node, Mapping):
        raise wrong_shape("`key: value` pairs", node)
    return dict(node.items)


def either(*schemas: Schema) -> Schema:
    """Return the schema of a value that may be written in several ways."""
    return {"anyOf": [dict(schema) for schema in schemas]}


def list_of(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": dict(schema)}


def map_of(schema: Schema) -> Schema:
    """Return the schema of pairs."""
    return {"type": "object", "additionalProperties": dict(schema)}


def _block(description: str) -> Schema:
    return {**either(CONDITION, list_of(either(CONDITION, {"type": "object"}))), "description": description}


_TIMES = "(from )?[0-9]{2}:[0-9]{2}( to |-)[0-9]{2}:[0-9]{2}"
_HOURS: Schema = either(spelled(f"^{_TIMES}$", "hours like 08:00-18:00"), list_of(TEXT))
_HOURS_OR_CLOSED: Schema = either(spelled(f"^(closed|{_TIMES})$", "hours like 08:00-18:00, or closed"), list_of(TEXT))
_MOMENT: Schema = spelled(
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$", "a day like 2026-12-31, or 2026-12-31 18:00"
)
_SPAN: Schema = {
    "type": "object",
    "properties": {
        "from": {**_MOMENT, "description": "Begin of this span."},
        "to": {**_MOMENT, "description": "End of this span, not included."},
    },
    "required": ["from", "to"],
    "additionalProperties": False,
}
_DAY_NAME = "(mon|tue|wed|thu|fri|sat|sun)"
CALENDAR: Schema = {
    "type": "object",
    "description": "When it is open: hours by weekday such as mon-fri, every day, days, spans; less closed days.",
    "properties": {
        "every day": {**_HOURS, "description": "Hours of every day, closed or not: from 22:00 to 06:00."},
        "days": {**list_of(DAY), "description": "Whole days that count as inside."},
        "closed": {**list_of(DAY), "description": "Days without the hours of their weekday."},
        "from": {**_MOMENT, "description": "Begin of the only span."},
        "to": {**_MOMENT, "description": "End of the only span, not included."},
        "spans": {**list_of(_SPAN), "description": "Spans with from and to."},
        "timezone": {"type": "string", "description": "The calendar's own zone, where it is not the file's."},
    },
    "patternProperties": {
        f"^{_DAY_NAME}( *[-,] *{_DAY_NAME})*$": {
            **_HOURS_OR_CLOSED,
            "description": "Hours on these days of the week, such as 08:00-18:00, several in a list, or closed.",
        }
    },
    "additionalProperties": False,
}

Items = Annotated[tuple[T, ...], BeforeValidator(_items)]
Entries = Annotated[dict[str, T], BeforeValidator(_entries)]
Text: TypeAlias = Annotated[Scalar, Leaf(TEXT)]
Identifier: TypeAlias = Annotated[Scalar, Leaf(IDENTIFIER)]
Number: TypeAlias = Annotated[Scalar, Leaf({"type": "integer", "minimum": 1})]
Day: TypeAlias = Annotated[Scalar, Leaf(DAY)]
Span: TypeAlias = Annotated[Scalar, Leaf(SPAN)]
Years: TypeAlias = Annotated[Scalar, Leaf(YEARS)]
Verdict: TypeAlias = Annotated[Scalar, Leaf(VERDICT)]
Condition: TypeAlias = Annotated[Scalar, Leaf(CONDITION)]
TypeNotation: TypeAlias = Annotated[
    Scalar | Sequence,
    Leaf(
        {
            **either({"type": "string"}, list_of(TEXT)),
            "description": "Its type: text, integer, decimal, money, yes_no, date, time, duration, "
            "[one, of, these], a record, or list of one; with ? it may be missing.",
        },
        (Scalar, Sequence),
    ),
]
Words: TypeAlias = Annotated[Scalar | Mapping, Leaf(either(TEXT, LANGUAGE), (Scalar, Mapping))]
When: TypeAlias = Annotated[
    Node,
    Leaf(
        either(
            CONDITION,
            list_of(either(CONDITION, {"type": "object"})),
            {
                "type": "object",
                "properties": {
                    "all": _block("Every one of these must hold."),
                    "any": _block("At least one of these must hold."),
                    "none": _block("Not one of these may hold."),
                },
                "additionalProperties": False,
                "minProperties": 1,
            },
        ),
        (Scalar, Sequence, Mapping),
    ),
]
Actions: TypeAlias = Annotated[Scalar | Sequence, Leaf(either(TEXT, list_of(TEXT)), (Scalar, Sequence))]
OneOrMore: TypeAlias = Annotated[Scalar | Sequence, Leaf(either(CONDITION, list_of(CONDITION)), (Scalar, Sequence))]
Measure: TypeAlias = Annotated[Scalar | Mapping, Leaf(either(CONDITION, map_of(CONDITION)), (Scalar, Mapping))]
Most: TypeAlias = Annotated[Scalar | Mapping, Leaf(either(AMOUNT, map_of(AMOUNT)), (Scalar, Mapping))]
Freeing: TypeAlias = Annotated[Node, Leaf(either(TEXT_OR_TEXTS, map_of(CONDITION)), (Scalar, Sequence, Mapping))]
Table: TypeAlias = Annotated[
    Mapping, Leaf({"type": "object", "description": "A value for each key, or another level of keys."}, (Mapping,))
]
Calendar: TypeAlias = Annotated[Mapping, Leaf(CALENDAR, (Mapping,))]


def word_of(*words: str) -> Leaf:
    """Return the leaf for one of a few words."""
    return Leaf({"type": "string", "enum": list(words)})
