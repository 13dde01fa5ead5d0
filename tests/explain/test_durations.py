"""Lengths of time are said exactly, in one unit where that reads well."""

from datetime import timedelta

import pytest

from agentguard.core.values import duration_words


@pytest.mark.parametrize(
    "length, words",
    [
        (timedelta(0), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=59), "59 seconds"),
        (timedelta(seconds=60), "1 minute"),
        (timedelta(seconds=61), "61 seconds"),
        (timedelta(seconds=99), "99 seconds"),
        (timedelta(seconds=101), "1 minute 41 seconds"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(minutes=99), "99 minutes"),
        (timedelta(minutes=101), "1 hour 41 minutes"),
        (timedelta(hours=24), "1 day"),
        (timedelta(hours=99), "99 hours"),
        (timedelta(hours=101), "4 days 5 hours"),
        (timedelta(days=100), "100 days"),
        (timedelta(days=10, hours=2, seconds=3), "10 days 2 hours 3 seconds"),
        (-timedelta(minutes=5), "minus 5 minutes"),
    ],
)
def test_a_length_of_time_is_said_in_the_largest_unit_that_is_exact_or_in_several(length, words):
    assert duration_words(length) == words
