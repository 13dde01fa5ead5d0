"""What a model reads of a tool's result."""

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import BaseModel

from agentguard import Money
from agentguard.adapters.tool_result import MAX_CHARACTERS, MAX_NESTING, shown

FORTY = Money.of("40.00", "USD")


class Kind(enum.Enum):
    CARD = "card"


class Paid(BaseModel):
    by: Kind
    amounts: list[Decimal]


@dataclass
class Receipt:
    amount: Money
    paid: Paid


@pytest.mark.parametrize(
    "result, expected",
    [
        (FORTY, "40.00 USD"),
        ({"a": [FORTY, None, True, 1, 0.5]}, {"a": ["40.00 USD", None, True, 1, 0.5]}),
        (
            Receipt(FORTY, Paid(by=Kind.CARD, amounts=[Decimal("1.10")])),
            {"amount": "40.00 USD", "paid": {"by": "card", "amounts": ["1.10"]}},
        ),
        (datetime(2026, 11, 24, 12, tzinfo=UTC), "2026-11-24T12:00:00+00:00"),
        (date(2026, 11, 24), "2026-11-24"),
        (timedelta(minutes=90), "1:30:00"),
        ((1, 2), [1, 2]),
        ({3: "x"}, {"3": "x"}),
    ],
)
def test_values_are_shown_as_people_write_them(result, expected):
    assert shown(result) == expected


@pytest.mark.parametrize("result", [object(), {"a": object()}, float("nan"), float("inf"), b"bytes"])
def test_what_has_no_plain_form_is_not_shown(result):
    assert shown(result) is None


def test_what_is_too_long_or_too_deep_is_not_shown():
    assert shown("x" * (MAX_CHARACTERS - 2)) is not None
    assert shown("x" * (MAX_CHARACTERS - 1)) is None
    nested = []
    for _ in range(MAX_NESTING):
        nested = [nested]
    assert shown(nested) is not None
    assert shown([nested]) is None


def test_a_result_that_holds_itself_is_not_shown():
    endless = []
    endless.append(endless)
    assert shown(endless) is None
