"""Civil time: opening hours to the minute, days that the clock changes, and where windows begin."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.core.calendar import DAY_END, Calendar, Hours, Span, start_of, to_instant

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
HAVANA = ZoneInfo("America/Havana")
BEIRUT = ZoneInfo("Asia/Beirut")
DESK = ((Hours(time(8), time(18)),),) * 5 + ((), ())


def at(text, zone=BERLIN):
    return to_instant(datetime.fromisoformat(text), zone)


@pytest.mark.parametrize(
    "moment, inside",
    [
        ("2026-11-20 07:59:59.999999", False),
        ("2026-11-20 08:00", True),
        ("2026-11-20 17:59:59.999999", True),
        ("2026-11-20 18:00", False),
        ("2026-11-21 12:00", False),
        ("2026-12-25 12:00", False),
    ],
)
def test_opening_hours_begin_with_their_first_and_end_before_their_last_moment(moment, inside):
    calendar = Calendar(week=DESK, closed=frozenset({date(2026, 12, 25)}))
    assert calendar.contains(at(moment), BERLIN) is inside


@pytest.mark.parametrize(
    "moment, inside",
    [
        ("2026-11-20 21:59", False),
        ("2026-11-20 22:00", True),
        ("2026-11-21 00:00", True),
        ("2026-11-21 05:59", True),
        ("2026-11-21 06:00", False),
    ],
)
def test_every_day_from_evening_to_morning_runs_past_midnight(moment, inside):
    quiet = Calendar(daily=(Hours(time(22), time(6)),), closed=frozenset({date(2026, 11, 20), date(2026, 11, 21)}))
    assert quiet.contains(at(moment), BERLIN) is inside


def test_a_span_counts_from_its_first_moment_to_before_its_last():
    blackout = Calendar(spans=(Span(datetime(2026, 12, 31, 18), datetime(2027, 1, 2, 8)),))
    for moment, inside in (
        ("2026-12-31 17:59", False),
        ("2026-12-31 18:00", True),
        ("2027-01-02 07:59", True),
        ("2027-01-02 08:00", False),
    ):
        assert blackout.contains(at(moment), BERLIN) is inside


def test_hours_to_midnight_and_overnight_hours_before_a_closed_day_end_at_midnight():
    late = Calendar(week=((Hours(time(20), DAY_END),),) * 7)
    assert late.contains(at("2026-11-20 23:59:59"), BERLIN)
    assert not late.contains(at("2026-11-21 00:00"), BERLIN)
    nights = Calendar(week=((Hours(time(20), time(4)),),) * 7, closed=frozenset({date(2026, 11, 21)}))
    assert nights.contains(at("2026-11-20 23:59"), BERLIN)
    assert not nights.contains(at("2026-11-21 01:00"), BERLIN)
    assert not nights.contains(at("2026-11-21 21:00"), BERLIN)


def test_a_calendar_may_have_its_own_zone():
    calendar = Calendar(week=DESK, zone=NEW_YORK)
    assert calendar.contains(at("2026-11-20 08:00", NEW_YORK), BERLIN)
    assert not calendar.contains(at("2026-11-20 08:00"), BERLIN)


def test_both_passings_of_a_doubled_hour_are_read_as_the_clock_shows_them():
    night = Calendar(daily=(Hours(time(2), time(3)),))
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert night.contains(first, BERLIN)
    assert night.contains(first + timedelta(hours=1), BERLIN)
    assert not night.contains(first + timedelta(hours=2), BERLIN)
    assert to_instant(datetime(2026, 10, 25, 2, 30), BERLIN) == first


@pytest.mark.parametrize(
    "start, hours, end",
    [
        ("2026-11-20 10:00", 4, "2026-11-20 14:00"),
        ("2026-11-20 16:00", 4, "2026-11-23 10:00"),
        ("2026-11-20 16:00", 2, "2026-11-20 18:00"),
        ("2026-11-21 12:00", 1, "2026-11-23 09:00"),
        ("2026-11-20 07:00", 10, "2026-11-20 18:00"),
        ("2026-11-20 17:00", 12, "2026-11-24 09:00"),
    ],
)
def test_working_time_counts_only_the_hours_of_the_calendar(start, hours, end):
    found = Calendar(week=DESK).add_working_time(at(start), timedelta(hours=hours), BERLIN)
    assert found == at(end)


def test_working_time_passes_in_real_hours_when_the_clock_changes():
    always = Calendar(daily=(Hours(time(0), DAY_END),))
    start = at("2026-10-24 12:00")
    assert always.add_working_time(start, timedelta(hours=24), BERLIN) == start + timedelta(hours=24)


def test_working_time_counts_in_a_span_that_began_long_before():
    calendar = Calendar(spans=(Span(datetime(2026, 11, 1), datetime(2026, 12, 1)),))
    assert calendar.add_working_time(at("2026-11-20 10:00"), timedelta(hours=4), BERLIN) == at("2026-11-20 14:00")


def test_working_time_that_never_comes_is_none():
    assert Calendar().add_working_time(at("2026-11-20 10:00"), timedelta(hours=1), BERLIN) is None


@pytest.mark.parametrize(
    "unit, moment, zone, start",
    [
        ("day", "2026-11-20T22:59:59+00:00", BERLIN, "2026-11-19T23:00:00+00:00"),
        ("day", "2026-11-20T23:00:00+00:00", BERLIN, "2026-11-20T23:00:00+00:00"),
        ("week", "2026-11-22T12:00:00+00:00", BERLIN, "2026-11-15T23:00:00+00:00"),
        ("week", "2026-11-23T12:00:00+00:00", BERLIN, "2026-11-22T23:00:00+00:00"),
        ("month", "2026-11-20T12:00:00+00:00", BERLIN, "2026-10-31T23:00:00+00:00"),
        ("month", "2026-04-10T12:00:00+00:00", BERLIN, "2026-03-31T22:00:00+00:00"),
        ("year", "2026-07-10T12:00:00+00:00", BERLIN, "2025-12-31T23:00:00+00:00"),
        ("day", "2026-03-29T10:00:00+00:00", BERLIN, "2026-03-28T23:00:00+00:00"),
        ("day", "2026-03-29T10:00:00+00:00", BEIRUT, "2026-03-28T22:00:00+00:00"),
        ("day", "2026-03-08T12:00:00+00:00", HAVANA, "2026-03-08T05:00:00+00:00"),
        ("day", "2026-11-01T12:00:00+00:00", HAVANA, "2026-11-01T04:00:00+00:00"),
    ],
)
def test_civil_windows_begin_where_the_clock_says(unit, moment, zone, start):
    assert start_of(unit, datetime.fromisoformat(moment), zone) == datetime.fromisoformat(start)


def test_an_unknown_unit_is_refused():
    with pytest.raises(ValueError, match="quarter"):
        start_of("quarter", at("2026-11-20 10:00"), BERLIN)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sampled_from([BERLIN, NEW_YORK, HAVANA, BEIRUT, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")]),
    st.sampled_from(["day", "week", "month", "year"]),
)
def test_a_window_holds_its_moment_and_begins_in_the_same_civil_day(instant, zone, unit):
    start = start_of(unit, instant, zone)
    assert start <= instant
    assert start_of(unit, start, zone) == start
    if unit == "day":
        assert start.astimezone(zone).date() == instant.astimezone(zone).date()
        assert instant - start < timedelta(hours=26)
