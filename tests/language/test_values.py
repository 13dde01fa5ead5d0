"""Money, the types as they are written, tables, and the boundary at which Python values are checked."""

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.core import language
from agentguard.core.language import Declared, ListOf, OneOf, conform, parse_table, parse_type
from agentguard.core.money import EXPONENTS, Money, UnroundedMoney, round_number
from agentguard.errors import ConformError, LanguageError, MoneyError
from tests.language.expressions import ITEM, USD

RECORDS = {"item": ITEM}


@pytest.mark.law(11)
@pytest.mark.parametrize(
    "text, minor",
    [
        ("40.00 USD", 4000),
        ("40 USD", 4000),
        ("0.01 USD", 1),
        ("-0.05 USD", -5),
        ("500 JPY", 500),
        ("1.234 KWD", 1234),
        ("999999999999999999.99 USD", 10**20 - 1),
    ],
)
def test_amounts_are_whole_minor_units(text, minor):
    assert Money.parse(text) == Money(minor, text[-3:])
    assert Money.parse(str(Money.parse(text))) == Money.parse(text)


@pytest.mark.law(11)
@pytest.mark.parametrize(
    "amount, currency",
    [
        ("0.001", "USD"),
        ("0.5", "JPY"),
        ("1,000.00", "USD"),
        ("$5", "USD"),
        ("1e3", "USD"),
        ("NaN", "USD"),
        ("+5", "USD"),
        (" 5", "USD"),
        ("٥", "USD"),
        ("1000000000000000000", "USD"),
        (10**18, "USD"),
        (Decimal("Infinity"), "USD"),
        (Decimal("NaN"), "USD"),
        (5.0, "USD"),
        (True, "USD"),
        (None, "USD"),
        ("5", "USX"),
        ("5", "usd"),
    ],
)
def test_what_is_not_an_exact_amount_is_refused(amount, currency):
    with pytest.raises(MoneyError):
        Money.of(amount, currency)


@pytest.mark.law(11)
def test_two_currencies_never_compare_or_add_and_a_float_is_never_money():
    dollars, euros = Money.of("1.00", "USD"), Money.of("1.00", "EUR")
    for together in (
        lambda: dollars + euros,
        lambda: dollars - euros,
        lambda: dollars < euros,
        lambda: dollars <= euros,
        lambda: dollars > euros,
        lambda: dollars >= euros,
        lambda: dollars < 5,
        lambda: Money(1.0, "USD"),
        lambda: Money(True, "USD"),
        lambda: Money(1, "XXX"),
    ):
        with pytest.raises(MoneyError):
            together()
    for mixed in (lambda: dollars + 1, lambda: dollars * 1.5, lambda: dollars - 0.5):
        with pytest.raises(TypeError):
            mixed()
    assert dollars != euros
    assert dollars + dollars * 2 - dollars == 2 * dollars
    assert -dollars == Money(-100, "USD")
    assert dollars.amount == Decimal("1.00")


@given(st.integers(1 - 10**18, 10**18 - 1), st.sampled_from(sorted(EXPONENTS)))
def test_money_reads_what_it_writes(minor, currency):
    assert Money.parse(str(Money(minor, currency))) == Money(minor, currency)


@pytest.mark.parametrize(
    "number, half_up, half_even, up, down",
    [
        ("2.5", 3, 2, 3, 2),
        ("3.5", 4, 4, 4, 3),
        ("2.4", 2, 2, 3, 2),
        ("-2.5", -3, -2, -3, -2),
        ("2.000000001", 2, 2, 3, 2),
        ("2", 2, 2, 2, 2),
    ],
)
def test_rounding_is_as_its_mode_says(number, half_up, half_even, up, down):
    found = [round_number(Decimal(number), mode) for mode in ("half_up", "half_even", "up", "down")]
    assert found == [half_up, half_even, up, down]
    with pytest.raises(MoneyError):
        round_number(Decimal(1), "nearest")


def test_money_with_parts_of_a_cent_is_shown_whole():
    assert str(UnroundedMoney(Decimal("1234.5"), "USD")) == "12.345 USD"
    assert str(UnroundedMoney(Decimal("1200.0"), "USD")) == "12.00 USD"
    assert UnroundedMoney(Decimal("1234.5"), "USD").rounded("half_up") == Money(1235, "USD")


@pytest.mark.parametrize(
    "notation, declared",
    [
        ("text", Declared(language.Text())),
        ("money", Declared(USD)),
        ("money?", Declared(USD, optional=True)),
        ("money, any sign", Declared(language.Money(("USD",), any_sign=True))),
        ("money?, any sign, personal", Declared(language.Money(("USD",), any_sign=True), optional=True, personal=True)),
        ("text, personal", Declared(language.Text(), personal=True)),
        ("time?, max_age 1 hour", Declared(language.Time(), optional=True, max_age=timedelta(hours=1))),
        ("list of item", Declared(ListOf(ITEM))),
        ("list of text?", Declared(ListOf(language.Text()), optional=True)),
        ("item?", Declared(ITEM, optional=True)),
        ("money, computed as refund_due", Declared(USD, computed="refund_due")),
        (["a", "b"], Declared(OneOf(("a", "b")))),
        ("[a, b c]?", Declared(OneOf(("a", "b c")), optional=True)),
        ("  decimal  ", Declared(language.Decimal_())),
    ],
)
def test_types_are_written_on_one_line(notation, declared):
    assert parse_type(notation, RECORDS, ("USD",)) == declared


@pytest.mark.parametrize(
    "notation, offset, message",
    [
        ("txt", 0, "did you mean `text`?"),
        ("itm", 0, "did you mean `item`?"),
        ("boolean", 0, "here it is called `yes_no`"),
        ("float", 0, "here it is called `decimal`"),
        ("", 0, "expected a type"),
        ("text?, persnal", 7, "did you mean `personal`?"),
        ("text, any sign", 6, "belongs to money"),
        ("time?, max_age soon", 7, "like `max_age 1 hour`"),
        ("money, computed refund_due", 7, "expected `computed as`"),
        ("list of", 0, "like `list of text`"),
        ("list of txt", 8, "did you mean `text`?"),
        ("list of text?, personl", 15, "did you mean `personal`?"),
        ("list of list of text", 8, "a list of lists"),
        ("[a, b", 0, "not closed"),
        ("[]", 0, "at least one value"),
        ("[a, a]", 0, "stands twice"),
        ("text personal", 0, "put a comma between"),
        ([], 0, "at least one value"),
        (["a", ""], 0, "plain words"),
    ],
)
def test_a_broken_type_gets_a_message_at_its_place(notation, offset, message):
    with pytest.raises(LanguageError) as caught:
        parse_type(notation, RECORDS, ("USD",))
    ((found, _, said),) = caught.value.problems
    assert (found, message in said) == (offset, True), said


def test_money_without_a_currency_of_the_file_is_refused():
    with pytest.raises(LanguageError, match="needs a currency"):
        parse_type("money", {}, ())


class Colour(enum.StrEnum):
    RED = "red"


DOLLAR = Money(100, "USD")


@dataclass
class Line:
    sku: str = "a"
    price: Money = DOLLAR
    quantity: int = 1
    final_sale: bool = False
    note: str | None = None
    secret: str = "not declared"


SIGNED = language.Money(("USD",), any_sign=True)


@pytest.mark.parametrize(
    "kind, given_value, expected",
    [
        (language.Text(), "é", "é"),
        (language.Text(), "x" * 10_000, "x" * 10_000),
        (OneOf(("red",)), Colour.RED, "red"),
        (language.Integer(), 10**18 - 1, 10**18 - 1),
        (language.Decimal_(), 5, Decimal(5)),
        (language.Decimal_(), Decimal("0.123456789"), Decimal("0.123456789")),
        (USD, Money(1, "USD"), Money(1, "USD")),
        (USD, Decimal("40.00"), Money(4000, "USD")),
        (SIGNED, Money(0, "USD"), Money(0, "USD")),
        (SIGNED, Money(-5, "USD"), Money(-5, "USD")),
        (language.YesNo(), False, False),
        (language.Date(), date(2026, 1, 2), date(2026, 1, 2)),
        (language.Duration(), timedelta(hours=1), timedelta(hours=1)),
        (
            language.Time(),
            datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
            datetime(2026, 1, 2, 1, tzinfo=UTC),
        ),
        (ListOf(language.Integer()), [1, 2], (1, 2)),
        (ListOf(language.Integer()), [1] * 1_000, (1,) * 1_000),
        (ITEM, Line(), {"sku": "a", "price": Money(100, "USD"), "quantity": 1, "final_sale": False}),
        (
            ITEM,
            {"sku": "a", "price": Money(100, "USD"), "quantity": 1, "final_sale": False, "note": "n", "more": 1},
            {"sku": "a", "price": Money(100, "USD"), "quantity": 1, "final_sale": False, "note": "n"},
        ),
    ],
)
def test_values_that_fit_take_one_form(kind, given_value, expected):
    assert conform(kind, given_value) == expected
    assert type(conform(kind, given_value)) in {type(expected), type(conform(ITEM, Line()))}


@pytest.mark.parametrize(
    "kind, given_value, reason",
    [
        (language.Text(), 5, "not_text"),
        (language.Text(), None, "not_text"),
        (language.Text(), "x" * 10_001, "too_long"),
        (language.Text(), "\ufb2c" * 3_334, "too_long"),
        (language.Text(), "\ud800", "not_text"),
        (OneOf(("red",)), "blue", "not_one_of"),
        (language.Integer(), True, "not_a_number"),
        (language.Integer(), 5.0, "not_a_number"),
        (language.Integer(), "5", "not_a_number"),
        (language.Integer(), 10**18, "too_many_digits"),
        (language.Decimal_(), 0.1, "not_a_number"),
        (language.Decimal_(), Decimal("NaN"), "not_a_number"),
        (language.Decimal_(), Decimal("1E-10"), "too_many_digits"),
        (language.Decimal_(), Decimal("1E18"), "too_many_digits"),
        (USD, 40, "not_money"),
        (USD, 40.0, "not_money"),
        (USD, "40.00", "not_money"),
        (USD, Decimal("0.001"), "not_money"),
        (USD, UnroundedMoney(Decimal(1), "USD"), "not_money"),
        (USD, Money(1, "EUR"), "wrong_currency"),
        (USD, Money(0, "USD"), "not_positive"),
        (USD, Money(-1, "USD"), "not_positive"),
        (USD, Money(10**20, "USD"), "too_many_digits"),
        (language.Money(("EUR", "USD")), Decimal(5), "not_money"),
        (language.YesNo(), 1, "not_a_yes_no"),
        (language.YesNo(), "yes", "not_a_yes_no"),
        (language.Date(), datetime(2026, 1, 1, tzinfo=UTC), "not_a_date"),
        (language.Time(), datetime(2026, 1, 1), "no_time_zone"),
        (language.Time(), date(2026, 1, 1), "not_a_time"),
        (language.Duration(), 5, "not_a_duration"),
        (ListOf(language.Text()), "abc", "not_a_list"),
        (ListOf(language.Text()), {"a"}, "not_a_list"),
        (ListOf(language.Text()), ["a"] * 1_001, "too_long"),
        (ListOf(language.Integer()), [1, "2"], "not_a_number"),
        (ITEM, {"sku": "a"}, "missing_field"),
        (ITEM, "a", "not_a_record"),
        (ITEM, None, "not_a_record"),
        (ITEM, Line(quantity=1.5), "not_a_number"),
    ],
)
def test_values_that_do_not_fit_are_refused_with_a_reason(kind, given_value, reason):
    with pytest.raises(ConformError) as caught:
        conform(kind, given_value)
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)


def test_a_record_can_be_held_to_its_fields():
    fields = vars(Line()) | {"note": "n"}
    with pytest.raises(ConformError) as caught:
        conform(ITEM, fields, exact_fields=True)
    assert caught.value.reason == "unknown_field"


def test_a_record_is_frozen():
    with pytest.raises(TypeError):
        conform(ITEM, Line())["sku"] = "b"


@pytest.mark.parametrize(
    "written, item, levels",
    [
        ({"a": "1", "b": "2"}, language.Integer(), 1),
        ({"a": "1", "b": "2.50"}, language.Decimal_(), 1),
        ({"a": {"x": "yes"}, "b": {"y": "no"}}, language.YesNo(), 2),
        ({"a": "30 days", "b": "1 hour"}, language.Duration(), 1),
        ({"a": "2026-01-01"}, language.Date(), 1),
        ({"a": "5.00 USD", "b": "4.00 EUR"}, language.Money(("EUR", "USD"), any_sign=True), 1),
        ({"a": "gold", "b": "silver"}, OneOf(("gold", "silver")), 1),
    ],
)
def test_the_type_of_a_table_is_what_is_written_in_it(written, item, levels):
    table = parse_table("t", written)
    assert (table.item, table.levels) == (item, levels)


@pytest.mark.parametrize(
    "written, message",
    [
        ({}, "at least one entry"),
        ({"a": {"x": "1"}, "b": "2"}, "nest equally deep"),
        ({"a": "1", "b": "many"}, "of one type, got `1` and `many`"),
        ({"a": {"b": {"c": {"d": {"e": "1"}}}}}, "nests at most 4 deep"),
    ],
)
def test_a_broken_table_says_what_is_wrong(written, message):
    with pytest.raises(LanguageError, match=message):
        parse_table("t", written)


def test_a_table_gives_the_entry_under_its_keys_or_none():
    table = parse_table("t", {"a": {"x": "1"}})
    assert table.get(("a", "x")) == 1
    assert table.get(("a", "y")) is None
    assert table.get(("b", "x")) is None
