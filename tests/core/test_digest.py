"""Canonical bytes are RFC 8785, and every value comes back as it was."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from agentguard.core import language
from agentguard.core.digest import (
    LARGEST_JSON_INTEGER,
    canonical_bytes,
    decode,
    encode,
    keyed_digest,
)
from agentguard.core.lifecycle import State
from agentguard.core.money import Money
from agentguard.errors import ConformError

whole = st.integers(min_value=-LARGEST_JSON_INTEGER, max_value=LARGEST_JSON_INTEGER)
keys = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@dataclass
class Declared:
    name: str


class Pair(NamedTuple):
    one: int
    other: int


documents = st.recursive(
    st.none() | st.booleans() | whole | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(documents)
def test_the_bytes_of_a_document_are_those_of_an_independent_rfc_8785(document):
    assert canonical_bytes(document) == rfc8785.dumps(document)


@pytest.mark.parametrize(
    "outside",
    [
        1.5,
        float("nan"),
        {"k": [0.0]},
        {"clé": 1},
        {1: 2},
        {"k": [{State.READY: 1}]},
        {"k": [State.READY]},
        {"k": UUID(int=1)},
        pytest.param({"k": orjson.Fragment(b"1")}, id="fragment"),
        {"k": date(2026, 11, 20)},
        {"k": datetime(2026, 11, 20, tzinfo=UTC)},
        {"k": Declared("x")},
        {"k": Pair(1, 2)},
        {"k": OrderedDict(a=1)},
        LARGEST_JSON_INTEGER + 1,
        {"k": {1, 2}},
        b"x",
    ],
    ids=repr,
)
def test_what_is_outside_the_subset_is_refused(outside):
    with pytest.raises(ConformError):
        canonical_bytes(outside)


@pytest.mark.parametrize("written", ["3", "3.0", "3.000", "0.3E+1"])
def test_a_number_has_one_encoding(written):
    assert encode(Decimal(written)) == "3"


def test_the_largest_json_integer_is_a_number_and_one_more_is_text():
    assert encode(LARGEST_JSON_INTEGER) == LARGEST_JSON_INTEGER
    assert encode(LARGEST_JSON_INTEGER + 1) == "9007199254740992"


ITEM = language.Record(
    "item",
    {"price": language.Declared(language.Money(("USD",))), "final_sale": language.Declared(language.YesNo())},
)
VALUES = [
    (language.Text(), "a ‘b’ \u0000 😀"),
    (language.Integer(), -7),
    (language.Integer(), 10**17),
    (language.Decimal_(), Decimal("0.100")),
    (language.Decimal_(), Decimal("1E+3")),
    (language.Money(("USD",)), Money.of("40.00", "USD")),
    (language.Money(("JPY",), any_sign=True), Money.of("-40", "JPY")),
    (language.Money(("KWD",)), Money.of("0.001", "KWD")),
    (language.YesNo(), True),
    (language.Date(), date(2026, 11, 20)),
    (language.Time(), datetime(2026, 11, 20, 10, 0, 0, 1, tzinfo=UTC)),
    (language.Duration(), timedelta(days=-3, microseconds=1)),
    (language.OneOf(("a", "b")), "b"),
    (language.ListOf(ITEM), ({"price": Money.of("1", "USD"), "final_sale": False},)),
    (language.ListOf(language.Text()), ()),
]


@pytest.mark.parametrize("kind,value", VALUES, ids=lambda item: str(item)[:30])
def test_a_value_comes_back_from_its_encoding_as_it_was(kind, value):
    assert decode(kind, encode(value)) == value
    canonical_bytes(encode(value))


@pytest.mark.parametrize(
    "kind,encoded",
    [
        (language.Integer(), "x"),
        (language.Money(("USD",)), 40),
        (language.YesNo(), 1),
        (language.Time(), "2026-11-20"),
        (language.Text(), 4),
        (language.ListOf(ITEM), [{"color": 1}]),
        (language.Duration(), None),
    ],
)
def test_json_that_cannot_come_from_a_value_is_refused(kind, encoded):
    with pytest.raises(ConformError, match="expected an encoded"):
        decode(kind, encoded)


def test_the_order_of_keys_does_not_change_what_is_digested_and_a_value_does():
    assert canonical_bytes({"a": 1, "b": 2}) == canonical_bytes({"b": 2, "a": 1})
    assert canonical_bytes({"a": 1, "b": 2}) != canonical_bytes({"a": 2, "b": 1})


def test_a_keyed_digest_needs_its_key():
    assert keyed_digest(b"one", "cus_1") != keyed_digest(b"two", "cus_1")
