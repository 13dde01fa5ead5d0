"""Law 16: what a model sends becomes canonical once, or is refused with every fault named."""

import enum
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard import Money
from agentguard.core import language
from agentguard.core.arguments import MAX_JSON_CHARACTERS, Arguments, canonical_arguments
from agentguard.core.language import Declared

pytestmark = pytest.mark.law(16)

ITEM = language.Record(
    "item", {"sku": Declared(language.Text()), "price": Declared(language.Money(("USD",)), optional=True)}
)
TYPES = {
    "money": language.Money(("USD",)),
    "yen": language.Money(("JPY",)),
    "two": language.Money(("USD", "EUR")),
    "delta": language.Money(("USD",), any_sign=True),
    "text": language.Text(),
    "integer": language.Integer(),
    "decimal": language.Decimal_(),
    "yes_no": language.YesNo(),
    "date": language.Date(),
    "time": language.Time(),
    "duration": language.Duration(),
    "one_of": language.OneOf(("late", "damaged")),
    "items": language.ListOf(ITEM),
}


class Reason(str, enum.Enum):  # noqa: UP042 - written as hosts did before there was `StrEnum`
    LATE = "late"


class Level(enum.IntEnum):
    HIGH = 3


class Nowhere(tzinfo):
    def utcoffset(self, _):
        return None


def read(kind, raw):
    return canonical_arguments({"x": Declared(TYPES[kind])}, {"x": raw})


def code(parsed):
    (fault,) = parsed.faults
    assert parsed.values == {}
    return fault.code


@pytest.mark.parametrize(
    "kind, raw, value",
    [
        ("money", "40.00", Money.of("40", "USD")),
        ("money", "40", Money.of("40", "USD")),
        ("money", "40.00 USD", Money.of("40", "USD")),
        ("money", 40, Money.of("40", "USD")),
        ("money", Decimal("40.10"), Money.of("40.10", "USD")),
        ("money", Money.of("40", "USD"), Money.of("40", "USD")),
        ("money", {"amount": "40", "currency": "USD"}, Money.of("40", "USD")),
        ("money", "0.01", Money(1, "USD")),
        ("yen", "40", Money(40, "JPY")),
        ("two", "40.00 EUR", Money.of("40", "EUR")),
        ("delta", "-3.50", Money(-350, "USD")),
        ("delta", 0, Money(0, "USD")),
        ("text", "e\u0301 ", "\u00e9 "),
        ("text", "two\nlines", "two\nlines"),
        ("text", "\U0001f469\u200d\U0001f469 \u0645\u06cc\u200c", "\U0001f469\u200d\U0001f469 \u0645\u06cc\u200c"),
        ("integer", 3, 3),
        ("integer", 10**18 - 1, 10**18 - 1),
        ("decimal", "0.5", Decimal("0.5")),
        ("decimal", 7, Decimal(7)),
        ("integer", Level.HIGH, 3),
        ("text", Reason.LATE, "late"),
        ("one_of", Reason.LATE, "late"),
        (
            "time",
            datetime(2026, 12, 24, 18, tzinfo=timezone(timedelta(hours=1))),
            datetime(2026, 12, 24, 17, tzinfo=UTC),
        ),
        ("duration", "1000000 days", timedelta(days=1_000_000)),
        ("duration", timedelta(days=1_000_000), timedelta(days=1_000_000)),
        ("text", "\ufb2c" * 3_333, "\u05e9\u05bc\u05c1" * 3_333),
        ("yes_no", True, True),
        ("date", "2026-12-24", date(2026, 12, 24)),
        ("time", "2026-12-24T18:00:00+01:00", datetime(2026, 12, 24, 17, tzinfo=UTC)),
        ("time", "2026-12-24T18:00:00Z", datetime(2026, 12, 24, 18, tzinfo=UTC)),
        ("duration", "30 minutes", timedelta(minutes=30)),
        ("duration", "1 hour", timedelta(hours=1)),
        ("one_of", "late", "late"),
        (
            "items",
            [{"sku": "a", "price": "1.00"}, {"sku": "b"}],
            ({"sku": "a", "price": Money(100, "USD")}, {"sku": "b"}),
        ),
        ("items", [], ()),
    ],
)
def test_what_is_exact_and_plain_is_read(kind, raw, value):
    parsed = read(kind, raw)
    assert parsed.faults == ()
    found = parsed.values["x"]
    assert (tuple(dict(item) for item in found) if kind == "items" else found) == value


@pytest.mark.parametrize("written", ["1.5", "1.50", "1.500000000", Decimal("1.50"), Decimal("15E-1")])
def test_a_number_has_one_form_however_many_zeros_are_written(written):
    assert str(read("decimal", written).values["x"]) == "1.5"


@pytest.mark.parametrize(
    "written, form", [("-0", "0"), ("0.00", "0"), ("100", "100"), (Decimal("1E+2"), "100"), ("-100.0", "-100")]
)
def test_zero_and_round_numbers_have_one_form(written, form):
    assert str(read("decimal", written).values["x"]) == form


def test_text_that_shows_another_text_than_it_is_is_read_as_what_it_is():
    class Other(str):
        __slots__ = ()

        def __str__(self):
            return Other("B-18")

    found = read("text", Other("A-17")).values["x"]
    assert (type(found), found) == (str, "A-17")


@pytest.mark.parametrize(
    "kind, raw, expected",
    [
        ("money", 40.0, "float"),
        ("money", float("nan"), "float"),
        ("money", float("inf"), "float"),
        ("money", Decimal("NaN"), "not_a_number"),
        ("money", Decimal("Infinity"), "not_a_number"),
        ("money", Decimal("1E+400"), "not_a_number"),
        ("money", Decimal("1E-400"), "not_a_number"),
        ("money", "NaN", "not_a_number"),
        ("money", "Infinity", "not_a_number"),
        ("money", "10,000", "not_a_number"),
        ("money", "10.000,00", "not_a_number"),
        ("money", "1_000", "not_a_number"),
        ("money", "$9000", "not_a_number"),
        ("money", "€40", "not_a_number"),
        ("money", "1e3", "not_a_number"),
        ("money", "0x10", "not_a_number"),
        ("money", "040", "not_a_number"),
        ("money", "+40", "not_a_number"),
        ("money", ".5", "not_a_number"),
        ("money", "4.", "not_a_number"),
        ("money", "", "not_a_number"),
        ("money", "４０", "not_a_number"),
        ("money", "٤٠", "not_a_number"),
        ("money", " 40", "not_a_number"),
        ("money", "40 ", "currency"),
        ("money", "40\n", "not_a_number"),
        ("money", "40.001", "over_precise"),
        ("money", "40.0000000001", "not_a_number"),
        ("money", 10**400, "not_a_number"),
        ("money", 10**18, "not_a_number"),
        ("money", "-40", "not_positive"),
        ("money", "-0", "not_positive"),
        ("money", 0, "not_positive"),
        ("money", True, "wrong_type"),
        ("money", [40], "wrong_type"),
        ("money", {"amount": 40}, "wrong_type"),
        ("money", {"amount": 40, "currency": "USD", "x": 1}, "wrong_type"),
        ("money", b"40", "wrong_type"),
        ("money", "40.00 EUR", "currency"),
        ("money", "40.00 usd", "currency"),
        ("money", Money.of("40", "EUR"), "wrong_currency"),
        ("yen", "40.5", "over_precise"),
        ("two", "40.00", "currency_missing"),
        ("text", 7, "wrong_type"),
        ("text", True, "wrong_type"),
        ("text", ["a"], "wrong_type"),
        ("text", "a\x00b", "control_character"),
        ("text", "a\x1b[2J", "control_character"),
        ("text", "a\x7f", "control_character"),
        ("text", "a\r\nb", "control_character"),
        ("text", "abc\u202edef", "control_character"),
        ("text", "A-17\u200b", "control_character"),
        ("text", "\ufeffA-17", "control_character"),
        ("text", "A\u00ad17", "control_character"),
        ("text", "A-17\U000e0041", "control_character"),
        ("text", "\ud800", "control_character"),
        ("text", "A-17\u2028", "control_character"),
        ("text", "A-17\u3164", "control_character"),
        ("text", "\ufb2c" * 3_334, "too_long"),
        ("text", "x" * 10_001, "too_long"),
        ("integer", "3", "wrong_type"),
        ("integer", 3.0, "float"),
        ("integer", True, "wrong_type"),
        ("integer", Decimal("3.5"), "not_a_number"),
        ("integer", 10**18, "not_a_number"),
        ("decimal", 0.5, "float"),
        ("decimal", "abc", "not_a_number"),
        ("yes_no", "yes", "wrong_type"),
        ("yes_no", 1, "wrong_type"),
        ("date", "2026-02-30", "not_a_date"),
        ("date", "24.12.2026", "not_a_date"),
        ("date", datetime(2026, 1, 1, tzinfo=UTC), "not_a_date"),
        ("time", "2026-12-24T18:00:00", "not_a_time"),
        ("time", "2026-12-24", "not_a_time"),
        ("time", datetime(2026, 1, 1), "not_a_time"),
        ("time", datetime(2026, 1, 1, tzinfo=Nowhere()), "not_a_time"),
        ("time", datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))), "not_a_time"),
        ("time", "9999-12-31T23:59:59-01:00", "not_a_time"),
        ("duration", "PT30M", "not_a_duration"),
        ("duration", 30, "not_a_duration"),
        ("duration", "999999999 weeks", "too_large"),
        ("duration", "1000001 days", "too_large"),
        ("duration", timedelta(days=1_000_000, microseconds=1), "too_large"),
        ("one_of", "Late", "not_one_of"),
        ("one_of", "late ", "not_one_of"),
        ("one_of", None, "missing"),
        ("items", {"sku": "a"}, "wrong_type"),
        ("items", "ab", "wrong_type"),
        ("items", [{"sku": "a", "paid": True}], "unknown"),
        ("items", [{}], "missing"),
        ("items", [{"sku": "a"}] * 1_001, "too_long"),
    ],
)
def test_what_is_not_exact_and_plain_is_refused_with_its_code(kind, raw, expected):
    assert code(read(kind, raw)) == expected


@pytest.mark.parametrize("length, good", [(9_999, True), (10_000, True), (10_001, False)])
def test_the_bound_of_text_holds_at_just_under_and_just_over(length, good):
    assert bool(read("text", "x" * length).values) is good


@pytest.mark.parametrize("count, good", [(999, True), (1_000, True), (1_001, False)])
def test_the_bound_of_lists_holds_at_just_under_and_just_over(count, good):
    assert bool(read("items", [{"sku": "a"}] * count).values) is good


@pytest.mark.parametrize(
    "text, expected",
    [
        ('{"x": NaN}', "not_a_number"),
        ('{"x": Infinity}', "not_a_number"),
        ('{"x": -Infinity}', "not_a_number"),
        ('{"x": 1, "x": 2}', "duplicate"),
        ('{"x": 40', "not_json"),
        ("", "not_json"),
        ("40", "not_an_object"),
        ("[40]", "not_an_object"),
        ('"{}"', "not_an_object"),
        ("null", "not_an_object"),
        (b"\xff", "not_json"),
        ('{"x": ' + "[" * 40 + "]" * 40 + "}", "too_deep"),
        ('{"x": "' + "y" * MAX_JSON_CHARACTERS + '"}', "too_long"),
        ('{"x": 1e3}', "not_a_number"),
        ('{"x": 1E400}', "not_a_number"),
        ('{"x": ' + "9" * 5_000 + "}", "not_a_number"),
        ('{"x": 40.001}', "over_precise"),
        ('{"x": -0.0}', "not_positive"),
        ('{"x": true}', "wrong_type"),
        ('{"x": null}', "missing"),
        ("{}", "missing"),
    ],
)
def test_raw_json_that_is_not_a_plain_object_of_exact_values_is_refused(text, expected):
    assert code(canonical_arguments({"x": Declared(TYPES["money"])}, text)) == expected


@pytest.mark.parametrize("text", ['{"x": 40.10}', '{"x": "40.10"}', b'{"x": 40.1}', '{"x":4.01e1}'])
def test_numbers_of_raw_json_keep_every_digit(text):
    parsed = canonical_arguments({"x": Declared(TYPES["money"])}, text)
    assert parsed == (Arguments({}, parsed.faults) if "e1" in str(text) else Arguments({"x": Money(4010, "USD")}))


def test_unknown_arguments_are_refused_and_every_fault_is_named():
    declared = {name: Declared(kind) for name, kind in TYPES.items()}
    given_values = dict.fromkeys(TYPES, object()) | {"approved": True, "b\x00d": 1, 7: 1}
    parsed = canonical_arguments(declared, given_values)
    assert len(parsed.faults) == len(TYPES) + 3


def test_defaults_of_the_tool_fill_in_what_was_not_given_and_are_checked_too():
    declared = {"a": Declared(TYPES["integer"]), "b": Declared(TYPES["text"], optional=True)}
    assert canonical_arguments(declared, {}, {"a": 3}).values == {"a": 3}
    assert code(canonical_arguments(declared, {}, {"a": 3.5})) == "float"
    assert canonical_arguments(declared, {"a": 4, "b": None}, {"a": 3}).values == {"a": 4}


@pytest.mark.parametrize("given_value", [None, 7, ["x"], ("x", 1), object()])
def test_what_is_neither_a_mapping_nor_text_is_refused(given_value):
    assert code(canonical_arguments({}, given_value)) == "not_an_object"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.no_cover
@given(JSON, st.sampled_from(sorted(TYPES)))
def test_nothing_that_can_be_sent_raises_and_what_passes_is_stable(raw, kind):
    parsed = read(kind, raw)
    assert bool(parsed.values) != bool(parsed.faults)
    if parsed.values:
        assert read(kind, parsed.values["x"]).values == parsed.values


@given(st.text())
def test_no_text_makes_the_json_reader_raise(text):
    canonical_arguments({"x": Declared(TYPES["text"])}, text)


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.floats() | st.integers())
def test_whatever_number_is_read_is_exactly_the_number_that_was_given(number):
    parsed = read("delta", number)
    if parsed.values:
        assert parsed.values["x"].amount == number
        assert not isinstance(number, float)
