"""Civil windows over the zones of the world: they tile time, a doubled hour counts for both, a missing day is none."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentguard.core.calendar import start_of

ZONES = [
    "UTC",
    "Europe/Berlin",  # 02:00 goes to 03:00, 03:00 back to 02:00
    "America/New_York",
    "America/Havana",  # midnight is skipped in spring and doubled in autumn
    "America/Sao_Paulo",  # until 2019 midnight was skipped
    "America/St_Johns",  # until 2011 the clock went from 00:01 back to 23:01 of the day before
    "Australia/Lord_Howe",  # half an hour
    "Africa/Cairo",
    "Asia/Beirut",
    "Pacific/Apia",  # had no 30 December 2011
    "Pacific/Kwajalein",  # had no 21 August 1993
    "Antarctica/Troll",  # two hours
]
UNITS = ["day", "week", "month", "year"]

zones = st.sampled_from(ZONES).map(ZoneInfo)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))
units = st.sampled_from(UNITS)


def civil(instant, zone):
    return instant.astimezone(zone).replace(tzinfo=None)


def name_of(unit, instant, zone):
    """What a person calls the window that an instant lies in."""
    day = civil(instant, zone).date()
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}[unit]


@given(units, instants, zones)
@example("day", datetime(2011, 12, 31, 9, 59, tzinfo=UTC), ZoneInfo("Pacific/Apia"))
@example("day", datetime(2025, 11, 2, 4, 30, tzinfo=UTC), ZoneInfo("America/Havana"))
@example("day", datetime(2010, 11, 7, 2, 31, tzinfo=UTC), ZoneInfo("America/St_Johns"))
@example("day", datetime(2010, 11, 7, 3, 0, tzinfo=UTC), ZoneInfo("America/St_Johns"))
def test_a_window_begins_before_every_instant_that_a_person_counts_to_it(unit, instant, zone):
    start = start_of(unit, instant, zone)
    assert start <= instant
    assert name_of(unit, start, zone) == name_of(unit, instant, zone)
    # Nothing of the same name lies before: a limit counts too much rather than too little where a time comes twice.
    assert name_of(unit, start - timedelta(microseconds=1), zone) != name_of(unit, instant, zone)


@given(units, instants, zones, st.integers(1, 400_000))
def test_windows_tile_time_without_gaps(unit, instant, zone, minutes):
    later = instant + timedelta(minutes=minutes)
    first, last = start_of(unit, instant, zone), start_of(unit, later, zone)
    if name_of(unit, instant, zone) == name_of(unit, later, zone):
        assert first == last
    elif name_of(unit, instant, zone) < name_of(unit, later, zone):
        assert first < last
        assert instant < last or zone.key == "America/St_Johns"


@given(units, instants, zones)
def test_a_window_does_not_reopen_when_a_clock_is_set_back(unit, instant, zone):
    """What was used before the clock goes back an hour still counts after it."""
    start = start_of(unit, instant, zone)
    for minutes in (30, 60, 90, 120, 180):
        later = instant + timedelta(minutes=minutes)
        if name_of(unit, later, zone) <= name_of(unit, instant, zone):
            assert start_of(unit, later, zone) <= start


@pytest.mark.parametrize(
    "zone, day, hours",
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/Havana", date(2025, 3, 9), 23),
        ("America/Havana", date(2025, 11, 2), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Antarctica/Troll", date(2026, 10, 25), 26),
        ("Pacific/Apia", date(2011, 12, 29), 24),
        ("Pacific/Apia", date(2011, 12, 31), 24),
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(zone, day, hours):
    zone = ZoneInfo(zone)
    inside = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    start = start_of("day", inside, zone)
    end = start + timedelta(hours=hours)
    assert start_of("day", end - timedelta(microseconds=1), zone) == start
    assert start_of("day", end, zone) == end


def test_the_day_that_a_zone_skipped_begins_and_ends_nowhere():
    zone = ZoneInfo("Pacific/Apia")
    last = datetime(2011, 12, 30, 9, 59, 59, tzinfo=UTC)
    first = last + timedelta(seconds=1)
    assert (civil(last, zone).date(), civil(first, zone).date()) == (date(2011, 12, 29), date(2011, 12, 31))
    assert start_of("day", first, zone) == first
    assert start_of("day", last, zone) == first - timedelta(days=1)
