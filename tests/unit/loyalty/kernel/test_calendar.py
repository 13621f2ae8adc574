from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.kernel.calendar import day_of, end_of, expiry_day, months_later, period_name, start_of
from loyalty.kernel.period import EndOf, ExpiryPolicy, LimitPeriod

# Zones whose clocks change at midnight, by half an hour, or that once left out a whole day.
ZONES = ("Europe/Paris", "America/New_York", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia")


@pytest.mark.parametrize(
    ("zone", "day", "starts", "hours"),
    [
        ("Europe/Paris", date(2024, 1, 15), "2024-01-14T23:00:00+00:00", 24),
        ("Europe/Paris", date(2024, 3, 31), "2024-03-30T23:00:00+00:00", 23),
        ("Europe/Paris", date(2024, 10, 27), "2024-10-26T22:00:00+00:00", 25),
        ("America/New_York", date(2024, 3, 10), "2024-03-10T05:00:00+00:00", 23),
        ("Africa/Cairo", date(2024, 4, 26), "2024-04-25T22:00:00+00:00", 23),
        ("Africa/Cairo", date(2024, 10, 31), "2024-10-30T21:00:00+00:00", 25),
        ("Australia/Lord_Howe", date(2024, 10, 6), "2024-10-05T13:30:00+00:00", 23.5),
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00:00+00:00", 0),
    ],
)
def test_a_day_lasts_as_long_as_its_zone_says(zone: str, day: date, starts: str, hours: float) -> None:
    where = ZoneInfo(zone)
    assert start_of(day, where).isoformat() == starts
    assert end_of(day, where) - start_of(day, where) == timedelta(hours=hours)


@given(
    zone=st.sampled_from(ZONES),
    when=st.datetimes(min_value=datetime(2005, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
)
@property_settings(150)
def test_every_moment_lies_inside_its_own_day(zone: str, when: datetime) -> None:
    where = ZoneInfo(zone)
    day = day_of(when, where)
    assert start_of(day, where) <= when < end_of(day, where)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2024, 3, 31), -1, date(2024, 2, 29)),
        (date(2024, 11, 15), 3, date(2025, 2, 15)),
        (date(2024, 1, 1), -1, date(2023, 12, 1)),
        (date(2024, 5, 31), 0, date(2024, 5, 31)),
    ],
)
def test_months_later_is_the_same_day_or_the_last_of_a_shorter_month(day: date, months: int, later: date) -> None:
    assert months_later(day, months) == later


@pytest.mark.parametrize(
    ("expiry", "day"),
    [
        (ExpiryPolicy(), None),
        (ExpiryPolicy(months=6), date(2024, 7, 31)),
        (ExpiryPolicy(days=30), date(2024, 3, 1)),
        (ExpiryPolicy(months=1, days=1), date(2024, 3, 1)),
        (ExpiryPolicy(months=12, end_of=EndOf.MONTH), date(2025, 1, 31)),
        (ExpiryPolicy(months=1, end_of=EndOf.MONTH), date(2024, 2, 29)),
        (ExpiryPolicy(months=1, end_of=EndOf.QUARTER), date(2024, 3, 31)),
        (ExpiryPolicy(months=3, end_of=EndOf.QUARTER), date(2024, 6, 30)),
        (ExpiryPolicy(months=12, end_of=EndOf.YEAR), date(2025, 12, 31)),
        (ExpiryPolicy(end_of=EndOf.YEAR), date(2024, 12, 31)),
        (ExpiryPolicy(end_of=EndOf.MONTH), date(2024, 1, 31)),
    ],
)
def test_the_last_day_of_points_earned_on_31_january(expiry: ExpiryPolicy, day: date | None) -> None:
    assert expiry_day(date(2024, 1, 31), expiry) == day


@pytest.mark.parametrize(
    ("day", "period", "span"),
    [
        (date(2024, 12, 31), LimitPeriod.DAY, "2024-12-31"),
        (date(2024, 12, 31), LimitPeriod.WEEK, "2025-W01"),
        (date(2023, 1, 1), LimitPeriod.WEEK, "2022-W52"),
        (date(2024, 12, 31), LimitPeriod.MONTH, "2024-12"),
        (date(2024, 12, 31), LimitPeriod.YEAR, "2024"),
        (date(2024, 12, 31), LimitPeriod.EVER, "ever"),
    ],
)
def test_a_cap_looks_at_the_span_around_the_day(day: date, period: LimitPeriod, span: str) -> None:
    assert period_name(day, period) == span
