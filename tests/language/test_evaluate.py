"""What conditions mean: values at the boundary, and errors that neither allow nor disappear (law 9)."""

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from agentguard.core import language
from agentguard.core.language import (
    UNKNOWN,
    Declared,
    Scope,
    YesNo,
    check,
    compile_conditions,
    compile_expression,
    evaluate,
    parse,
    trace,
)
from agentguard.core.money import Money, UnroundedMoney
from agentguard.errors import EvaluationError
from tests.language.expressions import EITHER, SCOPE, USD, scope_with_names

WITH_NAMES = scope_with_names()
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
USUAL = {
    "amount": Money.of("40.00", "USD"),
    "order.total": Money.of("100.00", "USD"),
    "fee": Money.of("5.00", "EUR"),
    "count": 3,
    "rate": Decimal("0.1"),
    "name": "anna",
    "tier": "gold",
    "flag": True,
    "now": NOON,
    "born": date(2026, 2, 28),
    "notice": timedelta(days=30),
    "items": (
        {"sku": "a", "price": Money.of("10.00", "USD"), "quantity": 1, "final_sale": False},
        {"sku": "b", "price": Money.of("20.00", "USD"), "quantity": 2, "final_sale": True, "note": "x"},
    ),
    "tags": ("new", "late"),
    "numbers": (1, 2, 3),
    "used:shop/month": Money.of("260.00", "USD"),
    "held:shop/month": Money(0, "USD"),
    "used:shop/calls": 2,
}


def checked(text, scope=WITH_NAMES):
    return check(parse(text), scope, text)


def value(text, scope=WITH_NAMES, **changes):
    """Evaluate both ways and return the one value, or the reason why there is none."""
    values = {name: found for name, found in (USUAL | changes).items() if found is not None}
    expression = checked(text, scope)
    outcomes = [_outcome(evaluate, expression, values), _outcome(compile_expression(expression), values)]
    assert outcomes[0] == outcomes[1]
    return outcomes[0]


def _outcome(function, *arguments):
    try:
        return function(*arguments)
    except EvaluationError as error:
        return error.reason


@pytest.mark.parametrize(
    "text, expected",
    [
        ("amount <= 40", True),
        ("amount <= 40.01", True),
        ("amount <= 39.99", False),
        ("amount < 40", False),
        ("amount == usd(40)", True),
        ("amount != 40.00", False),
        ("0.1 + 0.2 == 0.3", True),
        ("rate * 3 == 0.3", True),
        ("percent(amount, 10)", UnroundedMoney(Decimal(400), "USD")),
        ("percent(usd(0.05), 50) == percent(usd(0.05), 50)", True),
        ("percent(usd(0.05), 50) > 0.02", True),
        ("percent(usd(0.05), 50) < 0.03", True),
        ('rounded(percent(usd(0.05), 50), "half_up")', Money(3, "USD")),
        ('rounded(percent(usd(0.05), 50), "half_even")', Money(2, "USD")),
        ('rounded(percent(usd(0.05), 50), "down")', Money(2, "USD")),
        ('rounded(percent(usd(0.05), 10), "up")', Money(1, "USD")),
        ('rounded(percent(usd(0.05), -50), "half_up")', Money(-3, "USD")),
        ('rounded(2.5, "half_even")', 2),
        ('rounded(-2.5, "up")', -3),
        ("amount * 3", Money(12000, "USD")),
        ("order.total - amount - 60", Money(0, "USD")),
        ("-amount", Money(-4000, "USD")),
        ("sum(items.map(i, i.price * i.quantity))", Money(5000, "USD")),
        ("sum(items.filter(i, i.quantity > 5).map(i, i.price))", Money(0, "USD")),
        ("sum(numbers)", 6),
        ("max(amount, 10, order.total)", Money(10000, "USD")),
        ("min(numbers)", 1),
        ("size(items) + size(name)", 6),
        ("items.exists(i, i.final_sale and i.price >= 20)", True),
        ("items.all(i, i.price >= 10.01)", False),
        ("items.exists(i, items.exists(j, i.price < j.price and j.sku == 'b'))", True),
        ("has(sent_at)", False),
        ("not has(sent_at) or sent_at < now", True),
        ("in_time", False),
        ('tier in ["gold", "silver"]', True),
        ('"late" in tags', True),
        ("5 in numbers", False),
        ("amount in [40, 50]", True),
        ("name in cities", False),
        ('name.startsWith("an") and name.endsWith("na") and name.contains("nn")', True),
        ("name == 'Anna'", False),
        ("caps[tier] + amount", Money(14000, "USD")),
        ("bags[tier][flag]", 1),
        ("now - now == 0 days", True),
        ("30 days == notice and 720 hours == notice", True),
        ("days(count) + 1 day == 4 days", True),
        ("born + 1 day == date('2026-03-01')", True),
        ("date('2026-03-01') - born == 24 hours", True),
        ("day_of(time('2026-11-20T23:30:00Z')) == date('2026-11-21')", True),
        ('during(now, "hours") and not during(now + 1 day, "hours")', True),
        ("during(now, tier)", True),
        ('used("month") + amount > 300', False),
        ('used("month") + amount + 0.01 > 300', True),
        ('currency(fee) == "EUR"', True),
        ("flag == yes and not (flag == no)", True),
        ("-(3) == -3 and 2 - -1 == 3", True),
    ],
)
def test_conditions_give_exact_values(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    "text, changes, reason",
    [
        ("amount <= 50", {"amount": None}, "missing"),
        ("amount <= 50", {"amount": UNKNOWN}, "unknown"),
        ("has(sent_at)", {"sent_at": UNKNOWN}, "unknown"),
        ("has(sent_at) and sent_at < now", {"sent_at": UNKNOWN}, "unknown"),
        ("flag", {"flag": UNKNOWN}, "unknown"),
        ("name", {"name": UNKNOWN}, "unknown"),
        ("name == 'x'", {"name": None}, "missing"),
        ("fee < usd(5)", {}, "ok"),
        ("fee < fee_in_usd", {}, "currency"),
        ("fee in [fee_in_usd]", {}, "currency"),
        ("min(fee, fee_in_usd) == fee", {}, "currency"),
        ("max(numbers)", {"numbers": ()}, "empty"),
        ("sum(fees) == fee", {}, "empty"),
        ("born + notice", {"notice": timedelta(hours=36)}, "inexact"),
        ("born + notice", {"notice": timedelta(days=10**7)}, "overflow"),
        ("now + days(count) > now", {"count": 10**17}, "overflow"),
        ("usd(rate) > usd(0)", {"rate": Decimal("0.001")}, "inexact"),
        ('cities[name] == "west"', {}, "missing"),
        ('cities[name] == "west"', {"name": "Bonn"}, "ok"),
        ("during(now, name)", {}, "no_calendar"),
        ("items.exists(i, i.quantity > 5)", {"items": ({"sku": "a"},)}, "missing"),
        ("amount <= 50", {"amount": Money(1, "EUR")}, "currency"),
        ("amount <= 50", {"amount": 40}, "ill_typed"),
        ("count > 1 and flag", {"flag": 1}, "ill_typed"),
        ("flag and count > 1", {"flag": "no"}, "ill_typed"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_with_a_reason(text, changes, reason):
    scope = Scope(
        values=SCOPE.values | {"fee_in_usd": Declared(EITHER), "fees": Declared(language.ListOf(EITHER))},
        tables=SCOPE.tables,
        calendars=SCOPE.calendars,
        currencies=("EUR", "USD") if "usd(" in text else ("USD",),
    )
    if reason == "ok":
        scope = Scope(values=SCOPE.values, tables=SCOPE.tables, currencies=("EUR", "USD"))
        assert value(text, scope, fee=Money(1, "USD"), **changes) is True
        return
    found = value(text, scope, fee_in_usd=Money(5, "USD"), fees=(), **changes)
    assert found == reason


TABLE = {
    "and": {(True, True): True, (True, False): False, (True, None): None, (False, False): False, (False, None): False},
    "or": {(True, True): True, (True, False): True, (True, None): True, (False, False): False, (False, None): None},
}


@pytest.mark.law(9)
@pytest.mark.parametrize("word", TABLE)
@pytest.mark.parametrize("left, right", list(itertools.product((True, False, None), repeat=2)))
def test_the_deciding_answer_outweighs_an_error_on_either_side(word, left, right):
    table = TABLE[word] | {(None, None): None}
    expected = table.get((left, right), table.get((right, left)))
    scope = Scope(values={"a": Declared(YesNo()), "b": Declared(YesNo())})
    values = {"a": UNKNOWN if left is None else left, "b": UNKNOWN if right is None else right}
    expression = checked(f"a {word} b", scope)
    (generated,) = compile_conditions([expression])(values)
    assert _outcome(evaluate, expression, values) == ("unknown" if expected is None else expected)
    assert isinstance(generated, EvaluationError) if expected is None else generated is expected


@pytest.mark.law(9)
@pytest.mark.parametrize("macro, deciding", [("all", False), ("exists", True)])
@pytest.mark.parametrize("items", list(itertools.product((True, False, None), repeat=3)))
def test_all_and_exists_absorb_errors_like_and_and_or(macro, deciding, items):
    record = language.Record("line", {"ok": Declared(YesNo())})
    scope = Scope(values={"lines": Declared(language.ListOf(record))})
    values = {"lines": tuple({} if item is None else {"ok": item} for item in items)}
    expected = deciding if deciding in items else "missing" if None in items else not deciding
    expression = checked(f"lines.{macro}(line, line.ok)", scope)
    assert _outcome(evaluate, expression, values) == expected
    assert _outcome(compile_expression(expression), values) == expected


@pytest.mark.law(9)
def test_an_error_inside_not_stays_an_error():
    assert value("not flag", flag=UNKNOWN) == "unknown"
    assert value("not (flag and amount > 50)", flag=UNKNOWN) is True


def test_an_error_says_what_could_not_be_read_and_where():
    text = "flag and amount <= 50"
    with pytest.raises(EvaluationError) as caught:
        evaluate(checked(text), USUAL | {"amount": UNKNOWN})
    error = caught.value
    assert (error.reason, error.name, text[error.start : error.end]) == ("unknown", "amount", "amount")
    assert str(error) == "`amount` could not be looked up"


def test_none_is_no_value_and_never_counts_as_one():
    for text in (
        "note == 'x'",
        "has(note)",
        "not has(note)",
        "note != 'x' and has(note)",
        "has(note) and note in tags",
    ):
        expression = checked(text if "has" in text else f"has(note) and {text}")
        assert _outcome(evaluate, expression, USUAL | {"note": None}) == "ill_typed"
        (answer,) = compile_conditions([expression])(USUAL | {"note": None})
        assert answer.reason == "ill_typed"


def test_the_digits_that_a_bound_allows_are_exact():
    scope = Scope(values={"x": Declared(language.Decimal_())})
    greatest = Decimal("9" * 18 + "." + "9" * 9)
    assert value("x * x * x - x * x * x == 0", scope, x=greatest) is True
    assert value("x * x", scope, x=greatest) == Decimal("999999999999999999999999998000000000.000000000000000001")


@pytest.mark.no_cover  # a long loop over what shorter tests cover
def test_nested_macros_are_bounded_in_steps():
    expression = checked("numbers.all(i, numbers.all(j, i + j >= 0))")
    many = {"numbers": tuple(range(315))}
    assert evaluate(expression, many) is True
    assert compile_expression(expression)(many) is True
    assert _outcome(evaluate, expression, {"numbers": tuple(range(317))}) == "bound"
    assert _outcome(compile_expression(expression), {"numbers": tuple(range(317))}) == "bound"


def test_a_name_may_use_the_same_variable_as_the_condition_it_stands_in():
    scope = Scope(values=SCOPE.values, names={"dear": checked("items.exists(i, i.price > 15)")})
    assert value("items.exists(i, dear and i.price < 15)", scope) is True


def test_conditions_compiled_together_answer_each_for_itself():
    texts = ["amount <= 50", "flag", "has(sent_at) and sent_at < now", "max(numbers) > 1"]
    together = compile_conditions([checked(text) for text in texts])
    assert together(USUAL) == [True, True, False, True]
    answers = together(USUAL | {"flag": UNKNOWN, "numbers": ()})
    assert answers[0] is True
    assert [answer.reason for answer in answers if isinstance(answer, EvaluationError)] == ["unknown", "empty"]
    assert compile_conditions([])({}) == []


def test_a_condition_too_deep_for_generated_code_is_walked():
    text = "-" * 60 + "count == 3"
    assert value(text) is True


def test_a_trace_shows_every_comparison_with_its_values():
    text = "amount <= 50 and (in_time or tier == 'silver') and not flag"
    found = trace(checked(text), USUAL | {"sent_at": datetime(2026, 9, 1, tzinfo=UTC)})
    assert [str(item) for item in found] == [
        "amount 40.00 USD <= 50.00 USD: yes",
        "has(sent_at): yes",
        "now - sent_at 1932 hours <= 30 days: no",
        'tier "gold" == "silver": no',
        "flag: yes",
    ]
    assert [item.blocking for item in found] == [False, False, True, True, True]
    assert found[2].names == ("in_time",)
    assert found[0].source[found[0].start : found[0].end] == "amount <= 50"


def test_a_trace_names_what_could_not_be_evaluated():
    (found,) = trace(checked("amount <= 50"), USUAL | {"amount": UNKNOWN})
    assert str(found) == "amount (not known) <= 50.00 USD: cannot be evaluated"
    assert (found.result, found.blocking, found.error.reason) == (None, True, "unknown")


def test_the_type_of_money_in_one_currency_is_guarded_in_generated_code():
    scope = Scope(values={"lines": Declared(language.ListOf(USD))}, currencies=("USD",))
    expression = checked("lines.exists(line, line > 5)", scope)
    values = {"lines": (Money(1000, "EUR"),)}
    assert _outcome(evaluate, expression, values) == "currency"
    assert _outcome(compile_expression(expression), values) == "currency"
