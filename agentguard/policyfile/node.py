"""What a YAML file says, as a tree that remembers where each piece stands; every scalar stays the text written.

Nothing here knows what a policy is; `read` makes these nodes and the models look at them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from agentguard.core.policy import Place

_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A piece of text, with what is needed to say where each of its characters stands.

    Attributes:
        style: Empty for plain, else the mark it is written with: a quote, `|` or `>`.
        raw: The characters in the file from which `text` was made.
        comment: The comment behind it on its line, with the blanks before it, or None.
        in_flow: It stands between brackets or braces, where YAML cuts at commas.
    """

    text: str
    place: Place
    style: str = ""
    raw: str = ""
    comment: str | None = None
    in_flow: bool = False

    def at(self, offset: int) -> Place:
        """Return where the character at an offset of the text stands in the file; its end counts too."""
        raw_offset = _raw_offset(self, offset) if self.raw else offset
        before = self.raw[:raw_offset]
        line = before.count("\n")
        column = raw_offset - before.rfind("\n") if line else self.place.column + raw_offset
        return Place(self.place.file, self.place.line + line, column)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values, in the order written."""

    items: dict[str, Node]
    keys: dict[str, Scalar]
    place: Place
    flow: bool = False

    def section(self, name: str) -> Mapping:
        """Return the mapping under a key; an empty one where there is none."""
        item = self.items.get(name)
        return item if isinstance(item, Mapping) else Mapping({}, {}, self.place)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    items: list[Node] = field(default_factory=list)
    place: Place = field(default=Place("", 0, 0))
    flow: bool = False


Node: TypeAlias = Scalar | Mapping | Sequence


def plain(node: Node) -> object:
    """Return a node as texts, lists and dictionaries, without its places."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(item) for key, item in node.items.items()}


def shape(node: Node) -> str:
    """Return what a node is, in a word for a message."""
    if isinstance(node, Scalar):
        return f"`{shortened(node.text)}`" if node.text else "nothing"
    return "a list" if isinstance(node, Sequence) else "a mapping"


def shortened(text: str, most: int = 60) -> str:
    """Return text that fits into a message: on one line, not too long."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _raw_offset(scalar: Scalar, offset: int) -> int:
    """Walk text and raw characters side by side; only blanks may differ, since YAML folds lines."""
    text, raw = scalar.text, scalar.raw
    position = 0
    if scalar.style in ("|", ">"):
        position = raw.find("\n") + 1
    elif scalar.style in ("'", '"'):
        position = 1
    end = position
    for index, character in enumerate(text):
        if not character.isspace():
            while position < len(raw) and (raw[position].isspace() or raw.startswith("\\\n", position)):
                position += 1
        if index == offset:
            return position
        if scalar.style == '"' and raw.startswith("\\", position):
            escape = _ESCAPE.match(raw, position)
            position = escape.end() if escape else position + 1
        elif scalar.style == "'" and raw.startswith("''", position):
            position += 2
        elif character.isspace():
            position += position < len(raw) and raw[position].isspace()
            continue
        else:
            position += 1
        end = position
    return end
