"""The canonical layout of a file: two blanks a level, words for operators, comments kept; what it says stays the same.

Order, quotes and the choice between brackets and lines stay the author's, as far as a line's length allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agentguard.core.language import parse, unparse
from agentguard.core.policy import Place
from agentguard.errors import LanguageError, PolicyError, Problem
from agentguard.policyfile.node import Mapping, Node, Scalar, Sequence, plain
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.read import read
from agentguard.policyfile.remarks import Remarks
from agentguard.policyfile.torn import mended
from agentguard.policyfile.writing import block_text, flow_text, folded, one_line

WIDTH = 130
CONDITIONS = frozenset({"when", "sum", "per", "max", "never_by_splitting", "all", "any", "none", "before_effect"})
"""Keys whose texts are conditions, wherever in a policy they stand; `names` holds some too."""

_WITH_CONDITIONS = ("names", "rules", "limits", "requires", "guarantees", "witness")


def format_text(text: str, file: str) -> str:
    """Return a policy, people or test file in its canonical layout.

    Raises:
        PolicyError: The text is not YAML that can be read; other problems of a policy do not matter here.
    """
    problems = Problems(file)
    root = read(text, problems)
    if root is not None:
        mended(root, problems)
    problems.raise_if_any()
    if root is None:
        return text
    words = _with_words(root, is_policy="agentguard" in root.items)
    laid_out = _Layout(Remarks.of(text.replace("\r\n", "\n"), root)).whole(words)
    again = read(laid_out, Problems(file))
    if again is None or plain(again) != plain(words):
        message = "the file cannot be laid out without changing what it says: it was left as it is"
        raise PolicyError([Problem(file, 0, 0, "not_formatted", message)])
    return laid_out


def _with_words(root: Mapping, *, is_policy: bool) -> Mapping:
    """Return the tree with its conditions in canonical spelling."""
    if not is_policy:
        return root
    items = {
        key: _spelled(item, inside=key == "names", conditions=key in _WITH_CONDITIONS)
        for key, item in root.items.items()
    }
    return replace(root, items=items)


def _spelled(node: Node, *, inside: bool, conditions: bool) -> Node:
    """Return a node with the texts that are conditions in canonical spelling; `inside` says that this one is."""
    if isinstance(node, Scalar):
        return _canonical(node) if inside and conditions else node
    if isinstance(node, Sequence):
        items = [_spelled(item, inside=inside, conditions=conditions) for item in node.items]
        return replace(node, items=items)
    return replace(
        node,
        items={
            key: _spelled(item, inside=inside or _holds_conditions(key, item), conditions=conditions)
            for key, item in node.items.items()
        },
    )


def _holds_conditions(key: str, node: Node) -> bool:
    """Return whether what stands under a key are conditions; `freed_by` names actions unless it says how much."""
    return key in CONDITIONS or (key == "freed_by" and isinstance(node, Mapping))


def _canonical(scalar: Scalar) -> Scalar:
    """Return a condition with words for operators; one that cannot be parsed stays as it is."""
    try:
        text = unparse(parse(scalar.text))
    except LanguageError:
        return scalar
    return scalar if text == scalar.text.strip() and not scalar.style else replace(scalar, text=text, raw="", style="")


@dataclass(slots=True)
class _Layout:
    """Writes a tree line by line; remarks come back where their lines were."""

    remarks: Remarks
    lines: list[str] = field(default_factory=list)

    def whole(self, root: Mapping) -> str:
        """Return the text of a file."""
        self.mapping(root, 0)
        self.lines += self.remarks.rest()
        return "\n".join(self.lines).strip("\n") + "\n"

    def mapping(self, node: Mapping, indent: int, first: str = "") -> None:
        """Write a mapping in lines; `first` stands before its first key, where an item of a list begins."""
        names = [one_line(replace(node.keys[name], text=name), in_flow=False) for name in node.items]
        width = self.width(node, names, indent)
        for number, (name, (key, item)) in enumerate(zip(names, node.items.items(), strict=True)):
            prefix = first if first and not number else " " * indent
            self.before(node.keys[key].place.line, prefix, blank=number > 0 or not first)
            self.entry(f"{prefix}{f'{name}:'.ljust(width - 1)}", item, node.keys[key].place, indent)

    def width(self, node: Mapping, names: list[str], indent: int) -> int:
        """Return where values begin if the author has put them below each other, else 0."""
        inline = [
            (key, item.place.column)
            for key, item in node.items.items()
            if item.place.line == node.keys[key].place.line
            and not (isinstance(item, Scalar) and item.style in ("|", ">"))
        ]
        if len({column for _, column in inline}) != 1 or len({len(key) for key, _ in inline}) < 2:
            return 0
        heads = zip(names, node.items.values(), strict=True)
        return (
            max((len(name) for name, item in heads if self.fits(indent + len(name) + 1, item, indent)), default=0) + 2
        )

    def fits(self, head: int, item: Node, line: int) -> bool:
        """Return whether a value will stand behind its key, which is so long and stood on that line."""
        if isinstance(item, Scalar):
            short = one_line(item, in_flow=False)
            return not block_text(item, 0) and (head + len(short) + 1 <= WIDTH or not folded(item, 0))
        if not item.flow and item.items:
            return False
        last = _last_line(item)
        return head + len(flow_text(item)) + 1 <= WIDTH and not self.remarks.between(line, last - 1)

    def entry(self, head: str, item: Node, place: Place, indent: int) -> None:
        """Write a key with its value."""
        if isinstance(item, Scalar):
            self.scalar(head, item, place.line, indent + 2)
        elif item.flow or not item.items:
            self.flow(head, item, place.line, indent + 2)
        else:
            self.add(head.rstrip(), place.line)
            self.block(item, indent + 2)

    def block(self, item: Mapping | Sequence, indent: int, first: str = "") -> None:
        """Write a mapping or a list in lines; `first` stands before the first, where an item of a list begins."""
        if isinstance(item, Mapping):
            self.mapping(item, indent, first)
        else:
            self.sequence(item, indent, first)

    def sequence(self, node: Sequence, indent: int, first: str = "") -> None:
        """Write a list in lines."""
        for number, item in enumerate(node.items):
            prefix = first if first and not number else " " * indent
            self.before(item.place.line, prefix, blank=True)
            if isinstance(item, Scalar):
                self.scalar(f"{prefix}-", item, item.place.line, indent + 2)
            elif item.flow or not item.items:
                self.flow(f"{prefix}-", item, item.place.line, indent + 2)
            else:
                self.block(item, indent + 2, f"{prefix}- ")

    def scalar(self, head: str, item: Scalar, line: int, indent: int) -> None:
        """Write a text behind its key: on the line, or folded below where it is too long."""
        if not item.text and not item.style:
            self.add(head.rstrip(), line)
            return
        last = item.at(len(item.text)).line
        if self.fits(len(head), item, line):
            self.add(f"{head} {one_line(item, in_flow=False)}", last)
        elif block := block_text(item, indent):
            self.text(head, block, line)
        else:
            self.text(head, [">-", *folded(item, indent)], last)

    def text(self, head: str, block: list[str], line: int) -> None:
        """Write a text in lines of its own; a remark that followed as deep as they are would become a part of it."""
        header, *lines = block
        self.add(f"{head.rstrip()} {header}", line)
        self.lines += lines
        self.remarks.flatten()

    def flow(self, head: str, item: Mapping | Sequence, line: int, indent: int) -> None:
        """Write brackets on one line where they fit and hold no remark, else as lines."""
        if not item.items or self.fits(len(head), item, line):
            self.add(f"{head} {flow_text(item)}", _last_line(item))
        elif head.rstrip().endswith("-"):
            self.block(item, indent, f"{head} ")
        else:
            self.add(head.rstrip(), line)
            self.block(item, indent)

    def before(self, line: int, prefix: str, *, blank: bool) -> None:
        """Write the remarks that stand above a line which begins so, and one empty line where there was one."""
        for remark in self.remarks.above(line, len(prefix) - len(prefix.lstrip(" "))):
            if remark or (blank and self.lines and self.lines[-1]):
                self.lines.append(remark)

    def add(self, text: str, line: int) -> None:
        """Write a line with the remark that stood behind it."""
        self.lines.append(self.remarks.behind(text, line))


def _last_line(node: Node) -> int:
    """Return the line on which the last text of a node ends."""
    if isinstance(node, Scalar):
        return node.at(len(node.text)).line if node.raw else node.place.line
    inner = node.items.values() if isinstance(node, Mapping) else node.items
    return max([node.place.line, *(_last_line(item) for item in inner)])
