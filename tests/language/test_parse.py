"""Reading conditions: the tree, its canonical text, and messages that spell the fix at the right place."""

import dataclasses
import random
import string
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.core.language import parse, tree, unparse
from agentguard.errors import LanguageError

NAMES = st.sampled_from(["amount", "order", "x1", "is_gold", "days_left", "notify"])


def _extended(inner):
    return st.one_of(
        st.builds(lambda of: tree.Not(of, 0, 0), inner),
        st.builds(lambda of: tree.Negate(of, 0, 0), inner),
        st.builds(lambda items: _flat(tree.And, items), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda items: _flat(tree.Or, items), st.lists(inner, min_size=2, max_size=3)),
        st.builds(
            lambda o, a, b: tree.Compare(o, a, b, 0, 0),
            st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in"]),
            inner,
            inner,
        ),
        st.builds(lambda o, a, b: tree.Arithmetic(o, a, b, 0, 0), st.sampled_from("+-*"), inner, inner),
        st.builds(lambda of, name: tree.Member(of, name, 0, 0), inner, NAMES),
        st.builds(lambda of, key: tree.Index(of, key, 0, 0), inner, inner),
        st.builds(lambda name, items: tree.Call(name, tuple(items), 0, 0), NAMES, st.lists(inner, max_size=3)),
        st.builds(
            lambda of, n, items: tree.MethodCall(of, n, tuple(items), 0, 0), inner, NAMES, st.lists(inner, max_size=2)
        ),
        st.builds(lambda items: tree.ListLiteral(tuple(items), 0, 0), st.lists(inner, max_size=3)),
    )


def _flat(kind, items):
    found = []
    for item in items:
        found.extend(item.items if isinstance(item, kind) else [item])
    return kind(tuple(found), 0, 0)


TREES = st.recursive(
    st.one_of(
        st.builds(
            lambda value: tree.TextLiteral(value, 0, 0), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
        ),
        st.builds(lambda value: tree.NumberLiteral(value, 0, 0), st.integers(0, 10**18 - 1)),
        st.builds(lambda value: tree.NumberLiteral(value, 0, 0), st.decimals(0, 10**9, places=3)),
        st.builds(lambda value: tree.YesNoLiteral(value, 0, 0), st.booleans()),
        st.builds(
            lambda n, unit: tree.DurationLiteral(n, unit, 0, 0), st.integers(0, 999), st.sampled_from(["days", "hours"])
        ),
        st.builds(lambda name: tree.Name(name, 0, 0), NAMES),
    ),
    _extended,
    max_leaves=12,
)


def without_places(node):
    if isinstance(node, tuple):
        return tuple(without_places(item) for item in node)
    if dataclasses.is_dataclass(node):
        fields = [field.name for field in dataclasses.fields(node) if field.name not in {"start", "end"}]
        return (type(node).__name__, *(without_places(getattr(node, name)) for name in fields))
    return node


@given(TREES)
def test_reading_the_canonical_text_gives_the_same_tree(node):
    assert without_places(parse(unparse(node))) == without_places(node)


@pytest.mark.parametrize(
    "written, canonical",
    [
        ("a && b||c", "a and b or c"),
        ("!(a || b)", "not (a or b)"),
        ("! a == b", "(not a) == b"),
        ("not a == b", "not a == b"),
        ("a and (b and c)", "a and b and c"),
        ("(a + b) * c - (d - e)", "(a + b) * c - (d - e)"),
        ("x not in ['it''s']".replace("''", "\\'"), 'not x in ["it\'s"]'),
        ("1 day<30 days", "1 day < 30 days"),
        ("true==no", "yes == no"),
        ("a.b.c(d , e)[ f ]", "a.b.c(d, e)[f]"),
        ("- 5.50", "-5.50"),
        ('"\\u00e9\\n"', '"é\\u000a"'),
    ],
)
def test_conditions_are_written_one_way(written, canonical):
    assert unparse(parse(written)) == canonical
    assert unparse(parse(canonical)) == canonical


def test_every_node_knows_its_place_brackets_included():
    text = "(a or b) and amount <= 50"
    node = parse(text)
    assert [text[item.start : item.end] for item in node.items] == ["a or b", "amount <= 50"]
    assert (node.start, node.end) == (0, len(text))
    assert parse("0.1").value == Decimal("0.1")


@pytest.mark.parametrize(
    "text, offset, message",
    [
        ("", 0, "the condition is empty"),
        ("   ", 0, "the condition is empty"),
        ("amount = 50", 7, "write `==`"),
        ("amount === 50", 7, "write `==`"),
        ("amount => 50", 7, "write `>=`"),
        ("amount =< 50", 7, "write `<=`"),
        ("amount <> 50", 7, "write `!=`"),
        ("10 < amount < 50", 3, "write `10 < amount and amount < ...`"),
        ("a == b == c", 2, "comparisons are not chained"),
        ("a & b", 2, "write `and`"),
        ("a | b", 2, "write `or`"),
        ("a AND b", 2, "write `and` in small letters"),
        ("50 AND b", 3, "write `and` in small letters"),
        ("NOT b", 4, "write `not` in small letters"),
        ("(Not b)", 5, "write `not` in small letters"),
        ('a in ("x", "y")', 9, "a list stands between `[` and `]`"),
        ("a / 2 > 1", 2, "there is no division"),
        ("a % 2 == 1", 2, "write `percent(x, 10)`"),
        ("a ? b : c", 2, "there is no `? :`"),
        ("if a then b", 0, "`if` has no meaning here"),
        ("x == null", 5, "write `has(x)`"),
        ("amount > $50", 9, "currency sign"),
        ("amount > 50€", 11, "currency sign"),
        ("amount > 50 USD", 12, "write `usd(50)`"),
        ("amount > 50USD", 11, "put a space"),
        ("amount > 1,000", 9, "write `1000`"),
        ("amount <= 50,00", 12, "write `50.00`"),
        ("amount > 1.000,00", 14, "write `1000.00`"),
        ("amount > 5, 3", 10, "write `and`"),
        ("amount > 1_000", 9, "no grouping"),
        ("amount > 1e5", 9, "without an exponent"),
        ("amount > .5", 9, "write a zero before the point"),
        ("amount > 5.", 11, "expected a name after `.`"),
        ("a - b <= 2 months", 11, "differ in length"),
        ("a - b <= 1.5 days", 9, "whole days"),
        ("a - b <= 99999999999 weeks", 9, "at most"),
        ("1234567890123456789 > a", 0, "at most 18 digits"),
        ("0.1234567890 > a", 0, "9 after"),
        ("(a and b", 0, "never closed"),
        ("a and b)", 7, "`)` closes nothing"),
        ("f(a, )", 5, "expected another item"),
        ("f(a b)", 4, "expected `)`"),
        ("[1, 2", 0, "never closed"),
        ('name == "abc', 8, "never closed"),
        ("name == “abc”", 8, "straight quotes"),
        ('name == "\\q"', 9, "is not an escape"),
        ('name == "\\ud800"', 9, "is not an escape"),
        ("a b", 2, "expected `and`, `or` or another operator, got `b`"),
        ("a is yes", 2, "write `==`"),
        ("a, b", 1, "write `and`"),
        ("a and", 5, "ends too early"),
        ("and a", 0, "expected a value or a name"),
        ("a ! = b", 4, "write `==`"),
        ("{amount} > 5", 0, "braces"),
        ("amount > 5;", 10, "one expression"),
        ("a\x00b", 1, "has no meaning"),
        ("x between 1 and 5", 2, "write `x >= low and x <= high`"),
    ],
)
def test_a_broken_condition_gets_a_message_at_its_place(text, offset, message):
    with pytest.raises(LanguageError) as caught:
        parse(text)
    ((found, _, said),) = caught.value.problems
    assert (found, message in said) == (offset, True), said
    assert "\n" not in said


@pytest.mark.parametrize(
    "fits, too_much",
    [
        ("(" * 62 + "a" + ")" * 62, "(" * 70 + "a" + ")" * 70),
        ("+".join("a" * 64), "+".join("a" * 65)),
        ("not " * 63 + "a", "not " * 64 + "a"),
        ("a" + " " * 4095, "a" + " " * 4096),
        ("9" * 18 + "." + "9" * 9, "9" * 19),
        ("[" * 60 + "a" + "]" * 60, "[" * 4000),
    ],
)
def test_length_nesting_and_digits_are_bounded(fits, too_much):
    parse(fits)
    with pytest.raises(LanguageError):
        parse(too_much)


def test_garbage_gives_only_language_errors():
    source = random.Random(5)
    words = [
        "amount",
        "and",
        "or",
        "not",
        "in",
        "yes",
        "30",
        "days",
        "1.5",
        "(",
        ")",
        "[",
        "]",
        ".",
        ",",
        "==",
        "<",
        "!",
        '"a"',
    ]
    read = 0
    for _ in range(20_000):
        if source.random() < 0.5:
            text = " ".join(source.choice(words) for _ in range(source.randrange(1, 12)))
        else:
            letters = string.printable + "é€“”\u2028\x00\U0001f600"
            text = "".join(source.choice(letters) for _ in range(source.randrange(40)))
        places = []
        try:
            parse(text)
            read += 1
        except LanguageError as error:
            places = [offset for offset, _, _ in error.problems]
        assert all(0 <= offset <= len(text) for offset in places)
    assert read > 100
