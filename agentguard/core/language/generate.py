"""How a checked term becomes Python source.

Money of one currency is computed as plain minor units, so most comparisons are comparisons of two integers. Nothing a
user wrote is pasted into the source: written values stand in a table of constants, names become `v0`, `v1`, ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from agentguard.core.language import operations, terms, types
from agentguard.core.language.table import key_text
from agentguard.core.language.terms import Term
from agentguard.core.language.types import UNKNOWN, Type
from agentguard.core.money import EXACT, round_number
from agentguard.errors import EvaluationError


class _Absent:
    """A value that is not there: whatever the generated code does with it, but for `is`, raises."""

    __slots__ = ()

    def _refuse(self, *_: object) -> Any:
        raise EvaluationError("missing", "an absent value was read")

    __eq__ = __ne__ = __bool__ = __str__ = __len__ = __contains__ = __iter__ = __getitem__ = _refuse
    __hash__ = _refuse


ABSENT: Final = _Absent()


def _solid(value: Any) -> Any:
    """Return a value that is there, or raise."""
    if value is ABSENT:
        raise EvaluationError("missing", "an absent value was read")
    return value


def _minor(amount: Any, currency: str) -> Any:
    """Return the minor units of an amount of this currency, or raise."""
    if amount.currency != currency:
        raise EvaluationError("currency", "an amount of another currency than declared")
    return amount.minor


SUPPORT: dict[str, Any] = {
    "ABSENT": ABSENT,
    "UNKNOWN": UNKNOWN,
    "add": EXACT.add,
    "arithmetic": operations.arithmetic,
    "as_minor": operations.as_minor,
    "box": operations.box,
    "compare": operations.compare,
    "day_of": operations.day_of,
    "duration": operations.duration,
    "during": operations.during,
    "extreme": operations.extreme,
    "is_in": operations.is_in,
    "key_text": key_text,
    "minor": _minor,
    "minus": EXACT.minus,
    "multiply": EXACT.multiply,
    "negate": operations.negate,
    "percent": operations.percent,
    "round_number": round_number,
    "rounded": operations.rounded,
    "solid": _solid,
    "subtract": EXACT.subtract,
    "total": operations.total,
    "__builtins__": {
        "all": all,
        "any": any,
        "len": len,
        "max": max,
        "min": min,
        "sum": sum,
        "tuple": tuple,
        "Exception": Exception,
    },
}


class Generator:
    """Makes the source of one function: what it reads, its constants, and the code of terms."""

    def __init__(self) -> None:
        self.reads: dict[str, str] = {}
        self.currencies: dict[str, str] = {}
        self.flags: set[str] = set()
        self.constants: dict[str, Any] = {}
        self.locals: dict[str, str] = {}
        self.made = 0

    def source(self, body: list[str]) -> str:
        """Return the text of a function of the environment; `slow` answers where values are not what they should be."""
        lines = ["def generated(environment):"]
        if self.reads:
            lines += ["    get = environment.get", "    try:"]
            lines += [
                f"        {variable} = get({self.constant(name)}, ABSENT)" for name, variable in self.reads.items()
            ]
            doubts = [f"{variable} is UNKNOWN or {variable} is None" for variable in self.reads.values()]
            doubts += [
                f"({variable} is not ABSENT and {variable}.currency != {self.constant(currency)})"
                for variable, currency in self.currencies.items()
            ]
            doubts += [
                f"({variable} is not True and {variable} is not False and {variable} is not ABSENT)"
                for variable in sorted(self.flags)
            ]
            lines += [f"        if {' or '.join(doubts)}:", "            return slow(environment)"]
            lines += ["    except Exception:", "        return slow(environment)"]
        lines += [f"    {line}" for line in body]
        return "\n".join(lines)

    def root(self, term: Term, place: int) -> str:
        """Return lines that put a condition's answer into `r<place>`; `w<place>` is its walker."""
        lines = ["try:", f"    r{place} = {self.code(term)}"]
        if not _is_plain(term):
            lines += [
                f"    if r{place} is not True and r{place} is not False:",
                f"        r{place} = w{place}(environment)",
            ]
        return "\n".join([*lines, "except Exception:", f"    r{place} = w{place}(environment)"])

    def constant(self, value: Any) -> str:
        """Return the name of a constant; small plain ones are written out."""
        if value is True or value is False or (type(value) is int and value >= 0):
            return repr(value)
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def boxed(self, term: Term) -> str:
        """Return code for a term's value as the walker gives it: money as money, nothing absent."""
        currency = _only_currency(term.type)
        match term:
            case terms.Part(expression):
                return self.boxed(expression.tree)
            case terms.Constant(value):
                return self.constant(value)
            case terms.Read():
                return f"solid({self.variable(term)})"
            case terms.Local() | terms.Field() | terms.Lookup():
                return self.raw(term)
            case terms.Apply("min" | "max" | "sum", (items,)) if currency is not None:
                return self.over_list(term, items)
            case _:
                code = self.code(term)
                if isinstance(term.type, types.YesNo) and not _is_plain(term):
                    return f"solid({code})"
                return code if currency is None else f"box({code}, {self.constant(currency)})"

    def code(self, term: Term) -> str:
        """Return code for a term: money of one currency as minor units, everything else as the walker gives it."""
        currency = _only_currency(term.type)
        match term:
            case terms.Part(expression):
                return self.code(expression.tree)
            case terms.Constant(value):
                return self.constant(value if currency is None else value.minor)  # type: ignore[union-attr]
            case terms.Read():
                variable = self.variable(term)
                return variable if currency is None else f"{variable}.minor"
            case terms.Local() | terms.Field() | terms.Lookup():
                raw = self.raw(term)
                return raw if currency is None else f"minor({raw}, {self.constant(currency)})"
            case terms.Apply("min" | "max" | "sum", (items,)) if currency is not None:
                return f"{self.over_list(term, items)}.minor"
            case terms.AsMoney(of, code):
                return f"as_minor({self.code(of)}, {self.constant(code)})"
            case _:
                return _WRITERS[type(term)](self, term)

    def variable(self, term: terms.Read) -> str:
        """Return the variable that holds a value of the environment."""
        variable = self.reads.setdefault(term.name, f"v{len(self.reads)}")
        currency = _only_currency(term.type)
        if currency is not None:
            self.currencies[variable] = currency
        if isinstance(term.type, types.YesNo):
            self.flags.add(variable)
        return variable

    def raw(self, term: terms.Local | terms.Field | terms.Lookup) -> str:
        """Return code for something held inside a list, record or table, money as money."""
        if isinstance(term, terms.Local):
            return self.locals[term.name]
        if isinstance(term, terms.Field):
            return f"{self.code(term.of)}[{self.constant(term.name)}]"
        keys = [
            f"[{self.code(key)}]" if types.is_textual(key.type) else f"[key_text({self.boxed(key)})]"
            for key in term.keys
        ]
        return self.constant(term.table.entries) + "".join(keys)

    def has(self, term: terms.Has) -> str:
        """Return code for `has`."""
        if isinstance(term.of, terms.Field):
            return f"({self.constant(term.of.name)} in {self.boxed(term.of.of)})"
        return f"({self.variable(term.of)} is not ABSENT)"

    def junction(self, term: terms.And | terms.Or) -> str:
        """Return code for `and` or `or`; what is asked with `has` comes first, which changes no answer (SPEC L6.4)."""
        word = " and " if isinstance(term, terms.And) else " or "
        items = sorted(term.items, key=lambda item: not _is_presence(item))
        return f"({word.join(self.code(item) for item in items)})"

    def compared(self, term: terms.Compare) -> str:
        """Return code for a comparison."""
        if _is_mixed(term.left.type, term.right.type):
            return f"compare({self.constant(term.operator)}, {self.boxed(term.left)}, {self.boxed(term.right)})"
        return f"({self.code(term.left)} {term.operator} {self.code(term.right)})"

    def member(self, term: terms.In) -> str:
        """Return code for `in`; a list of written values is a set."""
        if isinstance(term.items, terms.Items) and not isinstance(term.item.type, types.Money):
            values = frozenset(item.value for item in term.items.items if isinstance(item, terms.Constant))
            if all(isinstance(item, terms.Constant) for item in term.items.items):
                return f"({self.code(term.item)} in {self.constant(values)})"
        return f"is_in({self.boxed(term.item)}, {self.boxed(term.items)})"

    def arithmetic(self, term: terms.Arithmetic) -> str:
        """Return code for `+`, `-`, `*`; whole numbers and minor units are plain Python."""
        left, right, symbol = term.left, term.right, term.operator
        if _is_whole(term.type) and (symbol == "*" or not _is_mixed(left.type, right.type)):
            return f"({self.code(left)} {symbol} {self.code(right)})"
        if _only_currency(term.type) is not None and symbol != "*" and _is_mixed(left.type, right.type):
            boxed = f"arithmetic({self.constant(symbol)}, {self.boxed(left)}, {self.boxed(right)})"
            return f"minor({boxed}, {self.constant(_only_currency(term.type))})"
        if types.is_number(term.type) or _only_currency(term.type) is not None:
            function = {"+": "add", "-": "subtract", "*": "multiply"}[symbol]
            return f"{function}({self.code(left)}, {self.code(right)})"
        return f"arithmetic({self.constant(symbol)}, {self.boxed(left)}, {self.boxed(right)})"

    def negated(self, term: terms.Negate) -> str:
        """Return code for `-x`."""
        if _is_whole(term.type):
            return f"(-{self.code(term.of)})"
        if types.is_number(term.type) or _only_currency(term.type) is not None:
            return f"negate({self.code(term.of)})"
        return f"negate({self.boxed(term.of)})"

    def items(self, term: terms.Items) -> str:
        """Return code for a written list."""
        return f"({', '.join(self.boxed(item) for item in term.items)},)"

    def macro(self, term: terms.Macro) -> str:
        """Return code for a macro."""
        over = self.boxed(term.over)
        item = f"x{self.made}"
        self.made += 1
        outer = self.locals
        self.locals = {**outer, term.variable: item}
        body = self.boxed(term.body) if term.kind == "map" else self.code(term.body)
        self.locals = outer
        match term.kind:
            case "map":
                return f"tuple([{body} for {item} in {over}])"
            case "filter":
                return f"tuple([{item} for {item} in {over} if {body}])"
            case kind:
                return f"{'all' if kind == 'all' else 'any'}([{body} for {item} in {over}])"

    def over_list(self, term: terms.Apply, items: Term) -> str:
        """Return code for `sum`, `min` or `max` of a list, money as money."""
        if term.function == "sum":
            return f"total({self.boxed(items)}, {self.constant(term.type)})"
        return f"extreme({self.constant(term.function)}, {self.boxed(items)})"

    def applied(self, term: terms.Apply) -> str:
        """Return code for a function."""
        function, arguments = term.function, term.arguments
        single = _only_currency(term.type) is not None or types.is_number(term.type)
        match function:
            case "size":
                return f"len({self.code(arguments[0])})"
            case "sum" | "min" | "max" if len(arguments) == 1:
                return self.over_list(term, arguments[0])
            case "min" | "max" if single and not any(_is_mixed(term.type, item.type) for item in arguments):
                return f"{function}({', '.join(self.code(item) for item in arguments)})"
            case "min" | "max":
                listed = ", ".join(self.boxed(item) for item in arguments)
                code = f"extreme({self.constant(function)}, ({listed},))"
                currency = _only_currency(term.type)
                return code if currency is None else f"minor({code}, {self.constant(currency)})"
            case "percent" if single:
                return f"percent({self.code(arguments[0])}, {self.code(arguments[1])})"
            case "rounded" if single:
                return f"round_number({self.code(arguments[0])}, {self.code(arguments[1])})"
            case "percent" | "rounded":
                return f"{function}({self.boxed(arguments[0])}, {self.code(arguments[1])})"
            case "currency":
                return f"{self.boxed(arguments[0])}.currency"
            case "startsWith" | "endsWith":
                return f"{self.boxed(arguments[0])}.{function.lower()}({self.boxed(arguments[1])})"
            case "contains":
                return f"({self.boxed(arguments[1])} in {self.boxed(arguments[0])})"
            case unit:
                return f"duration({self.constant(unit)}, {self.boxed(arguments[0])})"


_WRITERS: dict[type, Callable[[Generator, Any], str]] = {
    terms.Has: Generator.has,
    terms.Not: lambda generator, term: f"(not {generator.code(term.of)})",
    terms.And: Generator.junction,
    terms.Or: Generator.junction,
    terms.Compare: Generator.compared,
    terms.In: Generator.member,
    terms.Arithmetic: Generator.arithmetic,
    terms.Negate: Generator.negated,
    terms.Items: Generator.items,
    terms.Macro: Generator.macro,
    terms.Apply: Generator.applied,
    terms.DayOf: lambda generator, term: f"day_of({generator.boxed(term.of)}, {generator.constant(term.zone)})",
    terms.During: lambda generator, term: (
        f"during({generator.constant(term.calendars)}, {generator.boxed(term.calendar)}, "
        f"{generator.boxed(term.of)}, {generator.constant(term.zone)})"
    ),
}


def _only_currency(kind: Type) -> str | None:
    """Return the currency whose minor units stand for a value of this type, if there is just one."""
    return kind.currencies[0] if isinstance(kind, types.Money) and len(kind.currencies) == 1 else None


def _is_mixed(left: Type, right: Type) -> bool:
    """Return whether two types are money that is only known at run time to be of one currency."""
    both = isinstance(left, types.Money) and isinstance(right, types.Money)
    return both and (_only_currency(left) is None or _only_currency(left) != _only_currency(right))


def _is_whole(kind: Type) -> bool:
    """Return whether values of a type are Python integers in the generated code."""
    return isinstance(kind, types.Integer) or (
        isinstance(kind, types.Money) and kind.rounded and _only_currency(kind) is not None
    )


def _is_presence(term: Term) -> bool:
    return isinstance(term, terms.Has) or (isinstance(term, terms.Not) and isinstance(term.of, terms.Has))


def _is_plain(term: Term) -> bool:
    """Return whether code for a condition can only give True or False."""
    match term:
        case terms.Compare() | terms.In() | terms.Has() | terms.Not() | terms.During() | terms.Constant():
            return True
        case terms.Macro() | terms.Apply():
            return True
        case terms.And(items) | terms.Or(items):
            return all(_is_plain(item) for item in items)
        case terms.Part(expression):
            return _is_plain(expression.tree)
        case _:
            return False
