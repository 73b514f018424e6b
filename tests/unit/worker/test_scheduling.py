"""Cron texts in time zones: which moments they name."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.errors import ConfigurationError
from worker.scheduling import newest_slot, next_slot, slots

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = date(2026, 3, 29)  # 02:00 becomes 03:00
AUTUMN = date(2026, 10, 25)  # 03:00 becomes 02:00


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def of_day(cron: str, day: date) -> list[datetime]:
    """The firings of one day in Berlin."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN)
    end = (midnight + timedelta(days=1)).astimezone(UTC)
    before = midnight.astimezone(UTC) - timedelta(microseconds=1)
    return list(takewhile(lambda slot: slot < end, slots(cron, "Europe/Berlin", before)))


def test_a_daily_firing_in_the_hour_that_clocks_skip_comes_right_after_it():
    assert of_day("30 2 * * *", SPRING) == [utc("2026-03-29 01:00")]


def test_a_daily_firing_in_the_hour_that_clocks_repeat_comes_in_its_first_pass_only():
    assert of_day("30 2 * * *", AUTUMN) == [utc("2026-10-25 00:30")]


def test_an_hourly_schedule_fires_in_every_hour_that_there_is():
    assert [len(of_day("0 * * * *", day)) for day in (SPRING, date(2026, 6, 1), AUTUMN)] == [23, 24, 25]


def test_a_firing_is_not_repeated_when_asked_for_in_the_second_pass_of_the_hour():
    # 02:10 in the second pass: the daily 02:30 of the first pass is over.
    assert next_slot("30 2 * * *", "Europe/Berlin", utc("2026-10-25 01:10")) == utc("2026-10-26 01:30")


def test_two_times_that_the_skipped_hour_makes_one_fire_once():
    assert of_day("0 2,3 * * *", SPRING) == [utc("2026-03-29 01:00")]


@settings(deadline=None)
@given(
    cron=st.sampled_from(
        ["30 2 * * *", "0,30 1-3 * * *", "*/20 * * * *", "0 */2 * * *", "15 2,3 * * SUN", "0 0 * * *"]
    ),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]),
    week=st.sampled_from(
        ["2026-03-06", "2026-03-27", "2026-04-02", "2026-04-22", "2026-10-01", "2026-10-23", "2026-10-29"]
    ),
    seconds=st.integers(0, 5 * 86_400),
)
def test_which_firing_is_next_does_not_depend_on_where_one_starts(cron, zone, week, seconds):
    # Given the firings of some days around a change of clocks, walked in one go
    start = utc(week)
    walked = list(takewhile(lambda slot: slot < start + timedelta(days=13), slots(cron, zone, start)))
    assert walked == sorted(set(walked))
    # Then each moment between sees the same next one, and the same newest one
    now = start + timedelta(seconds=seconds)
    assert next_slot(cron, zone, now) == min(slot for slot in walked if slot > now)
    passed = [slot for slot in walked if slot <= now]
    if passed:
        assert newest_slot(cron, zone, walked[0], now) == passed[-1]


def test_the_newest_of_a_year_of_missed_minutes_is_found_without_walking_it():
    now = utc("2026-06-01 12:00:30")
    assert newest_slot("* * * * *", "Europe/Berlin", utc("2006-06-01"), now) == utc("2026-06-01 12:00")


def test_the_newest_of_rare_firings_is_found_however_long_ago():
    assert newest_slot("0 0 1 1 *", "UTC", utc("2020-01-01"), utc("2026-06-01")) == utc("2026-01-01")
    assert newest_slot("0 0 1 1 *", "UTC", utc("2026-01-01"), utc("2026-06-01")) == utc("2026-01-01")


def test_firings_are_given_in_utc_whatever_zone_the_question_came_in():
    asked = datetime(2026, 6, 1, 12, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
    found = list(islice(slots("0 9 * * 1-5", "America/New_York", asked), 2))
    assert found == [utc("2026-06-01 13:00"), utc("2026-06-02 13:00")]
    assert {slot.tzinfo for slot in found} == {UTC}


@pytest.mark.parametrize(
    ("cron", "seen"),
    [
        ("61 * * * *", "Bad minute"),
        ("* 24 * * *", "Bad hour"),
        ("* * * * FUNDAY", "Bad day-of-week"),
        ("@daily", "1 fields"),
        ("", "0 fields"),
        ("*/10 * * * * *", "6 fields"),
        ("0 0 31 2 *", "Bad day-of-month"),
        ("0 0 * * 1#" + "9" * 5000, "Exceeds the limit"),
    ],
)
def test_a_cron_text_that_cannot_be_read_is_refused_with_what_was_expected(cron, seen):
    with pytest.raises(ConfigurationError, match=f"(?s){seen}.*expected minute, hour, day of month"):
        slots(cron, "UTC", utc("2026-01-01"))


def test_a_cron_text_that_fits_no_day_is_refused():
    with pytest.raises(ConfigurationError, match="no day of the next 50 years"):
        next_slot("* * */20 * 1L", "UTC", utc("2026-01-01"))


@pytest.mark.parametrize("zone", ["", "Europe", "Mars/Olympus", "/etc/passwd", "../UTC"])
def test_a_time_zone_that_is_not_known_is_refused_with_what_to_do(zone):
    with pytest.raises(ConfigurationError, match=r"time_zone is .*expected a name such as 'Europe/Berlin'; mend"):
        slots("0 0 * * *", zone, utc("2026-01-01"))
