"""Which types go together: comparisons, arithmetic, bare numbers beside money, keys of tables.

The part of the checker that looks at terms only, not at the written tree.
"""

# mypy: disable-error-code="func-returns-value"
# A problem leaves no term to return, and one line says both.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from agentguard.core import money
from agentguard.core.language import terms, types
from agentguard.core.language.scope import Scope
from agentguard.core.language.suggest import did_you_mean
from agentguard.core.language.table import Entries, Table, key_text
from agentguard.core.language.terms import Term
from agentguard.core.language.tree import Node
from agentguard.core.language.types import Type, Value
from agentguard.errors import MoneyError

_ORDERED = (types.Integer, types.Decimal_, types.Money, types.Date, types.Time, types.Duration)


class Operands:
    """Checks terms against each other; every problem is kept, and a term that is None has had its problem reported."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.problems: list[tuple[int, str, str]] = []

    def problem(self, where: Term | Node, code: str, message: str) -> None:
        """Keep a problem at the place of a node or term."""
        self.problems.append((where.start, code, message))

    def expected(self, term: Term, kind: Type) -> Term | None:
        """Return a term as the type that is needed there, or report that it is another (SPEC L3.3)."""
        if isinstance(kind, types.Money) and types.is_number(term.type) and is_bare(term):
            return self.as_money(term, kind)
        if types.fits(term.type, kind):
            return term
        if isinstance(kind, types.OneOf) and isinstance(term, terms.Constant) and types.is_textual(term.type):
            return term if self.possible(term, kind) else None
        if isinstance(kind, types.YesNo):
            self.problem(
                term, "wrong_type", f"expected a condition (yes or no), got {term.type}; compare it with something"
            )
        elif (
            isinstance(kind, types.Money)
            and isinstance(term.type, types.Money)
            and kind.rounded
            and not term.type.rounded
        ):
            self.problem(
                term, "unrounded", 'this amount may have parts of a cent; write `rounded(..., "half_up")` around it'
            )
        elif isinstance(kind, types.Money) and isinstance(term.type, types.Money):
            wanted, got = " or ".join(kind.currencies), " or ".join(term.type.currencies)
            self.problem(term, "currency", f"expected an amount in {wanted}, got one in {got}")
        else:
            self.problem(term, "wrong_type", f"expected {kind}, got {term.type}")
        return None

    def compared(self, operator: str, left: Term, right: Term, start: int, end: int) -> Term | None:
        """Check `left operator right` (SPEC L4.1, L4.2)."""
        pair = self.same_type([left, right], f"`{operator}`")
        if pair is None:
            return None
        left, right = pair
        if isinstance(left.type, types.Record | types.ListOf):
            return self.problem(left, "wrong_type", f"`{operator}` does not compare {left.type}; compare its parts")
        if operator not in {"==", "!="} and not isinstance(left.type, _ORDERED):
            return self.problem(
                left, "wrong_type", f"`{operator}` needs numbers, money, dates or times, got {left.type}"
            )
        return terms.Compare(operator, left, right, types.YES_NO, start, end)

    def membership(self, item: Term, items: Term, start: int, end: int) -> Term | None:
        """Check `item in items` (SPEC L4.3)."""
        listed = items.type
        if not isinstance(listed, types.ListOf):
            if types.is_textual(items.type):
                return self.problem(
                    items, "wrong_type", "`in` needs a list; for a part of a text write `text.contains(part)`"
                )
            return self.problem(items, "wrong_type", f'`in` needs a list such as `["a", "b"]`, got {items.type}')
        if isinstance(items, terms.Items):
            adopted = self.same_type([item, *items.items], "`in`")
            if adopted is None:
                return None
            item, items = (
                adopted[0],
                replace(items, items=tuple(adopted[1:]), type=types.ListOf(self.joint_type(adopted[1:]))),
            )
        else:
            sample = terms.Local("item", listed.item, items.start, items.end)
            pair = self.same_type([item, sample], "`in`")
            if pair is None:
                return None
            item = pair[0]
        if isinstance(item.type, types.Record | types.ListOf):
            return self.problem(item, "wrong_type", f"`in` does not compare {item.type}; use `.exists(i, ...)`")
        return terms.In(item, items, types.YES_NO, start, end)

    def same_type(self, operands: Sequence[Term], where: str) -> list[Term] | None:
        """Return operands that can meet: bare numbers beside money become money (SPEC L4.5)."""
        amounts = [term.type for term in operands if isinstance(term.type, types.Money)]
        found: list[Term] = []
        for term in operands:
            if amounts and types.is_number(term.type) and is_bare(term):
                adopted = self.as_money(term, amounts[0])
                if adopted is None:
                    return None
                found.append(adopted)
            else:
                found.append(term)
        first = found[0]
        for other in found[1:]:
            if not self.meets(first, other, where):
                return None
        joint = self.joint_type(found)
        if isinstance(joint, types.Money) and not joint.currencies:
            return self.problem(first, "currency", f"the amounts of {where} share no currency; convert them first")
        return found

    def meets(self, first: Term, other: Term, where: str) -> bool:
        """Return whether two terms may be compared; report why not."""
        left, right = first.type, other.type
        if isinstance(left, types.Money) and isinstance(right, types.Money):
            if not set(left.currencies) & set(right.currencies):
                shown = f"{'/'.join(left.currencies)} and {'/'.join(right.currencies)}"
                self.problem(other, "currency", f"{shown} never compare or add; convert one of them first")
                return False
            return True
        if types.is_textual(left) and types.is_textual(right):
            return self.possible(first, right) and self.possible(other, left)
        if (types.is_number(left) and types.is_number(right)) or left == right:
            return True
        self.problem(
            other,
            "wrong_type",
            f"{where} needs two of the same type, got {left} and {right}{_conversion(first, other)}",
        )
        return False

    def possible(self, term: Term, kind: Type) -> bool:
        """Return whether a textual term can be a value of an enumeration; report if never."""
        if not isinstance(kind, types.OneOf):
            return True
        if isinstance(term, terms.Constant):
            if term.value in kind.values:
                return True
            hint = did_you_mean(str(term.value), kind.values) or f"; it is one of {', '.join(kind.values[:12])}"
            self.problem(term, "unknown_value", f"`{term.value}` is not one of the values{hint}")
            return False
        if isinstance(term.type, types.OneOf) and not set(term.type.values) & set(kind.values):
            self.problem(term, "unknown_value", f"these can never be equal: {term.type} and {kind}")
            return False
        return True

    def joint_type(self, found: Sequence[Term]) -> Type:
        """Return the one type of operands that can meet."""
        first = found[0].type
        if isinstance(first, types.Money):
            amounts = [term.type for term in found if isinstance(term.type, types.Money)]
            common = tuple(code for code in first.currencies if all(code in amount.currencies for amount in amounts))
            return types.Money(common, any_sign=True, rounded=all(amount.rounded for amount in amounts))
        if types.is_number(first):
            return types.DECIMAL if any(term.type == types.DECIMAL for term in found) else types.INTEGER
        if types.is_textual(first):
            return first if all(term.type == first for term in found) else types.TEXT
        return first

    def as_money(self, term: Term, beside: types.Money) -> Term | None:
        """Return a bare number as money of the only currency it can mean (SPEC L4.5)."""
        if len(beside.currencies) != 1 or len(self.scope.currencies) > 1:
            codes = self.scope.currencies or beside.currencies
            shown = " or ".join(f"`{code.lower()}(...)`" for code in codes)
            return self.problem(term, "currency", f"this file has several currencies; say which one, as in {shown}")
        return self.converted(term, beside.currencies[0])

    def converted(self, term: Term, currency: str) -> Term | None:
        """Return a number as an amount of major units of a currency."""
        kind = types.Money((currency,), any_sign=True)
        try:
            if isinstance(term, terms.Constant) and not isinstance(term.value, bool | money.Money):
                return replace(term, value=money.Money.of(_exact(term.value), currency), type=kind)
            if isinstance(term, terms.Lookup):
                for leaf in _leaves(term.table.entries):
                    money.minor_units(_exact(leaf), currency)
        except MoneyError as error:
            return self.problem(term, "money", str(error))
        return terms.AsMoney(term, currency, kind, term.start, term.end)

    def arithmetic(self, operator: str, left: Term, right: Term, start: int, end: int) -> Term | None:
        """Check `+`, `-` or `*` (SPEC L4.4)."""
        if operator != "*" and (isinstance(left.type, types.Money) or isinstance(right.type, types.Money)):
            pair = self.same_type([left, right], f"`{operator}`")
            if pair is None:
                return None
            return terms.Arithmetic(operator, pair[0], pair[1], self.joint_type(pair), start, end)
        kind = _product(left, right) if operator == "*" else _sum(operator, left.type, right.type)
        if kind is None:
            hint = _arithmetic_hint(operator, left.type, right.type)
            return self.problem(left, "wrong_type", f"`{operator}` does not go with {left.type} and {right.type}{hint}")
        return terms.Arithmetic(operator, left, right, kind, start, end)

    def negated(self, term: Term, start: int, end: int) -> Term | None:
        """Check `-x`; a written number takes its sign at once."""
        if isinstance(term, terms.Constant) and types.is_number(term.type) and isinstance(term.value, int | Decimal):
            return replace(term, value=-term.value, start=start)
        if types.is_number(term.type) or isinstance(term.type, types.Duration):
            return terms.Negate(term, term.type, start, end)
        if isinstance(term.type, types.Money):
            return terms.Negate(term, replace(term.type, any_sign=True), start, end)
        return self.problem(term, "wrong_type", f"`-` needs a number, money or a duration, got {term.type}")

    def covered(self, table: Table, keys: Sequence[Term]) -> bool:
        """Report every value of an enumeration that a table indexed by it lacks (SPEC L4.9)."""
        missing = sorted(set(_missing(table.entries, list(keys))))
        if missing:
            shown = ", ".join(f"`{name}`" for name in missing[:6])
            self.problem(keys[0], "table_incomplete", f"the table `{table.name}` has no entry for {shown}; add it")
        return not missing


def is_bare(term: Term) -> bool:
    """Return whether a number was written in the file, so that it may stand for money."""
    match term:
        case terms.Constant() | terms.Lookup():
            return types.is_number(term.type)
        case terms.Negate(of):
            return is_bare(of)
        case terms.Arithmetic(_, left, right):
            return is_bare(left) and is_bare(right)
        case terms.Part(expression):
            return is_bare(expression.tree)
        case terms.Apply("min" | "max", arguments):
            return all(is_bare(argument) for argument in arguments)
        case _:
            return False


def _exact(value: object) -> int | Decimal:
    assert isinstance(value, int | Decimal)  # noqa: S101 - only written numbers come here
    return value


def _leaves(entries: Entries) -> list[Value]:
    found: list[Value] = []
    for inner in entries.values():
        found.extend(_leaves(inner) if isinstance(inner, Mapping) else [inner])
    return found


def _missing(entries: Entries | Value, keys: list[Term]) -> list[str]:
    """Return the keys that could be asked for and are not there."""
    if not keys or not isinstance(entries, Mapping):
        return []
    key = keys[0]
    if isinstance(key, terms.Constant):
        wanted: tuple[str, ...] = (key_text(key.value),)
    elif isinstance(key.type, types.OneOf):
        wanted = key.type.values
    elif isinstance(key.type, types.YesNo):
        wanted = ("yes", "no")
    else:
        wanted = tuple(entries)
    found: list[str] = []
    for name in wanted:
        found.extend(_missing(entries[name], keys[1:]) if name in entries else [name])
    return found


def _sum(operator: str, left: Type, right: Type) -> Type | None:
    """Return the type of `left + right` or `left - right`, money aside."""
    if types.is_number(left) and types.is_number(right):
        return types.INTEGER if left == right == types.INTEGER else types.DECIMAL
    match left, right:
        case types.Duration(), types.Duration():
            return types.DURATION
        case ((types.Time() | types.Date()), types.Duration()):
            return left
        case types.Duration(), (types.Time() | types.Date()) if operator == "+":
            return right
        case ((types.Time() | types.Date()), _) if left == right and operator == "-":
            return types.DURATION
        case _:
            return None


def _product(left: Term, right: Term) -> Type | None:
    """Return the type of `left * right`; money times a decimal may have parts of a minor unit."""
    for amount, factor in ((left.type, right.type), (right.type, left.type)):
        if isinstance(amount, types.Money) and types.is_number(factor):
            return replace(amount, any_sign=True, rounded=amount.rounded and factor == types.INTEGER)
        if isinstance(amount, types.Duration) and isinstance(factor, types.Integer):
            return types.DURATION
    if types.is_number(left.type) and types.is_number(right.type):
        return types.INTEGER if left.type == right.type == types.INTEGER else types.DECIMAL
    return None


def _arithmetic_hint(operator: str, left: Type, right: Type) -> str:
    kinds = {type(left), type(right)}
    if kinds & {types.Time, types.Date, types.Duration} and kinds & {types.Integer, types.Decimal_}:
        return "; write a duration with its unit, as in `30 days`"
    if kinds == {types.Time, types.Date}:
        return "; write `day_of(...)` to make a time a date"
    if operator == "+" and kinds & {types.Text, types.OneOf}:
        return "; texts cannot be joined"
    return ""


def _conversion(first: Term, other: Term) -> str:
    """Return how two terms of different types could be made to meet."""
    kinds = {type(first.type), type(other.type)}
    text = next(
        (term for term in (first, other) if isinstance(term, terms.Constant) and isinstance(term.value, str)), None
    )
    if kinds == {types.Time, types.Date}:
        return "; write `day_of(...)` to make a time a date"
    if kinds & {types.Time} and kinds & {types.Integer, types.Decimal_}:
        return "; compare it with a time, such as `now - 30 days`"
    if kinds & {types.Duration} and kinds & {types.Integer, types.Decimal_}:
        return "; write the unit, as in `30 days`"
    if text is not None and types.YesNo in kinds:
        return "; yes and no stand without quotes"
    if text is not None and types.Date in kinds:
        return '; write `date("2026-12-24")`'
    if text is not None and types.Time in kinds:
        return '; write `time("2026-12-24T18:00:00+01:00")`'
    if text is not None and kinds & {types.Integer, types.Decimal_, types.Money}:
        return "; a number stands without quotes"
    if types.Money in kinds and kinds & {types.Integer, types.Decimal_}:
        return "; only written numbers count as money, so declare the other as money too"
    return ""
