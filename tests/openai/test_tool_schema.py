"""What a model is shown of an action's arguments."""

import re

import jsonschema
import pytest

from agentguard.adapters.tool_schema import arguments_schema
from agentguard.core import language
from agentguard.core.language import Declared

USD = language.Money(("USD",))
ITEM = language.Record("item", {"sku": Declared(language.Text()), "price": Declared(USD, optional=True)})


def test_every_field_is_required_and_nothing_else_is_taken():
    schema = arguments_schema({"order_id": Declared(language.Text()), "amount": Declared(USD)})
    assert schema["required"] == ["order_id", "amount"]
    assert schema["additionalProperties"] is False


def test_what_the_policy_computes_is_not_asked_for():
    schema = arguments_schema({"order_id": Declared(language.Text()), "amount": Declared(USD, computed="refund_due")})
    assert list(schema["properties"]) == ["order_id"]


def test_what_may_be_missing_is_null_and_still_required():
    kinds = {
        "note": Declared(language.Text(), optional=True),
        "item": Declared(ITEM, optional=True),
        "n": Declared(language.Integer()),
    }
    schema = arguments_schema({**kinds, "why": Declared(language.OneOf(("late", "lost")), optional=True)}, {"n"})
    assert schema["required"] == ["note", "item", "n", "why"]
    jsonschema.validate({"note": None, "item": None, "n": None, "why": None}, schema)
    jsonschema.validate({"note": "x", "item": {"sku": "a", "price": None}, "n": 1, "why": "late"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"note": "x", "item": {"sku": "a"}, "n": 1, "why": "late"}, schema)


@pytest.mark.parametrize(
    "text, fits",
    [
        ("40", True),
        ("40.5", True),
        ("40.50", True),
        ("0.01", True),
        ("40.505", False),
        ("-1", False),
        ("$4", False),
        ("1e3", False),
        ("1,000", False),
        ("007", False),
        (" 4", False),
        ("4 ", False),
        ("", False),
        ("9" * 18, True),
        ("9" * 19, False),
    ],
)
def test_money_is_exact_decimal_text(text, fits):
    assert bool(re.search(arguments_schema({"a": Declared(USD)})["properties"]["a"]["pattern"], text)) is fits


def test_money_of_several_currencies_carries_its_own():
    pattern = arguments_schema({"a": Declared(language.Money(("USD", "JPY"), any_sign=True))})["properties"]["a"][
        "pattern"
    ]
    assert re.search(pattern, "-40.00 USD")
    assert not re.search(pattern, "40.00")
    assert not re.search(pattern, "40.00 EUR")


def test_yen_have_no_decimals():
    assert not re.search(
        arguments_schema({"a": Declared(language.Money(("JPY",)))})["properties"]["a"]["pattern"], "4.0"
    )


@pytest.mark.parametrize(
    "kind, good, bad",
    [
        (language.Decimal_(), "-2.5", "2,5"),
        (language.Duration(), "30 minutes", "half an hour"),
        (language.OneOf(("a", "b")), "a", "c"),
        (language.ListOf(language.Text()), ["x"], "x"),
        (language.YesNo(), True, "yes"),
        (language.Integer(), 3, 3.5),
    ],
)
def test_each_type_takes_its_own_values_only(kind, good, bad):
    schema = arguments_schema({"a": Declared(kind)})
    jsonschema.validate({"a": good}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"a": bad}, schema)


@pytest.mark.parametrize("kind", [language.Date(), language.Time()])
def test_days_and_instants_are_text_in_a_named_format(kind):
    assert arguments_schema({"a": Declared(kind)})["properties"]["a"]["format"].startswith("date")
