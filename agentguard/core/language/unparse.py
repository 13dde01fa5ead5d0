"""Conditions as canonical text: `and`, `or`, `not`, one space, brackets only where they are needed.

Reading the text again gives the same tree. A checked expression is written with its names written out.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from agentguard.core.language import terms, tree
from agentguard.core.language.terms import Term
from agentguard.core.language.tree import Node
from agentguard.core.money import Money

_OR, _AND, _NOT, _COMPARE, _ADD, _MULTIPLY, _UNARY, _POSTFIX = range(8)


def unparse(node: Node | Term) -> str:
    """Return the canonical text of a written tree or of a checked one."""
    return _write(node, 0)


def _write(node: Node | Term, binding: int) -> str:
    """Write a node, in brackets if it binds less than its place needs."""
    text, own = _text(node)
    return f"({text})" if own < binding else text


def _text(node: Node | Term) -> tuple[str, int]:
    """Return a node's text and how tightly it binds."""
    match node:
        case tree.Or(items) | terms.Or(items):
            return " or ".join(_write(item, _AND) for item in items), _OR
        case tree.And(items) | terms.And(items):
            return " and ".join(_write(item, _NOT) for item in items), _AND
        case tree.Not(of) | terms.Not(of):
            return f"not {_write(of, _NOT)}", _NOT
        case tree.Compare(operator, left, right) | terms.Compare(operator, left, right):
            return f"{_write(left, _ADD)} {operator} {_write(right, _ADD)}", _COMPARE
        case terms.In(item, items):
            return f"{_write(item, _ADD)} in {_write(items, _ADD)}", _COMPARE
        case tree.Arithmetic("*", left, right) | terms.Arithmetic("*", left, right):
            return f"{_write(left, _MULTIPLY)} * {_write(right, _UNARY)}", _MULTIPLY
        case tree.Arithmetic(operator, left, right) | terms.Arithmetic(operator, left, right):
            return f"{_write(left, _ADD)} {operator} {_write(right, _MULTIPLY)}", _ADD
        case tree.Negate(of) | terms.Negate(of):
            return f"-{_write(of, _UNARY)}", _UNARY
        case terms.Part(expression):
            return _text(expression.tree)
        case terms.Constant(value):
            return _constant(value)
        case _:
            return _operand(node), _POSTFIX


def _operand(node: Node | Term) -> str:  # noqa: C901, PLR0912 - one case for each kind of node
    """Return the text of a node that never needs brackets."""
    match node:
        case tree.TextLiteral(value):
            return quoted(value)
        case tree.NumberLiteral(value):
            return f"{value:f}" if isinstance(value, Decimal) else str(value)
        case tree.YesNoLiteral(value):
            return "yes" if value else "no"
        case tree.DurationLiteral(count, unit):
            return f"{count} {unit[:-1] if count == 1 else unit}"
        case tree.ListLiteral(items) | terms.Items(items):
            return f"[{_listed(items)}]"
        case tree.Name(name) | terms.Local(name):
            return name
        case terms.Read(name):
            kind, _, qualified = name.partition(":")
            return f"{kind}({quoted(qualified.rpartition('/')[2])})" if qualified else name
        case tree.Member(of, name) | terms.Field(of, name):
            return f"{_write(of, _POSTFIX)}.{name}"
        case tree.Index(of, key):
            return f"{_write(of, _POSTFIX)}[{_write(key, 0)}]"
        case tree.Call(function, arguments):
            return f"{function}({_listed(arguments)})"
        case tree.MethodCall(of, method, arguments):
            return f"{_write(of, _POSTFIX)}.{method}({_listed(arguments)})"
        case terms.Has(of):
            return f"has({_write(of, 0)})"
        case terms.Lookup(table, keys):
            return table.name + "".join(f"[{_write(key, 0)}]" for key in keys)
        case terms.Macro(kind, over, variable, body):
            return f"{_write(over, _POSTFIX)}.{kind}({variable}, {_write(body, 0)})"
        case terms.Apply("startsWith" | "endsWith" | "contains" as method, (of, part)):
            return f"{_write(of, _POSTFIX)}.{method}({_write(part, 0)})"
        case terms.Apply(function, arguments):
            return f"{function}({_listed(arguments)})"
        case terms.AsMoney(of, currency):
            return f"{currency.lower()}({_write(of, 0)})"
        case terms.DayOf(of):
            return f"day_of({_write(of, 0)})"
        case terms.During(of, calendar):
            return f"during({_write(of, 0)}, {_write(calendar, 0)})"
        case _:
            raise AssertionError(f"nobody writes a {type(node).__name__}")


def _listed(items: tuple[Node, ...] | tuple[Term, ...]) -> str:
    return ", ".join(_write(item, 0) for item in items)


def _constant(value: object) -> tuple[str, int]:
    """Return the text of a written value, and how tightly it binds: a negative one like `-`."""
    match value:
        case bool():
            return ("yes" if value else "no"), _POSTFIX
        case str():
            return quoted(value), _POSTFIX
        case int() | Decimal():
            return f"{value:f}" if isinstance(value, Decimal) else str(value), _UNARY if value < 0 else _POSTFIX
        case Money():
            amount = value.amount
            return f"{value.currency.lower()}({amount:f})", _POSTFIX
        case datetime():
            return f'time("{value.isoformat()}")', _POSTFIX
        case date():
            return f'date("{value.isoformat()}")', _POSTFIX
        case timedelta():
            return _duration(value), _POSTFIX
        case _:
            raise AssertionError(f"nobody writes a {type(value).__name__}")


def _duration(value: timedelta) -> str:
    seconds = value // timedelta(seconds=1)
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def quoted(text: str) -> str:
    """Return text in quotes, so that reading it gives the same text; what has no escape stands as it is."""
    parts = []
    for character in text:
        if character in {'"', "\\"}:
            parts.append("\\" + character)
        elif character.isprintable() or character > "\uffff":
            parts.append(character)
        else:
            parts.append(f"\\u{ord(character):04x}")
    return f'"{"".join(parts)}"'
