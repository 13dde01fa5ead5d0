"""Intervals and agreement against published figures, and what they say of nothing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.core.estimates import Interval, kappa, wilson


@pytest.mark.parametrize(
    "found, of, low, high",
    [
        # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3
        (81, 263, "0.2553", "0.3662"),
        (15, 148, "0.0624", "0.1605"),
        (0, 20, "0.0000", "0.1611"),
        (1, 29, "0.0061", "0.1718"),
    ],
)
def test_the_interval_is_the_published_one(found, of, low, high):
    assert wilson(found, of) == Interval(Decimal(low), Decimal(high))


def test_where_all_were_found_the_interval_ends_at_one_and_of_nothing_there_is_none():
    assert wilson(20, 20) == Interval(Decimal("0.8389"), Decimal("1.0000"))
    assert wilson(0, 0) is None


@given(st.integers(1, 5_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_rate_and_stays_between_nothing_and_everything(pair):
    found, of = pair
    interval = wilson(found, of)
    mirrored = wilson(of - found, of)
    assert 0 <= interval.low <= Decimal(found) / of + Decimal("0.00005")
    assert Decimal(found) / of - Decimal("0.00005") <= interval.high <= 1
    assert abs(interval.low - (1 - mirrored.high)) <= Decimal("0.0001")


@pytest.mark.parametrize(
    "counts, expected",
    [
        ((20, 5, 10, 15), "0.4000"),  # the textbook's table of 50 grants, two readers
        ((45, 15, 25, 15), "0.1304"),  # equal shares agree, unequal marginals: 0.1304 and 0.2593
        ((25, 35, 5, 35), "0.2593"),
        ((5, 0, 0, 5), "1.0000"),
        ((0, 5, 5, 0), "-1.0000"),
    ],
)
def test_kappa_is_the_published_one(counts, expected):
    assert kappa(*counts) == Decimal(expected)


def test_kappa_is_not_known_of_nothing_and_where_everybody_always_says_the_same():
    assert kappa(0, 0, 0, 0) is None
    assert kappa(7, 0, 0, 0) is None
    assert kappa(0, 0, 0, 7) is None
