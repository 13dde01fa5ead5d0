"""One draw: exact at its edges, the same each time under one key, and of no use to whoever has another."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agentguard.core.digest import keyed_digests
from agentguard.core.reviews import RIGHT, WRONG, Draw, draw, opinion, period_of, stratum_of

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "value, share, taken",
    [
        ("7fffffffffffffff", 50_000, True),
        ("8000000000000000", 50_000, False),
        ("0000000000000000", 0, False),
        ("0000000000000000", 1, True),
        ("ffffffffffffffff", 99_999, False),
        ("ffffffffffffffff", 100_000, True),
    ],
)
def test_a_share_takes_every_value_below_it_and_none_at_it(value, share, taken):
    assert Draw("p", value, "rev_1").takes(share) is taken


def test_a_draw_is_one_and_the_same_under_a_key_and_another_one_under_another():
    one, other = keyed_digests(b"a" * 32), keyed_digests(b"b" * 32)
    assert draw(one, "refunds", "act_1") == draw(one, "refunds", "act_1")
    assert len({draw(keyed, policy, action).value for keyed in (one, other) for policy in "pq" for action in "ab"}) == 8


def test_no_name_of_a_policy_and_an_action_can_be_another_pair():
    keyed = keyed_digests(b"a" * 32)
    assert draw(keyed, 'p","act', "1") != draw(keyed, "p", 'act","1')


def test_ids_that_count_up_are_drawn_as_often_as_any():
    keyed = keyed_digests(b"a" * 32)
    taken = [draw(keyed, "refunds", f"act_{number:032x}").takes(2_000) for number in range(20_000)]
    assert 320 < sum(taken) < 480  # 2 % of 20,000 is 400; four standard deviations are 79
    assert sum(taken[:10_000]) > 120 < sum(taken[10_000:])


@pytest.mark.parametrize(
    "at, start, end",
    [
        # Monday 00:00 in Berlin is 23:00 or 22:00 UTC of Sunday
        ("2026-11-22T22:59:59", "2026-11-15T23:00", "2026-11-22T23:00"),
        ("2026-11-22T23:00:00", "2026-11-22T23:00", "2026-11-29T23:00"),
        ("2026-10-25T12:00:00", "2026-10-18T22:00", "2026-10-25T23:00"),  # clocks go back on that Sunday
        ("2026-03-29T12:00:00", "2026-03-22T23:00", "2026-03-29T22:00"),  # and forward on this one
    ],
)
def test_a_week_is_the_civil_one_where_the_policy_is(at, start, end):
    found = period_of("week", datetime.fromisoformat(at).replace(tzinfo=UTC), BERLIN)
    assert found == tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))


@pytest.mark.parametrize("day, hours", [("2026-10-25", 25), ("2026-03-29", 23), ("2026-11-22", 24)])
def test_a_day_is_as_long_as_it_is(day, hours):
    start, end = period_of("day", datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC), BERLIN)
    assert (end - start).total_seconds() == hours * 3600


def test_a_kind_is_what_the_record_says_and_names_what_nobody_named_as_empty():
    body = {"action": "a.b", "actor": {"id": "bot", "version": None, "model": "m1"}}
    assert stratum_of(("agent", "agent version", "model", "action"), body) == ("bot", "", "m1", "a.b")
    assert stratum_of((), body) == ()


@pytest.mark.parametrize(
    "said, counts",
    [
        ([], None),
        ([RIGHT], RIGHT),
        ([WRONG], WRONG),
        ([RIGHT, WRONG], WRONG),
        ([WRONG, RIGHT], WRONG),
        ([RIGHT, WRONG, RIGHT], RIGHT),
    ],
)
def test_what_counts_is_what_most_say_and_where_they_are_even_it_is_wrong(said, counts):
    assert opinion(said) == counts
