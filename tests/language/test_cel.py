"""On the shared part of the language, answers and errors are those of Google's CEL implementation."""

import importlib
import random

import pytest

from agentguard.core import language
from agentguard.core.language import Declared, Record, Scope, YesNo, check, compile_conditions, evaluate, parse
from agentguard.errors import EvaluationError

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

cel = importlib.import_module("cel_expr_python.cel")

LINE = Record(
    "line",
    {
        "sku": Declared(language.Text()),
        "quantity": Declared(language.Integer()),
        "sold": Declared(language.YesNo()),
    },
)
SCOPE = Scope(
    values={
        "order.count": Declared(language.Integer()),
        "order.limit": Declared(language.Integer()),
        "order.name": Declared(language.Text()),
        "order.tag": Declared(language.Text()),
        "order.open": Declared(language.YesNo()),
        "order.paid": Declared(language.YesNo()),
        "order.numbers": Declared(language.ListOf(language.Integer())),
        "order.tags": Declared(language.ListOf(language.Text())),
        "order.lines": Declared(language.ListOf(LINE)),
    }
)


class Writer:
    """Writes conditions that both languages read; every name may be missing when they are evaluated."""

    def __init__(self, source):
        self.random = source
        self.lines = []
        self.numbers = []

    def condition(self, depth):
        forms = [lambda: self.random.choice(["order.open", "order.paid", "true", "false", self.has()])]
        if depth > 0:
            below = depth - 1
            forms += [
                lambda: f"({self.condition(below)} && {self.condition(below)})",
                lambda: f"({self.condition(below)} || {self.condition(below)})",
                lambda: f"({self.condition(below)} && {self.condition(below)} && {self.condition(below)})",
                lambda: f"({self.condition(below)} || {self.condition(below)} || {self.condition(below)})",
                lambda: f"!({self.condition(below)})",
                lambda: f"({self.condition(below)}) {self.operator('==', '!=')} ({self.condition(below)})",
                lambda: f"{self.number(below)} {self.operator()} {self.number(below)}",
                lambda: f"{self.number(below)} {self.operator()} {self.number(below)}",
                lambda: f"{self.text()} {self.operator('==', '!=')} {self.text()}",
                lambda: f"{self.text()}.{self.operator('startsWith', 'endsWith', 'contains')}({self.text()})",
                lambda: f"{self.number(below)} in [{self.number(below)}, 2, {self.number(0)}]",
                lambda: f"{self.number(below)} in order.numbers",
                lambda: f"{self.text()} in order.tags",
                lambda: self.over_lines(below),
                lambda: self.over_lines(below),
                lambda: self.over_numbers(below),
            ]
        return self.random.choice(forms)()

    def operator(self, *choices):
        return self.random.choice(choices or ("==", "!=", "<", "<=", ">", ">="))

    def has(self):
        paths = ["order.count", "order.name", "order.tag", "order.numbers"]
        paths += [f"{name}.{field}" for name in self.lines for field in ("sku", "quantity", "sold")]
        return f"has({self.random.choice(paths)})"

    def number(self, depth):
        forms = ["order.count", "order.limit", "0", "1", "-2", "7", *self.numbers]
        forms += [f"{name}.quantity" for name in self.lines]
        if depth > 0:
            forms.append(f"({self.number(depth - 1)} {self.operator('+', '-', '*')} {self.number(depth - 1)})")
            forms.append(f"-({self.number(depth - 1)})")
            forms.append(f"size({self.operator('order.numbers', 'order.tags', 'order.lines', 'order.name')})")
            forms.append(f"size(order.lines.filter(f{depth}, f{depth}.quantity > {self.number(0)}))")
            forms.append(f"size(order.lines.map(m{depth}, m{depth}.quantity * 2))")
        return self.random.choice(forms)

    def text(self):
        return self.random.choice(
            ["order.name", "order.tag", '"a"', '"ab"', '""', "'é'", *[f"{n}.sku" for n in self.lines]]
        )

    def over_lines(self, depth):
        name = f"i{len(self.lines)}"
        self.lines.append(name)
        bodies = [f"{name}.sold", f"{name}.quantity > {self.number(depth)}", self.condition(depth)]
        self.lines.pop()
        return f"order.lines.{self.operator('all', 'exists')}({name}, {self.random.choice(bodies)})"

    def over_numbers(self, depth):
        name = f"n{len(self.numbers)}"
        self.numbers.append(name)
        body = f"{name} {self.operator()} {self.number(depth)}"
        self.numbers.pop()
        return f"order.numbers.{self.operator('all', 'exists')}({name}, {body})"


def record(source):
    """Return the fields of an order, each of them missing at times, lines with missing fields among them."""
    fields = {
        "count": source.randrange(-3, 8),
        "limit": source.randrange(-3, 8),
        "name": source.choice(["", "a", "ab", "ba", "é"]),
        "tag": source.choice(["a", "ab"]),
        "open": source.random() < 0.5,
        "paid": source.random() < 0.5,
        "numbers": [source.randrange(-2, 4) for _ in range(source.randrange(4))],
        "tags": [source.choice(["a", "ab", "é"]) for _ in range(source.randrange(3))],
        "lines": [
            _some({"sku": source.choice(["a", "ab"]), "quantity": source.randrange(4), "sold": True}, source, 0.9)
            for _ in range(source.randrange(4))
        ],
    }
    return _some(fields, source, 0.93)


def _some(fields, source, share):
    return {name: value for name, value in fields.items() if source.random() < share}


def environment(order):
    return {f"order.{name}": tuple(value) if isinstance(value, list) else value for name, value in order.items()}


def of_cel(program, order):
    value = program.eval(data={"order": order})
    return "error" if value.type() == cel.Type.ERROR else value.value()


def ours(expression, values):
    try:
        return evaluate(expression, values)
    except EvaluationError:
        return "error"


@pytest.mark.no_cover  # a long loop over what shorter tests cover
def test_answers_and_errors_are_those_of_cel_on_twenty_thousand_random_pairs():
    source = random.Random(3)
    theirs = cel.NewEnv(variables={"order": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
    writer = Writer(source)
    pairs = errors = truths = 0
    for _ in range(2_000):
        text = writer.condition(source.choice((1, 2, 3, 4)))
        expression = check(parse(text), SCOPE, text, YesNo())
        program = theirs.compile(text)
        generated = compile_conditions([expression])
        for _ in range(11):
            order = record(source)
            expected = of_cel(program, order)
            assert ours(expression, environment(order)) == expected, (text, order)
            found = generated(environment(order))[0]
            assert ("error" if isinstance(found, EvaluationError) else found) == expected, (text, order)
            pairs += 1
            errors += expected == "error"
            truths += expected is True
    assert pairs >= 20_000
    assert errors > pairs / 20
    assert truths > pairs / 10
