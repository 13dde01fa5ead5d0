"""Text to a tree of nodes: strict YAML without implicit types, tags, anchors, second documents or double keys.

ruamel.yaml finds the pieces; whatever it says comes out as a problem with line and column. Nothing here knows what a
policy is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from agentguard.core.policy import Place
from agentguard.errors import PolicyError, Problem
from agentguard.policyfile import bounds
from agentguard.policyfile.node import Mapping, Node, Scalar, Sequence, shortened
from agentguard.policyfile.problems import Problems

# C0 and C1 controls, and the line breaks that YAML 1.1 and editors disagree about; tab and line feed are seen later
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_COMMENT = re.compile(r"[ \t]+#[^\n]*")
_STOP = ("tag", "anchor", "key_not_text", "swallowed_list", "several_documents", "directive")
"""Problems after which the pieces of a file are not what its author meant; nothing more is said about them."""
_BEHIND_VALUES = re.compile(r'\s*[\w.-]+: +(\[[^\[\]"]*\])( *[?,][^"#]*)(?:#.*)?')
"""A list of values between brackets with what belongs to it behind them, as in `[a, b]?`."""

_KEPT = re.compile(r"character '(.)'")


def decode(data: bytes, file: str) -> str:
    """Return a file's bytes as text.

    Raises:
        PolicyError: It is too large, not UTF-8, or starts with a byte-order mark.
    """
    if len(data) > bounds.FILE_BYTES:
        size = f"expected at most {bounds.FILE_BYTES:,} bytes, got more"
        raise PolicyError([Problem(file, 0, 0, "file_too_large", f"{size}: split it into several files")])
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise PolicyError(
            [Problem(file, 1, 1, "byte_order_mark", "expected plain UTF-8: save it without a byte-order mark")]
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        line, column = before.count("\n") + 1, error.start - before.rfind("\n")
        column = len(before) - before.rfind("\n")
        message = f"expected UTF-8, got the byte {data[error.start]:#04x}: save the file as UTF-8"
        raise PolicyError([Problem(file, line, column, "unreadable", message)]) from None


def read(text: str, problems: Problems) -> Mapping | None:
    """Return the mapping that a file is, or None when it cannot be read; what is wrong goes to `problems`."""
    start = Place(problems.file, 1, 1)
    if len(text) > bounds.FILE_BYTES or len(text.encode("utf-8", errors="replace")) > bounds.FILE_BYTES:
        size = f"expected at most {bounds.FILE_BYTES:,} bytes, got more"
        problems.add(Place(problems.file, 0, 0), "file_too_large", f"{size}: split it into several files")
        return None
    text = text.replace("\r\n", "\n")
    if text.startswith("\ufeff"):
        problems.add(start, "byte_order_mark", "expected plain UTF-8: save it without a byte-order mark")
        return None
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        place = Place(problems.file, line, control.start() - text.rfind("\n", 0, control.start()))
        problems.add(
            place,
            "control_character",
            f"expected text, got the control character {ord(control.group()):#04x}: remove it",
        )
        return None
    try:
        root = _Reader(text, problems).document()
    except _TooLargeError:
        return None
    except MarkedYAMLError as error:
        _add_syntax_problem(error, text, problems)
        return None
    except (YAMLError, ValueError, IndexError, AttributeError, AssertionError, RecursionError) as error:
        # ruamel's scanner lets some of its own errors out on hostile text; none of them may pass for a good file
        problems.add(
            start, "not_yaml", f"expected YAML, and the reader gave up: {shortened(str(error)) or 'broken text'}"
        )
        return None
    if any(problem.code in _STOP for problem in problems.sorted()):
        return None
    if root is None:
        if not problems:
            problems.add(start, "file_empty", "expected a file that begins with `agentguard: 1`, got an empty one")
        return None
    if not isinstance(root, Mapping):
        problems.add(
            root.place,
            "wrong_shape",
            "expected `key: value` lines, got " + ("a list" if isinstance(root, Sequence) else "a text"),
        )
        return None
    return root


class _TooLargeError(YAMLError):
    """Stops the reading at a bound."""


class _Reader:
    """One pass over the events of a text."""

    def __init__(self, text: str, problems: Problems) -> None:
        self.text = text
        self.count = 0
        self.problems = problems
        self.events: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(text))

    def document(self) -> Node | None:
        """Return the only document's node."""
        root: Node | None = None
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    self.problems.add(
                        self.place(event),
                        "several_documents",
                        "expected one document in a file, got another `---`: use two files",
                    )
                    return None
                if event.version or event.tags:
                    line = self.text.count("\n", 0, self.text.index("%")) + 1
                    place = Place(self.problems.file, line, 1)
                    self.problems.add(place, "directive", "expected no `%` line at the start: remove it")
                root = self.node(next(self.events), 0, in_flow=False)
        if isinstance(root, Scalar) and not root.text and not root.style:
            return None
        return root

    def place(self, event: Any) -> Place:
        """Return where an event begins."""
        return Place(self.problems.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def node(self, event: Any, depth: int, *, in_flow: bool) -> Node:
        """Read one value, with what is in it."""
        place = self.place(event)
        if depth > bounds.NESTING:
            self.problems.add(
                place, "nested_too_deep", f"expected at most {bounds.NESTING} levels, got more: make it flatter"
            )
            raise _TooLargeError
        self.count += 1
        if self.count > bounds.NODES:
            message = f"expected at most {bounds.NODES:,} values in a file, got more: split it into several files"
            self.problems.add(place, "too_many", message)
            raise _TooLargeError
        self.refuse_marks(event, place)
        if isinstance(event, AliasEvent):
            return Scalar("", place)
        if isinstance(event, ScalarEvent):
            return self.scalar(event, place, in_flow=in_flow)
        flow = bool(event.flow_style)
        if isinstance(event, SequenceStartEvent):
            items = []
            for item in self.events:
                if isinstance(item, SequenceEndEvent):
                    break
                items.append(self.node(item, depth + 1, in_flow=flow))
            return Sequence(items, place, flow)
        return self.mapping(place, depth, flow=flow)

    def mapping(self, place: Place, depth: int, *, flow: bool) -> Mapping:
        """Read a mapping to its end."""
        items: dict[str, Node] = {}
        keys: dict[str, Scalar] = {}
        for event in self.events:
            if isinstance(event, MappingEndEvent):
                break
            key = self.node(event, depth + 1, in_flow=flow)
            value = self.node(next(self.events), depth + 1, in_flow=flow)
            if isinstance(key, Scalar) and isinstance(value, Scalar) and not value.text and not value.style:
                value = replace(value, place=_behind(key))
            if not isinstance(key, Scalar):
                self.problems.add(
                    key.place, "key_not_text", "expected a text as key, got brackets: put the whole text in quotes"
                )
            elif key.text in keys:
                first = keys[key.text].place.line
                self.problems.add(
                    key.place,
                    "duplicate_key",
                    f"key `{shortened(key.text)}` is already on line {first}: remove one of the two",
                )
            else:
                items[key.text], keys[key.text] = value, key
        return Mapping(items, keys, place, flow)

    def refuse_marks(self, event: Any, place: Place) -> None:
        """Report a tag, an anchor or an alias."""
        tag = getattr(event, "tag", None)
        if tag is not None:
            written = _word(self.text, event.start_mark.index)
            fix = f"write `not {written[1:]}…`" if re.match(r"![A-Za-z_]", written) else "put the text in quotes"
            self.problems.add(place, "tag", f"expected a value, got the YAML tag `{written}`: {fix}")
        if getattr(event, "anchor", None) is not None:
            written = _word(self.text, event.start_mark.index)
            what = "alias" if isinstance(event, AliasEvent) else "anchor"
            message = f"expected a value, got the YAML {what} `{written}`: write the value out, or put it in quotes"
            self.problems.add(place, "anchor", message)

    def scalar(self, event: Any, place: Place, *, in_flow: bool) -> Scalar:
        """Read a scalar as the text that was written."""
        start, end = event.start_mark.index, event.end_mark.index
        style = event.style or ""
        if event.tag is not None or event.anchor is not None:
            style = "tagged"  # already refused; its places do not matter any more
        raw = self.text[start:end]
        if not style:
            raw = raw.rstrip()
            self.refuse_swallowed_list(raw, place)
        comment = _COMMENT.match(self.text, start + len(raw)) if style not in ("|", ">") else None
        return Scalar(
            event.value, place, "" if style == "tagged" else style, raw, comment.group() if comment else None, in_flow
        )

    def refuse_swallowed_list(self, raw: str, place: Place) -> None:
        """Report a list that YAML takes for the rest of a text."""
        for number, line in enumerate(raw.split("\n")[1:], start=1):
            stripped = line.lstrip()
            if stripped.startswith("- "):
                there = Place(place.file, place.line + number, len(line) - len(stripped) + 1)
                message = (
                    "expected the text above to end, got `- `: put the whole list on lines of their own, or use quotes"
                )
                self.problems.add(there, "swallowed_list", message)


def _behind(key: Scalar) -> Place:
    """Return the place behind a key and its colon, where its value is missing."""
    return Place(key.place.file, key.place.line, key.place.column + len(key.raw) + 1)


def _word(text: str, index: int) -> str:
    """Return the characters from an index up to the next blank or bracket, for a message."""
    match = re.compile(r"[^\s,\[\]{}]*").match(text, index)
    return shortened(match.group()) if match else ""


def _add_syntax_problem(error: MarkedYAMLError, text: str, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    code, message = _syntax_message(error, text, mark.index if mark is not None else 0)
    begins_earlier = "quoted scalar" in (error.context or "") and "end of stream" in (error.problem or "")
    if (begins_earlier or "while scanning a simple key" in (error.context or "")) and error.context_mark:
        line, column = error.context_mark.line + 1, error.context_mark.column + 1
    problems.add(Place(problems.file, line, column), code, message)


def _syntax_message(error: MarkedYAMLError, text: str, index: int) -> tuple[str, str]:
    """Say in our words what ruamel found, and what to do about it."""
    problem, context = error.problem or "", error.context or ""
    found = _KEPT.search(problem)
    quote = "put the whole text in quotes, or on a line of its own"
    if "'\\t'" in problem or text[index : index + 1] == "\t":
        return "tab", "expected blanks, got a tab: indent with blanks"
    if "cannot start any token" in problem and found:
        return "not_yaml", f"expected a value, got `{found.group(1)}`, which YAML keeps for itself: {quote}"
    if behind := _BEHIND_VALUES.fullmatch(text[text.rfind("\n", 0, index) + 1 :].partition("\n")[0]):
        values, more = behind[1], behind[2].rstrip()
        return (
            "not_yaml",
            f'expected nothing behind the `]`, got `{shortened(more)}`: write all of it in quotes, `"{values}{more}"`',
        )
    if "mapping values are not allowed" in problem:
        return (
            "not_yaml",
            "expected one value, got another `:`: put the text in quotes, or check the indentation of this line",
        )
    if "flow sequence" in context or "flow mapping" in context:
        got = shortened(text[index : index + 1]) or "the end of the line"
        return (
            "torn_apart",
            f"expected `,` or the closing bracket, got `{got}`: put each condition in quotes, or on a line of its own",
        )
    if "quoted scalar" in context and ("end of stream" in problem or "document separator" in problem):
        return "not_yaml", "expected the closing quote, got the end of the file: close the quote"
    if "unknown escape character" in problem:
        return "not_yaml", f"expected an escape that YAML knows, got `\\{text[index : index + 1]}`: use single quotes"
    if (
        "<scalar>" in problem
        and "block mapping" in context
        and text[max(index - 2, 0) : index].strip()[-1:] in {"'", '"'}
    ):
        return (
            "not_yaml",
            "expected the line to end after the closing quote, got more text: put the whole text in the other quotes",
        )
    if "block mapping" in context or "block collection" in context:
        return "not_yaml", "expected a key at the same indentation as those above: check how far this line is indented"
    if "while scanning a simple key" in context:
        return "not_yaml", "expected `:` and a blank after the key: write `key: value`"
    return "not_yaml", f"expected YAML, got something else: {shortened(problem or context)}"
