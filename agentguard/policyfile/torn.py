"""Finds conditions and types that YAML cut into pieces at commas between brackets, before anybody reads the pieces.

`[size(a, b), c]` is three texts to YAML, and `{total: money, any sign}` has a key `any sign`. One message for each such
place; the pieces are taken out, so that they are not reported again.
"""

from __future__ import annotations

from agentguard.policyfile.node import Mapping, Node, Scalar, Sequence, shortened
from agentguard.policyfile.problems import Problems

_PAIRS = {")": "(", "]": "["}
_FIX = "put the whole text in quotes, or on a line of its own"


def mended(node: Node, problems: Problems) -> Node:
    """Return a tree without the torn pieces; each place that was torn is a problem."""
    if isinstance(node, Sequence):
        items = _whole_items(node, problems) if node.flow else node.items
        return Sequence([mended(item, problems) for item in items], node.place, node.flow)
    if isinstance(node, Mapping):
        names = _whole_keys(node, problems) if node.flow else list(node.items)
        return Mapping({name: mended(node.items[name], problems) for name in names}, node.keys, node.place, node.flow)
    return node


def _whole_items(node: Sequence, problems: Problems) -> list[Node]:
    kept: list[Node] = []
    torn = False
    for item in node.items:
        if torn:
            torn = not _closes(item)
        elif _is_open(item):
            torn = True
            _report(item, node, problems)
        else:
            kept.append(item)
    return kept


def _whole_keys(node: Mapping, problems: Problems) -> list[str]:
    kept: list[str] = []
    torn = False
    for name, item in node.items.items():
        key = node.keys[name]
        bare = isinstance(item, Scalar) and not item.text and not item.style and not key.style
        if torn:
            torn = not (_closes(key) or _closes(item))
        elif _is_open(item):
            torn = True
            _report(item, node, problems)
        elif bare and kept:
            message = f"YAML cut the text before `{shortened(name)}`, at the comma: {_FIX}"
            problems.torn.add(node.place)
            problems.add(key.place, "torn_apart", message)
            kept.pop()
        else:
            kept.append(name)
    return kept


def _report(item: Node, around: Node, problems: Problems) -> None:
    problems.torn.add(around.place)
    text = shortened(item.text) if isinstance(item, Scalar) else ""
    problems.add(item.place, "torn_apart", f"YAML cut the text after `{text}`, at the comma: {_FIX}")


def _is_open(node: Node) -> bool:
    """Return whether a bracket or double quote of a plain text is not closed in it."""
    if not isinstance(node, Scalar) or node.style:
        return False
    waiting: list[str] = []
    in_text = False
    for character in node.text:
        if character == '"':
            in_text = not in_text
        elif not in_text and character in "([":
            waiting.append(character)
        elif not in_text and character in _PAIRS and waiting and waiting[-1] == _PAIRS[character]:
            waiting.pop()
    return in_text or bool(waiting)


def _closes(node: Node) -> bool:
    """Return whether a piece ends what an earlier one opened."""
    if not isinstance(node, Scalar):
        return False
    return any(character in node.text for character in ')]"')
