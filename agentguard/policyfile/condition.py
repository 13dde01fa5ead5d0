"""Conditions as a policy file writes them: one text, a list (all of them), or `all:`, `any:` and `none:` blocks.

Every text is parsed and checked by itself and then joined, so that explanations quote what was written. An item of an
`all` may rest on `has(...)` in another item of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from agentguard.core.language import Expression, Scope, Type, YesNo, all_of, any_of, check, none_of, parse
from agentguard.core.language import Node as Tree
from agentguard.core.policy import Place
from agentguard.errors import LanguageError
from agentguard.policyfile import bounds
from agentguard.policyfile.node import Mapping, Node, Scalar
from agentguard.policyfile.node import Sequence as Listed
from agentguard.policyfile.problems import Problems, one_of, suggestion

BLOCKS: dict[str, Callable[[Sequence[Expression]], Expression]] = {"all": all_of, "any": any_of, "none": none_of}
"""The words that hold several conditions, with what joins them."""

MAX_BLOCKS = 8

Found: TypeAlias = list[tuple[Place, str, str, str]]
"""Place, code and message of problems, with the text from the place on."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text, parsed."""

    scalar: Scalar
    tree: Tree


@dataclass(frozen=True, slots=True)
class Block:
    """Several conditions under one of the words of `BLOCKS`."""

    kind: str
    items: tuple[Condition, ...]


Condition: TypeAlias = Text | Block


def read_condition(node: Node, problems: Problems, what: str) -> Condition | None:
    """Return a condition in any of the ways it may be written, or None after its problems were told."""
    condition = _read(node, problems, what, 0)
    if condition is not None and (count := len(texts_of(condition))) > bounds.CONDITIONS:
        message = f"{what}: expected at most {bounds.CONDITIONS} conditions together, got {count}"
        problems.add(node.place, "too_many", message)
        return None
    return condition


def read_text(scalar: Scalar, problems: Problems) -> Text | None:
    """Return the condition that one text is, or None after its problem was told."""
    try:
        tree = parse(scalar.text)
    except LanguageError as error:
        for offset, code, message in error.problems:
            if not scalar.style and scalar.comment is not None:
                cut = "the condition is cut by ` #`: put the whole condition in quotes"
                problems.add(scalar.at(len(scalar.text)), "comment_cuts_text", cut)
            elif not scalar.style and scalar.in_flow and offset >= len(scalar.text.rstrip()):
                hint = (
                    "between brackets YAML cuts at commas and quotes: put the condition in quotes, or on its own line"
                )
                problems.add(scalar.at(offset), "torn_apart", f"{message} ({hint})")
            else:
                problems.add(scalar.at(offset), code, message)
        return None
    if not scalar.style and scalar.comment is not None and not scalar.comment.lstrip().startswith(("# ", "#\t")):
        cut = "the condition is cut by ` #`: put it in quotes, or a blank after the `#` of a comment"
        problems.add(scalar.at(len(scalar.text)), "comment_cuts_text", cut)
        return None
    return Text(scalar, tree)


def check_condition(
    condition: Condition,
    scope: Scope,
    problems: Problems,
    expect: Type | None,
    given: Sequence[Expression] = (),
) -> Expression | None:
    """Return the checked expression, or None after its problems were told."""
    expression, found = checked(condition, scope, expect, given)
    for place, code, message, text in found:
        if not problems.follows(code, text):
            problems.add(place, code, _about_limit(text, problems) or message)
    return expression


def checked(
    condition: Condition, scope: Scope, expect: Type | None, given: Sequence[Expression] = ()
) -> tuple[Expression | None, Found]:
    """Return the checked expression and no problems, or None and what is wrong."""
    if isinstance(condition, Text):
        try:
            return check(condition.tree, scope, condition.scalar.text, expect, given), []
        except LanguageError as error:
            scalar = condition.scalar
            return None, [(scalar.at(at), code, message, scalar.text[at:]) for at, code, message in error.problems]
    results = [checked(item, scope, YesNo(), given) for item in condition.items]
    if condition.kind == "all":
        sound = [expression for expression, _ in results if expression is not None]
        for index, (expression, _) in enumerate(results):
            if expression is None:  # SPEC P10.3: it may rest on what the others ask with `has`
                results[index] = checked(condition.items[index], scope, YesNo(), [*given, *sound])
    found = [problem for _, problems in results for problem in problems]
    expressions = [expression for expression, _ in results if expression is not None]
    if len(expressions) < len(results):
        return None, found
    return BLOCKS[condition.kind](expressions), found


def _about_limit(text: str, problems: Problems) -> str | None:
    """Return why a limit that there is cannot be read here, if a problem is about one."""
    name = next((name for name in sorted(problems.limits) if text.startswith((f'"{name}"', f"'{name}'"))), None)
    if name is None:
        return None
    return f"limit `{name}` cannot be read here: it is not for all of these actions, or this is part of a limit itself"


def texts_of(condition: Condition) -> list[Text]:
    """Return every single text of a condition, in the order written."""
    if isinstance(condition, Text):
        return [condition]
    return [text for item in condition.items for text in texts_of(item)]


def _read(node: Node, problems: Problems, what: str, depth: int) -> Condition | None:
    if depth > MAX_BLOCKS:
        problems.add(node.place, "nested_too_deep", f"{what}: expected at most {MAX_BLOCKS} blocks inside each other")
        return None
    if isinstance(node, Scalar):
        if node.text.strip():
            return read_text(node, problems)
        problems.add(node.place, "wrong_shape", f"{what} must be a condition, got nothing: write one or remove the key")
        return None
    if isinstance(node, Listed):
        return _block("all", node, problems, what, depth)
    return _blocks(node, problems, what, depth)


def _blocks(node: Mapping, problems: Problems, what: str, depth: int) -> Condition | None:
    """Return a mapping with `all`, `any` and `none`; all of its blocks must hold."""
    blocks: list[Condition | None] = []
    if not node.items:
        problems.add(node.place, "wrong_shape", f"{what} must be a condition, got an empty mapping")
        return None
    for name, item in node.items.items():
        if name in BLOCKS:
            listed = item if isinstance(item, Listed) else Listed([item], item.place)
            blocks.append(_block(name, listed, problems, what, depth + 1))
        else:
            quote = ": put the condition in quotes" if node.flow else f": expected {one_of(BLOCKS)}"
            message = f"{what}: unknown key `{name}`{suggestion(name, BLOCKS) or quote}"
            problems.add(node.keys[name].place, "unknown_key", message)
            blocks.append(None)
    sound = tuple(block for block in blocks if block is not None)
    if len(sound) < len(blocks):
        return None
    return sound[0] if len(sound) == 1 else Block("all", sound)


def _block(kind: str, node: Listed, problems: Problems, what: str, depth: int) -> Condition | None:
    """Return a list of conditions."""
    if node.place in problems.torn:
        return None
    if not node.items:
        problems.add(node.place, "wrong_shape", f"{what}: expected at least one condition in the list, got none")
        return None
    items = [_read(item, problems, what, depth + 1) for item in node.items]
    sound = tuple(item for item in items if item is not None)
    return Block(kind, sound) if len(sound) == len(items) else None
