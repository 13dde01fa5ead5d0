"""The tree walker: the definition of what a checked expression means, errors included (SPEC L6).

Slow and plain. The generated code must agree with it, and asks it whenever anything goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentguard.core.language import operations, terms
from agentguard.core.language.table import key_text
from agentguard.core.language.terms import Expression, Term
from agentguard.core.language.types import UNKNOWN, Environment, Value
from agentguard.errors import EvaluationError, MoneyError

_MISSING = object()


def evaluate(expression: Expression, environment: Environment) -> Value:
    """Return the value of an expression.

    Raises:
        EvaluationError: It has none here; `name` says which value could not be read, if that was it.
    """
    value: Value = Walker(environment).value(expression.tree)
    return value


class Walker:
    """One evaluation: an environment, the variables of macros around, and the steps spent so far."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.locals: dict[str, Any] = {}
        self.steps = 0

    def value(self, term: Term) -> Any:
        """Return the value of a term, or raise EvaluationError with its place."""
        try:
            return _RULES[type(term)](self, term)
        except EvaluationError as error:
            if error.end:
                raise
            raise EvaluationError(error.reason, str(error), error.name, term.start, term.end) from error
        except (TypeError, AttributeError, ValueError, LookupError, ArithmeticError, MoneyError) as error:
            message = f"a value does not have the type it was declared with ({type(error).__name__})"
            raise EvaluationError("ill_typed", message, None, term.start, term.end) from error
        except RecursionError as error:
            raise EvaluationError("bound", "the condition nests too deep", None, term.start, term.end) from error

    def charge(self, items: Any) -> Any:
        """Return a list after charging one step for each of its items."""
        self.steps += len(items)
        if self.steps > operations.MAX_STEPS:
            raise EvaluationError(
                "bound", f"the condition takes more than {operations.MAX_STEPS:,} steps on these lists"
            )
        return items

    def read(self, term: terms.Read) -> Any:
        """Read the environment; absent and unknown are different errors (SPEC L6.1)."""
        value = self.looked_up(term.name)
        if value is _MISSING:
            raise EvaluationError("missing", f"`{term.name}` is missing", term.name)
        return value

    def looked_up(self, name: str) -> Any:
        """Return what the environment says of a name; None is no value of the language."""
        value = self.environment.get(name, _MISSING)
        if value is UNKNOWN:
            raise EvaluationError("unknown", f"`{name}` could not be looked up", name)
        if value is None:
            raise EvaluationError("ill_typed", f"`{name}` is None; what is absent must be left out", name)
        return value

    def has(self, term: terms.Has) -> bool:
        """Return whether an optional value is there; nobody knows that of a failed lookup (SPEC L6.2)."""
        if isinstance(term.of, terms.Field):
            return term.of.name in self.value(term.of.of)
        return self.looked_up(term.of.name) is not _MISSING

    def field(self, term: terms.Field) -> Any:
        """Read a field of a record."""
        record = self.value(term.of)
        if term.name not in record:
            raise EvaluationError("missing", f"the field `{term.name}` is missing", term.name)
        return record[term.name]

    def truth(self, term: Term) -> bool:
        """Return yes or no; nothing else is taken for one."""
        value = self.value(term)
        if value is not True and value is not False:
            raise EvaluationError(
                "ill_typed", f"expected yes or no, got {type(value).__name__}", None, term.start, term.end
            )
        return value

    def junction(self, term: terms.And | terms.Or) -> bool:
        """Evaluate `and` or `or`; the deciding answer outweighs errors on either side (SPEC L6.4)."""
        deciding = isinstance(term, terms.Or)
        first_error: EvaluationError | None = None
        for item in term.items:
            try:
                if self.truth(item) is deciding:
                    return deciding
            except EvaluationError as error:
                first_error = first_error or error
        if first_error is not None:
            raise first_error
        return not deciding

    def macro(self, term: terms.Macro) -> Any:
        """Evaluate a macro; `all` and `exists` absorb errors like `and` and `or` (SPEC L6.5)."""
        items = self.charge(self.value(term.over))
        if term.kind == "map":
            return tuple(self.with_item(term, item, self.value) for item in items)
        if term.kind == "filter":
            return tuple(item for item in items if self.with_item(term, item, self.truth))
        deciding = term.kind == "exists"
        first_error: EvaluationError | None = None
        for item in items:
            try:
                if self.with_item(term, item, self.truth) is deciding:
                    return deciding
            except EvaluationError as error:
                first_error = first_error or error
        if first_error is not None:
            raise first_error
        return not deciding

    def with_item(self, term: terms.Macro, item: Any, read: Callable[[Term], Any]) -> Any:
        """Evaluate a macro's body for one item; a name in the body may use the same variable for itself."""
        outer = self.locals
        self.locals = {**outer, term.variable: item}
        try:
            return read(term.body)
        finally:
            self.locals = outer

    def member(self, term: terms.In) -> bool:
        """Evaluate `item in items`."""
        item, items = self.value(term.item), self.value(term.items)
        if not isinstance(term.items, terms.Items):
            self.charge(items)
        return operations.is_in(item, items)

    def lookup(self, term: terms.Lookup) -> Any:
        """Look up a table's entry; one that is not there is an error."""
        keys = tuple(key_text(self.value(key)) for key in term.keys)
        found = term.table.get(keys)
        if found is None:
            shown = "][".join(key[:40] for key in keys)
            raise EvaluationError("missing", f"the table has no entry `{term.table.name}[{shown}]`", term.table.name)
        return found

    def apply(self, term: terms.Apply) -> Any:
        """Apply a function to its arguments."""
        values = [self.value(argument) for argument in term.arguments]
        match term.function, values:
            case "size", [items]:
                return len(items)
            case "sum", [items]:
                return operations.total(self.charge(items), term.type)
            case "min" | "max" as function, [items]:
                return operations.extreme(function, self.charge(items))
            case "min" | "max" as function, items:
                return operations.extreme(function, items)
            case "percent", [value, share]:
                return operations.percent(value, share)
            case "rounded", [value, mode]:
                return operations.rounded(value, mode)
            case "currency", [amount]:
                return amount.currency
            case "startsWith", [text, part]:
                return text.startswith(part)
            case "endsWith", [text, part]:
                return text.endswith(part)
            case "contains", [text, part]:
                return part in text
            case unit, [count]:
                return operations.duration(unit, count)
            case function, _:
                raise AssertionError(f"the checker made a function `{function}` that nobody evaluates")


_RULES: dict[type, Callable[[Walker, Any], Any]] = {
    terms.Constant: lambda _, term: term.value,
    terms.Read: Walker.read,
    terms.Local: lambda walker, term: walker.locals[term.name],
    terms.Field: Walker.field,
    terms.Has: Walker.has,
    terms.Not: lambda walker, term: not walker.truth(term.of),
    terms.And: Walker.junction,
    terms.Or: Walker.junction,
    terms.Compare: lambda walker, term: operations.compare(
        term.operator, walker.value(term.left), walker.value(term.right)
    ),
    terms.In: Walker.member,
    terms.Arithmetic: lambda walker, term: operations.arithmetic(
        term.operator, walker.value(term.left), walker.value(term.right)
    ),
    terms.Negate: lambda walker, term: operations.negate(walker.value(term.of)),
    terms.Items: lambda walker, term: tuple(walker.value(item) for item in term.items),
    terms.Lookup: Walker.lookup,
    terms.Macro: Walker.macro,
    terms.Apply: Walker.apply,
    terms.AsMoney: lambda walker, term: operations.box(
        operations.as_minor(walker.value(term.of), term.currency), term.currency
    ),
    terms.DayOf: lambda walker, term: operations.day_of(walker.value(term.of), term.zone),
    terms.During: lambda walker, term: operations.during(
        term.calendars, walker.value(term.calendar), walker.value(term.of), term.zone
    ),
    terms.Part: lambda walker, term: walker.value(term.expression.tree),
}
