"""Checked expressions in plain English: one sentence for each comparison, one noun for each value.

Expressions of another shape never read the same: what belongs together stands in brackets wherever words alone would
leave it open. Names that the file explains (`names`) stay terms of their own, “in window”.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agentguard.core.english.clause import Clause, Group, grouped
from agentguard.core.english.names import IT, NOW, Noun, defined, field_noun, read_noun
from agentguard.core.english.values import list_words, value_words
from agentguard.core.language import Date, Duration, Expression, Term, Time, Type, YesNo, terms
from agentguard.core.language.terms import below

Show = Callable[[Term], str]
"""Gives the value that one side of a comparison had, `75.00 USD`, or nothing."""

_NOTHING: Show = lambda _: ""  # noqa: E731 - a constant of this type
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

_MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

_AMOUNTS = {"<": "is less than", "<=": "is at most", ">": "is more than", ">=": "is at least"}
_MOMENTS = {"<": "is before", "<=": "is no later than", ">": "is after", ">=": "is no earlier than"}
_EQUAL = {"==": "is", "!=": "is not"}
_TEXTS = {
    "startsWith": ("starts with", "does not start with"),
    "endsWith": ("ends with", "does not end with"),
    "contains": ("contains", "does not contain"),
}
_ROUNDED = {
    "half_up": "rounded to the nearest, halves away from zero",
    "half_even": "rounded to the nearest, halves to the even one",
    "up": "rounded up, away from zero",
    "down": "rounded down, towards zero",
}
_UNITS = {"days", "hours", "minutes", "seconds", "weeks"}
_OPEN, _SUM, _PRODUCT, _SIGNED, _NOUN = range(5)
"""How tightly a noun holds together; what is open runs on to the right."""


def condition(expression: Expression) -> Clause:
    """Return what a condition asks for."""
    return Speaker().clause(expression.tree)


def condition_words(expression: Expression) -> str:
    """Return what a condition asks for, on one line."""
    return str(condition(expression))


def noun_words(expression: Expression) -> str:
    """Return what an expression is called that is no condition: `the order's total`."""
    return Speaker().noun(expression.tree)


def compares(operator: str, kind: Type) -> str:
    """Return the words between the two sides of a comparison of values of one type."""
    if operator in _EQUAL:
        return _EQUAL[operator]
    return (_MOMENTS if isinstance(kind, Time | Date) else _AMOUNTS)[operator]


class Speaker:
    """Says terms; `variables` are what the items of the lists around are called."""

    def __init__(self, variables: dict[str, str] | None = None) -> None:
        self._variables = variables or {}

    def clause(self, term: Term, *, holds: bool = True, show: Show = _NOTHING) -> Clause:
        """Return what it takes for a condition to hold, or not to.

        Args:
            term: The condition.
            holds: False for the opposite.
            show: The values to tell, where it is one sentence.
        """
        match term:
            case terms.Part(expression, None):
                return self.clause(expression.tree, holds=holds, show=show)
            case terms.Not(of):
                return self.clause(of, holds=not holds, show=show)
            case terms.And(items) | terms.Or(items):
                group = Group.ALL if isinstance(term, terms.And) else Group.ANY
                return grouped(group if holds else group.opposite, tuple(self.clause(item) for item in items))
            case terms.Has(of):
                noun = self.noun(of)
                return Clause(f"{noun} is {'known' if holds else 'not known'}", subject=noun)
            case (
                terms.Compare(_, terms.Constant(), left) | terms.Compare(_, left) | terms.In(left) | terms.During(left)
            ):
                return Clause(self._sentence(term, show, holds=holds), subject=self.noun(left))
            case _:
                subject = self.noun(term) if isinstance(term, terms.Read | terms.Field) else ""
                return Clause(self._sentence(term, show, holds=holds), subject=subject)

    def _sentence(self, term: Term, show: Show, *, holds: bool) -> str:
        """Return a condition that is yes or no by itself, or its opposite."""
        match term:
            case terms.Compare(operator, left, right):
                return self._comparison(operator if holds else _OPPOSITE[operator], left, right, show)
            case terms.In(item, items):
                return f"{self._side(item, show)} is {self._among(items, holds=holds)}"
            case terms.During(of, calendar):
                within = "within" if holds else "outside"
                named = self.noun(calendar)
                if isinstance(calendar, terms.Constant):
                    named = f"the calendar {defined(str(calendar.value))}"
                return f"{self._side(of, show)} is {within} {named}"
            case terms.Macro("all" | "exists"):
                return self._quantified(term, holds=holds)
            case terms.Apply(function, (of, part)) if function in _TEXTS:
                return f"{self._side(of, show)} {_TEXTS[function][0 if holds else 1]} {self._side(part, show)}"
            case terms.Part(_, str(name)):
                return f"{defined(name)} {'holds' if holds else 'does not hold'}"
            case _:
                return self._yes_or_no(term, holds=holds)

    def noun(self, term: Term) -> str:
        """Return what a value is called."""
        return self._noun(term)[0]

    def _side(self, term: Term, show: Show) -> str:
        """Return one side of a comparison, with its value where that is shown."""
        (noun, holds_together), value = self._noun(term), show(term)
        if not value:
            return noun
        return f"{noun} ({value})" if holds_together == _NOUN else f"{noun}, which is {value},"

    def _comparison(self, operator: str, left: Term, right: Term, show: Show) -> str:
        if isinstance(left.type, YesNo):
            if isinstance(right, terms.Constant):
                return str(self.clause(left, holds=(right.value is True) == (operator == "==")))
            same = "if and only if" if operator == "==" else "if and only if it is not so that"
            return f"it holds that ({self.clause(left)}) {same} ({self.clause(right)})"
        if isinstance(left, terms.Constant) and not isinstance(right, terms.Constant):
            left, right, operator = right, left, _MIRRORED[operator]
        said = compares(operator, left.type)
        return f"{self._side(left, show)} {said} {self._side(right, show)}".rstrip(",")

    def _among(self, items: Term, *, holds: bool) -> str:
        if not isinstance(items, terms.Items):
            return f"{'' if holds else 'not '}one of {self.whole(items)}"
        if len(items.items) == 1:
            return ("" if holds else "not ") + self.whole(items.items[0])
        return f"{'' if holds else 'not '}one of {list_words(map(self.whole, items.items), 'or')}"

    def _yes_or_no(self, term: Term, *, holds: bool) -> str:
        """Return that a value is yes or no, in the words of its name where that is a sentence."""
        if isinstance(term, terms.Constant):
            return f"it {'always' if (term.value is True) == holds else 'never'} holds"
        states = self._name(term).states if isinstance(term, terms.Read | terms.Field) else None
        if states is not None:
            owner, verb, rest = states
            negated = {"is": "is not", "has": "has no"}[verb]
            return f"{owner} {verb if holds else negated} {rest}"
        return f"{self.noun(term)} is {'yes' if holds else 'no'}"

    def _quantified(self, term: terms.Macro, *, holds: bool) -> str:
        every = term.kind == "all"
        over, said = self._of_each(term)
        if every:
            return f"{'every' if holds else 'not every'} one of {over} (if there are any) is one {said}"
        return f"{'at least one' if holds else 'none'} of {over} is one {said}"

    def _of_each(self, term: terms.Macro) -> tuple[str, str]:
        """Return a list and what is asked of its items, `whose price is at least 5`."""
        inner, called = self._inside(term)
        body = inner.clause(term.body)
        over = f"{self.whole(term.over)}{called}"
        if body.group is None and not body.is_loose and body.text.startswith("its "):
            return over, f"whose {body.text.removeprefix('its ')}"
        return over, f"for which {body.bracketed()}"

    def _inside(self, term: terms.Macro) -> tuple[Speaker, str]:
        """Return who speaks about the items of a list, and how they are named; `it` where there is one list alone."""
        alone = not self._variables and not _has_list(term.body)
        named = IT if alone else term.variable
        return Speaker({**self._variables, term.variable: named}), "" if alone else f" (each called {named})"

    def whole(self, term: Term) -> str:
        """Return a noun that stays together wherever it stands."""
        return self._held(term, _NOUN)

    def _held(self, term: Term, at_least: int) -> str:
        text, own = self._noun(term)
        return f"({text})" if own < at_least else text

    def _moment(self, term: Term) -> str:
        """Return an instant or a day as it stands after `from`, `to`, `before` and `after`."""
        return self._name(term).short if isinstance(term, terms.Read | terms.Field) else self.whole(term)

    def _name(self, term: terms.Read | terms.Field) -> Noun:
        if isinstance(term, terms.Field):
            return field_noun(self.whole(term.of), term.name, term.type)
        return read_noun(term.name, term.type)

    def _noun(self, term: Term) -> tuple[str, int]:  # noqa: C901 - one case for each kind of term
        match term:
            case terms.Part(expression, name):
                return (defined(name), _NOUN) if name else self._noun(expression.tree)
            case terms.Constant(value):
                text = value_words(value)
                return text, _SIGNED if text.startswith("minus ") else _NOUN
            case terms.Read(name) if ":" in name:
                kind, _, limit = name.partition(":")
                what = "used of" if kind == "used" else "held by others under"
                return f"what is {what} the limit “{limit.rpartition('/')[2]}”", _OPEN
            case terms.Read() | terms.Field():
                return self._name(term).text, _NOUN
            case terms.Local(name):
                return self._variables.get(name, name), _NOUN
            case terms.Arithmetic():
                return self._arithmetic(term)
            case terms.Negate(of):
                return f"minus {self._held(of, _NOUN)}", _SIGNED
            case terms.Items(items):
                return f"the list of {self._several(items)}", _OPEN
            case terms.Lookup(table, keys):
                return f"{defined(table.name)} for {self._several(keys)}", _OPEN
            case terms.Macro("filter"):
                over, said = self._of_each(term)
                return f"those of {over} {said}", _OPEN
            case terms.Macro("map"):
                return self._mapped(term), _OPEN
            case terms.Apply():
                return self._applied(term), _OPEN
            case terms.AsMoney(of, currency):
                return f"{self.noun(of) if isinstance(of, terms.Lookup) else self.whole(of)} in {currency}", _OPEN
            case terms.DayOf(of):
                said = self._moment(of)
                return ("today", _NOUN) if said == NOW else (f"the day {'' if _is_when(said) else 'of '}{said}", _OPEN)
            case _:
                return f"whether {self.clause(term).bracketed()}", _OPEN

    def _arithmetic(self, term: terms.Arithmetic) -> tuple[str, int]:
        left, right, points = term.left, term.right, (Time, Date)
        if term.operator == "*":
            return f"{self._held(left, _PRODUCT)} times {self._held(right, _NOUN)}", _PRODUCT
        if isinstance(left.type, points) and isinstance(right.type, points):
            return f"the time from {self._moment(right)} to {self._moment(left)}", _OPEN
        if isinstance(left.type, Duration) and isinstance(right.type, points):
            left, right = right, left
        if isinstance(left.type, points):
            side = "after" if term.operator == "+" else "before"
            return f"{self.whole(right)} {side} {self._moment(left).removeprefix('when ')}", _OPEN
        word = "plus" if term.operator == "+" else "minus"
        return f"{self._held(left, _SUM)} {word} {self._held(right, _PRODUCT)}", _SUM

    def _mapped(self, term: terms.Macro) -> str:
        inner, called = self._inside(term)
        over = f"{self.whole(term.over)}{called}"
        said = inner.noun(term.body)
        field = isinstance(term.body, terms.Field) and isinstance(term.body.of, terms.Local)
        if field and said.startswith("its "):
            return f"the {said.removeprefix('its ')} of each of {over}"
        return f"{inner.whole(term.body)} for each of {over}"

    def _applied(self, term: terms.Apply) -> str:
        of, *more = term.arguments
        match term.function:
            case "size":
                what = "number of characters in" if not _is_list(of) else "number of"
                return f"the {what} {self.whole(of)}"
            case "sum":
                return f"the sum of {self.whole(of)}"
            case "currency":
                return f"the currency of {self.whole(of)}"
            case "percent":
                return f"{self.whole(more[0])} percent of {self.whole(of)}"
            case "rounded":
                mode = more[0].value if isinstance(more[0], terms.Constant) else ""
                return f"{self.whole(of)} {_ROUNDED[str(mode)]}"
            case "min" | "max" as function:
                least = _extreme(function, term.type)
                if not more:
                    return f"the {least[1]} among {self.whole(of)}"
                return f"the {least[len(more) > 1]} of {self._several(term.arguments)}"
            case unit:
                return f"as many {unit} as {self.whole(of)}"

    def _several(self, items: Iterable[Term]) -> str:
        return list_words(map(self.whole, items))


def _extreme(function: str, kind: Type) -> tuple[str, str]:
    if isinstance(kind, Time | Date):
        return ("earlier", "earliest") if function == "min" else ("later", "latest")
    if isinstance(kind, Duration):
        return ("shorter", "shortest") if function == "min" else ("longer", "longest")
    return ("smaller", "smallest") if function == "min" else ("larger", "largest")


def _is_when(said: str) -> bool:
    return said.startswith("when ")


def _is_list(term: Term) -> bool:
    return hasattr(term.type, "item")


def _has_list(term: Term) -> bool:
    """Return whether a term speaks of the items of a list itself; what a name stands for does not count."""
    return isinstance(term, terms.Macro) or any(map(_has_list, below(term)))
