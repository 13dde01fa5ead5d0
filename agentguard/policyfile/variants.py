"""A condition with one small thing changed: a comparison, a threshold by one step, an item left out, and for or."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from agentguard.core.language import Date, Money, Node, Type, tree, unparse
from agentguard.core.language.notation import UNITS
from agentguard.core.money import EXPONENTS

FLIPPED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
OTHER_MACRO = {"all": "exists", "exists": "all"}
OTHER_SIGN = {"+": "-", "-": "+"}
BODIED = ("all", "exists", "filter")
"""The methods of which the second argument is itself a condition."""

Kinds = Mapping[tuple[int, int], Type]
"""By start and end in the text: the types of what is written there."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One changed condition.

    Attributes:
        start: Where in the text the change is.
        was, now: What is written there, and what would be instead; `now` is empty where it is left out.
    """

    tree: Node
    start: int
    was: str
    now: str


def variants(node: Node, kinds: Kinds, *, is_condition: bool) -> Iterator[Variant]:
    """Yield every small change of an expression; some of them may be none that a policy can say.

    Args:
        node: The expression as it was written.
        kinds: The types of the values written in it.
        is_condition: It is yes or no, and no number or amount.
    """
    for changed in _here(node, kinds, is_condition=is_condition):
        yield Variant(changed, node.start, unparse(node), unparse(changed))
    if isinstance(node, tree.And | tree.Or):
        for index, item in enumerate(node.items):
            rest = (*node.items[:index], *node.items[index + 1 :])
            left = rest[0] if len(rest) == 1 else replace(node, items=rest)
            yield Variant(left, item.start, unparse(item), "")
    for name, place, child, asks in _below(node):
        of_money = _of(node, kinds)
        inner = {**kinds, (child.start, child.end): of_money} if isinstance(of_money, Money) else kinds
        for variant in variants(child, inner, is_condition=asks):
            changed = _with(node, name, place, variant.tree)
            told = (variant.was, variant.now)
            if isinstance(node, tree.Compare):  # a number by itself says little
                told = (unparse(node), unparse(changed))
            yield Variant(changed, variant.start, *told)


def _here(node: Node, kinds: Kinds, *, is_condition: bool) -> Iterator[Node]:
    """Yield what could stand in place of a node, without looking below it."""
    match node:
        case tree.Compare(operator="in"):
            yield tree.Not(node, node.start, node.end)
        case tree.Compare(operator):
            yield replace(node, operator=FLIPPED[operator])
        case tree.And(items, start, end):
            yield tree.Or(items, start, end)
        case tree.Or(items, start, end):
            yield tree.And(items, start, end)
        case tree.Not(of):
            yield of
        case tree.Arithmetic(operator) if operator in OTHER_SIGN:
            yield replace(node, operator=OTHER_SIGN[operator])
        case tree.NumberLiteral(value):
            step = _step(value, kinds.get((node.start, node.end)))
            yield from (replace(node, value=value + signed) for signed in (-step, step) if value + signed >= 0)
        case tree.DurationLiteral(count, unit):
            seconds = count * UNITS[unit]
            yield from (replace(node, count=other, unit="seconds") for other in (seconds - 1, seconds + 1))
        case tree.Call("date", (tree.TextLiteral(text) as written,)) if isinstance(_of(node, kinds), Date):
            for days in (-1, 1):
                day = (date.fromisoformat(text) + timedelta(days=days)).isoformat()
                yield replace(node, arguments=(replace(written, value=day),))
        case tree.YesNoLiteral(value):
            yield replace(node, value=not value)
        case _ if is_condition:
            yield tree.Not(node, node.start, node.end)
    if isinstance(node, tree.MethodCall) and node.method in OTHER_MACRO:
        yield replace(node, method=OTHER_MACRO[node.method])


def _of(node: Node, kinds: Kinds) -> Type | None:
    return kinds.get((node.start, node.end))


def _step(value: int | Decimal, kind: Type | None) -> int | Decimal:
    """Return the least by which a written number can differ: a minor unit, a last digit, or one."""
    if isinstance(kind, Money):
        digits = min(EXPONENTS[code] for code in kind.currencies)
        return Decimal(1).scaleb(-digits) if digits else 1
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    return Decimal(1).scaleb(exponent) if isinstance(exponent, int) and exponent < 0 else 1


def _below(node: Node) -> Iterator[tuple[str, int | None, Any, bool]]:
    """Yield the nodes directly below one: under which field, at which place of it, and whether it is a condition."""
    for field in fields(node):
        value = getattr(node, field.name)
        asks = isinstance(node, tree.And | tree.Or)  # what `not` turns is turned by leaving it out
        if isinstance(value, tuple):
            for place, item in enumerate(value):
                is_body = isinstance(node, tree.MethodCall) and node.method in BODIED and place == 1
                yield field.name, place, item, asks or is_body
        elif isinstance(value, Node):
            yield field.name, None, value, asks


def _with(node: Node, name: str, place: int | None, child: Node) -> Node:
    """Return a node with another one in one place below it."""
    below: Any = child
    if place is not None:
        items = getattr(node, name)
        below = (*items[:place], child, *items[place + 1 :])
    return replace(node, **{name: below})
