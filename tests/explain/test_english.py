"""Every expression of a policy reads as plain English, and nothing that is grouped otherwise reads the same."""

import random
import re
import tomllib
from pathlib import Path

import pytest

from agentguard import policyfile
from agentguard.core import language
from agentguard.core.english.parts import expression_words
from agentguard.core.language import Declared, Expression, Scope, YesNo, check, parse, terms
from tests.language.expressions import SCOPE, VALUES, expressions, scope_with_names

SENTENCES = tomllib.loads(Path(__file__).with_name("sentences.toml").read_text(encoding="utf-8"))["sentence"]
PACKS = [path for path in sorted(Path("policies").iterdir()) if path.is_dir()]
SIGNS = re.compile(r"[<>=!&|+*\[\]{}_]|\w\.\w|\bhas\(|\b(?:exists|all|filter|map|size|sum|during|used|held)\(")
OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
READABLE = Scope(
    values={
        **VALUES,
        "on_behalf_of": Declared(language.Text()),
        "asked_at": Declared(language.Time()),
        "agent.kind": Declared(language.Text()),
        "context.wants_person": Declared(language.YesNo(), optional=True),
        "order.delivered_at": Declared(language.Time(), optional=True),
        "order.customer_id": Declared(language.Text()),
        "customer.life_event_at": Declared(language.Time()),
        "customer.is_adult": Declared(language.YesNo()),
        "customer.has_payment": Declared(language.YesNo()),
        "customer.fraud_score": Declared(language.Integer(), optional=True),
        "customer.no_shows": Declared(language.Integer()),
        "slot.starts_at": Declared(language.Time()),
        "slot.opening_hours": Declared(language.OneOf(("gold", "silver"))),
    },
    tables=SCOPE.tables,
    calendars=SCOPE.calendars,
    limits=SCOPE.limits,
    zone=SCOPE.zone,
    currencies=SCOPE.currencies,
)


def said(text: str) -> str:
    return expression_words(check(parse(text), READABLE, text))


@pytest.mark.parametrize("sentence", SENTENCES, ids=[item["condition"] for item in SENTENCES])
def test_a_condition_is_a_sentence(sentence):
    assert said(sentence["condition"]) == sentence["words"]


@pytest.mark.parametrize(
    "one, other",
    [
        ("flag and (amount > 5 or count > 3)", "(flag and amount > 5) or count > 3"),
        ("not (flag and amount > 5)", "not flag and amount > 5"),
        ("not (flag or amount > 5)", "not flag or amount > 5"),
        ("count - (count - 1) > 0", "(count - count) - 1 > 0"),
        ("(count + 1) * 2 > 0", "count + 1 * 2 > 0"),
        ("max(count, 1) + 2 > 0", "max(count, 1 + 2) > 0"),
        ("percent(count, 10) + 1 > 0", "percent(count + 1, 10) > 0"),
        ("items.exists(i, i.final_sale and flag)", "items.exists(i, i.final_sale) and flag"),
        ("items.exists(i, i.final_sale or flag)", "items.exists(i, i.final_sale) or flag"),
        ("-(count + 1) > 0", "-count + 1 > 0"),
        ('rounded(rate + 1, "up") > 0', 'rounded(rate, "up") + 1 > 0'),
        (
            "(has(score) and score > 1) or flag and has(weight)",
            "has(score) and (score > 1 or flag) and has(weight)",
        ),
    ],
)
def test_what_is_grouped_otherwise_reads_otherwise(one, other):
    assert said(one) != said(other)


@pytest.mark.parametrize("pack", PACKS, ids=[pack.name for pack in PACKS])
def test_no_sign_of_the_language_is_left_in_any_expression_of_the_packs(pack):
    found = [item for policy in policyfile.load(pack).policies for item in expressions_of(policy)]
    assert found
    for expression in found:
        words = expression_words(expression)
        quoted = re.sub(r'"[^"]*"|“[^”]*”', "", words)
        assert not SIGNS.search(re.sub(r"\d\.\d", "", quoted)), (expression.source, words)


def expressions_of(value: object, seen: set[int] | None = None) -> list[Expression]:
    """Return every expression inside a policy."""
    seen = set() if seen is None else seen
    if isinstance(value, Expression):
        return [value]
    if id(value) in seen or isinstance(value, str | bytes):
        return []
    seen.add(id(value))
    if hasattr(value, "__slots__") and type(value).__module__.startswith("agentguard.core.policy"):
        inside = [getattr(value, name) for name in value.__slots__]
    elif hasattr(value, "items"):
        inside = list(value.values())
    elif isinstance(value, tuple | list | frozenset):
        inside = list(value)
    else:
        inside = []
    return [item for part in inside for item in expressions_of(part, seen)]


def test_any_expression_can_be_said_and_two_that_read_the_same_are_the_same():
    told: dict[str, tuple] = {}
    found = expressions(random.Random(6), scope_with_names(), ("condition", "number", "money", "duration"), 3_000)
    for expression in found:
        words = expression_words(expression)
        shape = shape_of(expression.tree)
        assert told.setdefault(words, shape) == shape, (words, expression.source)


def shape_of(term, holds=True):
    """Return what a term means, apart from how a condition that does not hold was written."""
    match term:
        case terms.Part(expression, None):
            return shape_of(expression.tree, holds)
        case terms.Part(_, name):
            return ("name", name, holds)
        case terms.Not(of):
            return shape_of(of, not holds)
        case terms.And(items) | terms.Or(items):
            kind = type(term)
            inner = [shape_of(item) for item in items]
            flat = [part for item in inner for part in (item[2] if item[:2] == (kind, True) else (item,))]
            return (kind, holds, tuple(flat))
        case terms.Compare(operator, left, terms.Constant(value)) if isinstance(left.type, YesNo):
            return shape_of(left, holds == (value is (operator == "==")))
        case terms.Compare(operator, left, right) if isinstance(left.type, YesNo):
            return ("same", shape_of(left), shape_of(right), holds == (operator == "=="))
        case terms.Compare(operator, terms.Constant() as left, right) if not isinstance(right, terms.Constant):
            return (MIRRORED[operator if holds else OPPOSITE[operator]], shape_of(right), shape_of(left))
        case terms.Compare(operator, left, right):
            return (operator if holds else OPPOSITE[operator], shape_of(left), shape_of(right))
        case terms.In(item, terms.Items((only,))):
            return ("==" if holds else "!=", shape_of(item), shape_of(only))
        case terms.Constant(value):
            return ("constant", str(value) if not isinstance(value, bool) else value == holds)
        case terms.Negate(terms.Constant(value)) if str(value)[0] != "-":
            return ("constant", f"-{value}")
        case terms.Negate(of):
            return ("negate", shape_of(of))
        case terms.Arithmetic("+", left, right) if isinstance(left.type, language.Duration) and isinstance(
            right.type, language.Time | language.Date
        ):
            return ("+", shape_of(right), shape_of(left))
        case terms.Arithmetic(operator, left, right):
            return (operator, shape_of(left), shape_of(right))
        case terms.Read(name):
            return (name, holds)
        case terms.Local():
            return ("item", holds)  # what it is called is no part of the meaning
        case terms.Field(of, name):
            return ("field", shape_of(of), name, holds)
        case terms.Has(of):
            return ("has", shape_of(of), holds)
        case terms.Macro(kind, over, _, body):
            return (kind, shape_of(over), shape_of(body), holds)
        case terms.Items(items):
            return ("list", *map(shape_of, items))
        case terms.In(item, items):
            return ("in", shape_of(item), shape_of(items), holds)
        case terms.Lookup(table, keys):
            return (table.name, *map(shape_of, keys), holds)
        case terms.AsMoney(of, currency):
            return (currency, shape_of(of))
        case terms.DayOf(of):
            return ("day", shape_of(of))
        case terms.During(of, calendar):
            return ("during", shape_of(of), shape_of(calendar), holds)
        case terms.Apply(function, arguments):
            return (function, *map(shape_of, arguments), holds)
