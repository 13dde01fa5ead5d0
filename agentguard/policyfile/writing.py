"""Single values as YAML text: plain where that is safe, in the author's quotes where not, folded where too long."""

from __future__ import annotations

import re

from agentguard.policyfile.node import Mapping, Node, Scalar

FOLD = 100

_UNSAFE_START = re.compile(r"[-?:,\[\]{}#&*!|>'\"%@`\s]")
_UNSAFE = re.compile(r"(: )|( #)|[\t\n\r]|:$|\s$|  ")
_FLOW = re.compile(r"[,\[\]{}]")


def one_line(scalar: Scalar, *, in_flow: bool) -> str:
    """Return a scalar on one line; quoted as its author did, unless another text or another place needs more."""
    if scalar.style in ("'", '"') and scalar.raw and "\n" not in scalar.raw:
        return scalar.raw
    if _is_plain(scalar.text, in_flow=in_flow) and scalar.style not in ("'", '"'):
        return scalar.text
    return quoted(scalar.text)


def quoted(text: str) -> str:
    """Return text in quotes: double ones, or single ones where it holds double ones."""
    if re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'"{escaped}"'
    if '"' in text or "\\" in text:
        return "'" + text.replace("'", "''") + "'"
    return f'"{text}"'


def _is_plain(text: str, *, in_flow: bool) -> bool:
    if not text or _UNSAFE_START.match(text) or _UNSAFE.search(text):
        return (
            text.startswith("-")
            and len(text) > 1
            and not text[1].isspace()
            and not _UNSAFE.search(text)
            and (not in_flow or not _FLOW.search(text))
        )
    return not in_flow or not _FLOW.search(text)


def flow_text(node: Node) -> str:
    """Return a node in brackets, on one line."""
    if isinstance(node, Scalar):
        return one_line(node, in_flow=True)
    if isinstance(node, Mapping):
        keys = {name: one_line(node.keys[name], in_flow=True) for name in node.items}
        return "{" + ", ".join(f"{keys[name]}: {flow_text(item)}".rstrip() for name, item in node.items.items()) + "}"
    return "[" + ", ".join(flow_text(item) for item in node.items) + "]"


def folded(scalar: Scalar, indent: int) -> list[str]:
    """Return a long text as the lines of a folded block; none where folding would change it."""
    text = scalar.text
    if text != " ".join(text.split()) or scalar.style in ("'", '"'):
        return []
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and len(line) + len(word) + 1 > FOLD:
            lines.append(" " * indent + line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, " " * indent + line]


def block_text(scalar: Scalar, indent: int) -> list[str]:
    """Return a block text with its lines at another indentation, its header first; none where it is no such text.

    Its header says where it ends, because the file may end before the text does. A text that ends in empty lines is
    none: they would be lost at the end of a file.
    """
    text = scalar.text.removesuffix("\n")
    if scalar.style not in ("|", ">") or not scalar.raw or not text.strip() or text.endswith("\n"):
        return []
    lines = text.split("\n") if scalar.style == "|" else _unindented(scalar.raw.rstrip("\n").split("\n")[1:])
    header = scalar.style + ("2" if text.lstrip("\n").startswith(" ") else "") + ("" if text != scalar.text else "-")
    return [header, *(" " * indent + line if line.strip() else "" for line in lines)]


def _unindented(lines: list[str]) -> list[str]:
    depth = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    return [line[depth:] for line in lines]
