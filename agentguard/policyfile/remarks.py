"""The comments of a file with their places, given back line by line while it is laid out again."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentguard.policyfile.node import Mapping, Node, Scalar


@dataclass(slots=True)
class Remarks:
    """Comments by line, and which lines were empty.

    Attributes:
        alone: Comments that have a line to themselves: column and text.
        beside: Comments behind something: column and text.
        last: The line above which everything was given back.
        flat: Comments come back no deeper than what they stand above, until a line is written.
    """

    alone: dict[int, tuple[int, str]] = field(default_factory=dict)
    beside: dict[int, tuple[int, str]] = field(default_factory=dict)
    empty: set[int] = field(default_factory=set)
    last: int = 0
    flat: bool = False

    @classmethod
    def of(cls, text: str, root: Node) -> Remarks:
        """Find the comments of a text: every `#` that no scalar of its tree holds."""
        found = cls()
        taken: dict[int, list[tuple[int, int]]] = {}
        inside: set[int] = set()
        for scalar in _scalars(root):
            _take(scalar, taken, inside)
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                if number not in inside:
                    found.empty.add(number)
                continue
            start = _comment_start(line, taken.get(number, []))
            if start is None or number in inside:
                continue
            where = found.beside if line[:start].strip() else found.alone
            where[number] = (start, line[start:].rstrip())
        return found

    def above(self, line: int, indent: int) -> list[str]:
        """Return the comments and empty lines above a line that were not given back yet, once."""
        found: list[str] = []
        for number in range(self.last + 1, line):
            if number in self.empty:
                found.append("")
            elif number in self.alone:
                column, text = self.alone.pop(number)
                found.append(" " * (indent if self.flat else max(indent, column)) + text)
            elif number in self.beside:
                found.append(" " * indent + self.beside.pop(number)[1])
        self.last = max(self.last, line - 1)
        return found

    def flatten(self) -> None:
        """Give back the comments above the next line no deeper than it: what was written last would take them in."""
        self.flat = True

    def between(self, first: int, last: int) -> bool:
        """Return whether a comment stands on one of these lines."""
        return any(first <= number <= last for number in [*self.alone, *self.beside])

    def behind(self, text: str, line: int) -> str:
        """Return a line with the comment that stood behind it, in the column where it was if there is room."""
        self.flat = False
        if line not in self.beside:
            return text
        column, remark = self.beside.pop(line)
        return text.ljust(max(column, len(text) + 2)) + remark

    def rest(self) -> list[str]:
        """Return what is left at the end of the file."""
        return self.above(max([*self.alone, *self.beside, 0]) + 1, 0)


def _scalars(node: Node) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, Mapping):
        return [*node.keys.values(), *(scalar for item in node.items.values() for scalar in _scalars(item))]
    return [scalar for item in node.items for scalar in _scalars(item)]


def _take(scalar: Scalar, taken: dict[int, list[tuple[int, int]]], inside: set[int]) -> None:
    """Note the columns that a scalar holds on each of its lines; lines of a block belong to it whole."""
    lines = scalar.raw.split("\n")
    written = max(offset for offset, raw in enumerate(lines) if raw.strip() or not offset)
    for offset, raw in enumerate(lines):
        number = scalar.place.line + offset
        if scalar.style in ("|", ">"):
            if 0 < offset <= written:
                inside.add(number)
            continue
        start = scalar.place.column - 1 if offset == 0 else 0
        taken.setdefault(number, []).append((start, start + len(raw)))
        if offset and not raw.strip():
            inside.add(number)


def _comment_start(line: str, taken: list[tuple[int, int]]) -> int | None:
    for index, character in enumerate(line):
        if character != "#" or any(start <= index < end for start, end in taken):
            continue
        if index == 0 or line[index - 1].isspace():
            return index
    return None
