"""Functions: what each takes, what it gives, and how its misuse is explained.

One entry in a table for each name of the language; what comes after a point is in `methods.py`, what they compute is in
`operations.py`.
"""

# mypy: disable-error-code="func-returns-value"
# A handler that reports a problem has no term to return, and says both in one line.

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Protocol, TypeAlias

from agentguard.core import money
from agentguard.core.language import terms, tree, types
from agentguard.core.language.notation import UNITS
from agentguard.core.language.presence import Paths, path_of
from agentguard.core.language.scope import Scope
from agentguard.core.language.suggest import did_you_mean
from agentguard.core.language.terms import Term
from agentguard.core.language.tree import Node
from agentguard.core.language.types import Type


class Checking(Protocol):
    """What the functions here need of the checker."""

    scope: Scope
    locals: dict[str, Type]

    def term(self, node: Node, known: Paths) -> Term | None:
        """Check a node."""

    def condition(self, node: Node, known: Paths) -> Term | None:
        """Check a node that must be yes or no."""

    def expected(self, term: Term, kind: Type) -> Term | None:
        """Check that a term has a type."""

    def resolve(self, node: tree.Name | tree.Member, known: Paths) -> Term | None:
        """Return what a dotted name means."""

    def same_type(self, operands: list[Term], where: str) -> list[Term] | None:
        """Check that operands can meet."""

    def joint_type(self, found: list[Term]) -> Type:
        """Return the one type of operands that can meet."""

    def converted(self, term: Term, currency: str) -> Term | None:
        """Read a number as money."""

    def problem(self, where: Term | Node, code: str, message: str) -> None:
        """Keep a problem."""


Handler: TypeAlias = Callable[[Checking, tree.Call, Paths], "Term | None"]

MACROS = ("all", "exists", "filter", "map")
TEXT_METHODS = ("startsWith", "endsWith", "contains")
_ADDABLE = (types.Integer, types.Decimal_, types.Money, types.Duration)
_ORDERED = (*_ADDABLE, types.Date, types.Time)
INSTEAD = {
    "len": "write `size(x)`",
    "count": "write `size(list.filter(i, ...))`",
    "any": "write `list.exists(i, ...)`",
    "some": "write `list.exists(i, ...)`",
    "every": "write `list.all(i, ...)`",
    "round": 'write `rounded(x, "half_up")`',
    "floor": 'write `rounded(x, "down")`',
    "ceil": 'write `rounded(x, "up")`',
    "now": "`now` is a value; write it without brackets",
    "today": "write `day_of(now)`",
    "duration": "write the duration as in `30 days`",
    "timestamp": 'write `time("2026-12-24T18:00:00+01:00")`',
    "datetime": 'write `time("2026-12-24T18:00:00+01:00")`',
    "exists": "write `has(x)` for a value, `list.exists(i, ...)` for a list",
    "defined": "write `has(x)`",
    "matches": "there are no regular expressions; write `x.contains(...)` or `x.startsWith(...)`",
    "months": "months differ in length; write days, as in `30 days`",
    "years": "years differ in length; write days, as in `365 days`",
    "money": "write `usd(50)`, or the number alone where the file has one currency",
    "abs": "write `x >= 0 and x <= n or x < 0 and x >= -n`",
}


def call(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    """Check `function(arguments)`."""
    name = node.function
    handler = FUNCTIONS.get(name)
    if handler is not None:
        return handler(checker, node, known)
    if name.upper() in money.EXPONENTS and name.islower():
        return _currency_literal(checker, node, known)
    if name in (*TEXT_METHODS, *MACROS):
        return checker.problem(node, "unknown_function", f"`{name}` comes after a point: `x.{name}(...)`")
    if name in checker.scope.tables:
        return checker.problem(node, "unknown_function", f"`{name}` is a table; its key stands in `[]`: `{name}[...]`")
    hint = f"; {INSTEAD[name]}" if name in INSTEAD else did_you_mean(name, [*FUNCTIONS, *TEXT_METHODS, *MACROS])
    return checker.problem(node, "unknown_function", f"there is no function `{name}`{hint}")


def taken(checker: Checking, node: tree.Call, known: Paths, count: int, usage: str) -> list[Term] | None:
    """Check that a call has so many arguments, and them."""
    if len(node.arguments) != count:
        word = "argument" if count == 1 else "arguments"
        return checker.problem(
            node, "arguments", f"`{node.function}` takes {count} {word}, as in `{usage}`, got {len(node.arguments)}"
        )
    found = [checker.term(argument, known) for argument in node.arguments]
    checked = [term for term in found if term is not None]
    return checked if len(checked) == count else None


def _literal(checker: Checking, node: tree.Call, usage: str) -> str | None:
    """Return the one text argument that must be written out."""
    if len(node.arguments) == 1 and isinstance(node.arguments[0], tree.TextLiteral):
        return node.arguments[0].value
    return checker.problem(node, "arguments", f"`{node.function}` takes one text in quotes, as in `{usage}`")


def _has(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    if len(node.arguments) != 1 or not isinstance(node.arguments[0], tree.Name | tree.Member):
        return checker.problem(
            node, "arguments", "`has` asks for one value by its name, as in `has(order.delivered_at)`"
        )
    found = checker.resolve(node.arguments[0], known)
    if found is None:
        return None
    if not isinstance(found, terms.Read | terms.Field) or path_of(found) is None:
        return checker.problem(
            node, "arguments", "`has` asks for a fact, argument, context value or field, nothing else"
        )
    return terms.Has(found, types.YES_NO, node.start, node.end)


def size(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    """Check `size(x)`."""
    arguments = taken(checker, node, known, 1, "size(order.items)")
    if arguments is None:
        return None
    if not isinstance(arguments[0].type, types.Text | types.OneOf | types.ListOf):
        return checker.problem(arguments[0], "wrong_type", f"`size` needs a list or a text, got {arguments[0].type}")
    return terms.Apply("size", tuple(arguments), types.INTEGER, node.start, node.end)


def _sum(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    arguments = taken(checker, node, known, 1, "sum(order.items.map(i, i.price))")
    if arguments is None:
        return None
    kind = arguments[0].type
    if not isinstance(kind, types.ListOf) or not isinstance(kind.item, _ADDABLE):
        hint = "; pick the field, as in `sum(list.map(i, i.price))`" if _is_records(kind) else ""
        return checker.problem(
            arguments[0], "wrong_type", f"`sum` needs a list of numbers, money or durations, got {kind}{hint}"
        )
    item = replace(kind.item, any_sign=True) if isinstance(kind.item, types.Money) else kind.item
    return terms.Apply("sum", tuple(arguments), item, node.start, node.end)


def _is_records(kind: Type) -> bool:
    return isinstance(kind, types.ListOf) and isinstance(kind.item, types.Record)


def _extreme(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    """Check `min` and `max`, of several values or of one list."""
    if not node.arguments:
        return checker.problem(node, "arguments", f"`{node.function}` takes several values or one list, got none")
    found = [checker.term(argument, known) for argument in node.arguments]
    checked = [term for term in found if term is not None]
    if len(checked) < len(found):
        return None
    kind: Type
    if len(checked) == 1:
        listed = checked[0].type
        if not isinstance(listed, types.ListOf):
            message = f"`{node.function}` takes several values or one list, got one {listed}"
            return checker.problem(checked[0], "wrong_type", message)
        kind = listed.item
    else:
        adopted = checker.same_type(checked, f"`{node.function}`")
        if adopted is None:
            return None
        checked, kind = adopted, checker.joint_type(adopted)
    if not isinstance(kind, _ORDERED):
        return checker.problem(
            node, "wrong_type", f"`{node.function}` needs numbers, money, dates or times, got {kind}"
        )
    return terms.Apply(node.function, tuple(checked), kind, node.start, node.end)


def _duration(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    arguments = taken(checker, node, known, 1, f"{node.function}(customer.notice)")
    if arguments is None:
        return None
    whole = checker.expected(arguments[0], types.INTEGER)
    return None if whole is None else terms.Apply(node.function, (whole,), types.DURATION, node.start, node.end)


def _day_of(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    arguments = taken(checker, node, known, 1, "day_of(now)")
    instant = None if arguments is None else checker.expected(arguments[0], types.TIME)
    return None if instant is None else terms.DayOf(instant, checker.scope.zone, types.DATE, node.start, node.end)


def _date(checker: Checking, node: tree.Call, _: Paths) -> Term | None:
    written = _literal(checker, node, 'date("2026-12-24")')
    if written is None:
        return None
    try:
        day = date.fromisoformat(written if len(written) == 10 else "")
    except ValueError:
        return checker.problem(
            node.arguments[0], "date", f'expected a day like `date("2026-12-24")`, got `{written[:40]}`'
        )
    return terms.Constant(day, types.DATE, node.start, node.end)


def _time(checker: Checking, node: tree.Call, _: Paths) -> Term | None:
    usage = 'time("2026-12-24T18:00:00+01:00")'
    written = _literal(checker, node, usage)
    if written is None:
        return None
    try:
        instant = datetime.fromisoformat(written if len(written) >= 16 else "")
        if instant.tzinfo is None:
            return checker.problem(node.arguments[0], "time", f"an instant needs its offset from UTC, as in `{usage}`")
        instant = instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return checker.problem(node.arguments[0], "time", f"expected an instant like `{usage}`, got `{written[:40]}`")
    return terms.Constant(instant, types.TIME, node.start, node.end)


def _during(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    arguments = taken(checker, node, known, 2, 'during(now, "opening_hours")')
    if arguments is None:
        return None
    instant, name = checker.expected(arguments[0], types.TIME), arguments[1]
    if not types.is_textual(name.type):
        return checker.problem(name, "wrong_type", f"the calendar's name must be text, got {name.type}")
    names = (str(name.value),) if isinstance(name, terms.Constant) else getattr(name.type, "values", ())
    for calendar in names:
        if calendar not in checker.scope.calendars:
            hint = did_you_mean(calendar, checker.scope.calendars)
            return checker.problem(name, "unknown_name", f"unknown calendar `{calendar}`{hint}")
    if not checker.scope.calendars:
        return checker.problem(name, "unknown_name", "this file has no `calendars`; declare one")
    if instant is None:
        return None
    scope = checker.scope
    return terms.During(instant, name, scope.calendars, scope.zone, types.YES_NO, node.start, node.end)


def _usage(checker: Checking, node: tree.Call, _: Paths) -> Term | None:
    """Check `used("limit")` and `held("limit")`."""
    short = _literal(checker, node, f'{node.function}("customer-30-days")')
    if short is None:
        return None
    found = checker.scope.limits.get(short)
    if found is None:
        hint = did_you_mean(short, checker.scope.limits)
        return checker.problem(node.arguments[0], "unknown_name", f"unknown limit `{short}`{hint}")
    qualified, kind = found
    if isinstance(kind, types.Money):
        kind = replace(kind, any_sign=True)
    return terms.Read(f"{node.function}:{qualified}", False, kind, node.start, node.end)


def _percent(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    arguments = taken(checker, node, known, 2, "percent(order.total, 10)")
    if arguments is None:
        return None
    of, share = arguments
    if not types.is_number(share.type):
        return checker.problem(
            share, "wrong_type", f"the share must be a number, as in `percent(x, 10)`, got {share.type}"
        )
    kind: Type = types.DECIMAL
    if isinstance(of.type, types.Money):
        kind = replace(of.type, any_sign=True, rounded=False)
    elif not types.is_number(of.type):
        return checker.problem(of, "wrong_type", f"`percent` needs money or a number, got {of.type}")
    return terms.Apply("percent", (of, share), kind, node.start, node.end)


def _rounded(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    arguments = taken(checker, node, known, 2, 'rounded(x, "half_up")')
    if arguments is None:
        return None
    of, mode = arguments
    if not isinstance(mode, terms.Constant) or mode.value not in money.ROUNDING:
        known_modes = ", ".join(f'`"{name}"`' for name in money.ROUNDING)
        return checker.problem(mode, "unknown_value", f"the way to round must be one of {known_modes}")
    kind: Type = types.INTEGER
    if isinstance(of.type, types.Money):
        kind = replace(of.type, rounded=True)
    elif not types.is_number(of.type):
        return checker.problem(of, "wrong_type", f"`rounded` needs money or a number, got {of.type}")
    return terms.Apply("rounded", (of, mode), kind, node.start, node.end)


def _currency(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    """Check `currency(amount)`: the code, to tell amounts apart in a file with several currencies."""
    arguments = taken(checker, node, known, 1, "currency(amount)")
    if arguments is None:
        return None
    kind = arguments[0].type
    if not isinstance(kind, types.Money):
        return checker.problem(arguments[0], "wrong_type", f"`currency` needs money, got {kind}")
    return terms.Apply("currency", tuple(arguments), types.OneOf(kind.currencies), node.start, node.end)


def _currency_literal(checker: Checking, node: tree.Call, known: Paths) -> Term | None:
    """Check `usd(50)`."""
    code = node.function.upper()
    if code not in checker.scope.currencies:
        shown = ", ".join(checker.scope.currencies) or "none"
        return checker.problem(node, "currency", f"{code} is not a currency of this file, which has {shown}")
    arguments = taken(checker, node, known, 1, f"{node.function}(50)")
    if arguments is None:
        return None
    if not types.is_number(arguments[0].type):
        return checker.problem(arguments[0], "wrong_type", f"`{node.function}` needs a number, got {arguments[0].type}")
    converted = checker.converted(arguments[0], code)
    return None if converted is None else replace(converted, start=node.start, end=node.end)


FUNCTIONS: dict[str, Handler] = {
    "has": _has,
    "size": size,
    "sum": _sum,
    "min": _extreme,
    "max": _extreme,
    **dict.fromkeys(UNITS, _duration),
    "day_of": _day_of,
    "date": _date,
    "time": _time,
    "during": _during,
    "used": _usage,
    "held": _usage,
    "percent": _percent,
    "rounded": _rounded,
    "currency": _currency,
}
"""Every function that is called by name, currencies aside."""
