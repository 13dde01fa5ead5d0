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
from agentguard.policyfile.writing import flow_text, folded, one_line, value_text

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
        width = self.width(node, names)
        for number, (name, (key, item)) in enumerate(zip(names, node.items.items(), strict=True)):
            prefix = first if first and not number else " " * indent
            self.before(node.keys[key].place.line, indent, blank=number > 0 or not first)
            self.entry(f"{prefix}{f'{name}:'.ljust(width - 1)}", item, node.keys[key].place, indent)

    def width(self, node: Mapping, names: list[str]) -> int:
        """Return where values begin if the author has put them below each other, else 0."""
        inline = [
            (key, item.place.column)
            for key, item in node.items.items()
            if item.place.line == node.keys[key].place.line
            and not (isinstance(item, Scalar) and item.style in ("|", ">"))
        ]
        if len({column for _, column in inline}) != 1 or len({len(key) for key, _ in inline}) < 2:
            return 0
        known = {key for key, _ in inline}
        return max(len(name) for name, key in zip(names, node.items, strict=True) if key in known) + 2

    def entry(self, head: str, item: Node, place: Place, indent: int) -> None:
        """Write a key with its value."""
        if isinstance(item, Scalar):
            self.scalar(head, item, place.line, indent + 2)
        elif item.flow or not item.items:
            self.flow(head, item, place.line, indent + 2)
        else:
            self.add(head.rstrip(), place.line)
            self.block(item, indent + 2)

    def block(self, item: Mapping | Sequence, indent: int) -> None:
        """Write a mapping or a list in lines."""
        if isinstance(item, Mapping):
            self.mapping(item, indent)
        else:
            self.sequence(item, indent)

    def sequence(self, node: Sequence, indent: int, first: str = "") -> None:
        """Write a list in lines."""
        for number, item in enumerate(node.items):
            prefix = first if first and not number else " " * indent
            self.before(item.place.line, indent, blank=True)
            if isinstance(item, Scalar):
                self.scalar(f"{prefix}-", item, item.place.line, indent + 2)
            elif item.flow or not item.items:
                self.flow(f"{prefix}-", item, item.place.line, indent + 2)
            elif isinstance(item, Mapping):
                self.mapping(item, indent + 2, f"{prefix}- ")
            else:
                self.sequence(item, indent + 2, f"{prefix}- ")

    def scalar(self, head: str, item: Scalar, line: int, indent: int) -> None:
        """Write a text behind its key: on the line, or folded below where it is too long."""
        if not item.text and not item.style:
            self.add(head.rstrip(), line)
            return
        if item.style in ("|", ">") and item.raw:
            head_line, *body = value_text(item, indent)
            self.add(f"{head} {head_line}", line)
            self.lines += body
            return
        short = one_line(item, in_flow=False)
        last = item.at(len(item.text)).line
        if len(head) + len(short) + 1 <= WIDTH or not folded(item, indent):
            self.add(f"{head} {short}", last)
        else:
            self.add(f"{head} >-", last)
            self.lines += folded(item, indent)

    def flow(self, head: str, item: Node, line: int, indent: int) -> None:
        """Write brackets on one line where they fit and hold no remark, else as lines."""
        last = _last_line(item)
        short = flow_text(item)
        fits = len(head) + len(short) + 1 <= WIDTH and not self.remarks.between(line, last - 1)
        if fits or isinstance(item, Scalar) or not item.items:
            self.add(f"{head} {short}", last)
        elif head.rstrip().endswith("-") and isinstance(item, Mapping):
            self.mapping(item, indent, f"{head} ")
        else:
            self.add(head.rstrip(), line)
            self.block(item, indent)

    def before(self, line: int, indent: int, *, blank: bool) -> None:
        """Write the remarks that stand above a line, and one empty line where there was one."""
        for remark in self.remarks.above(line, indent):
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
