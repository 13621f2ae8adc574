from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import PARIS, moment
from support.catalogue import reward
from support.property_settings import property_settings

from loyalty.kernel.period import LimitPeriod
from loyalty.model.reward import AppointmentCalendar, Limit
from loyalty.model.supply import CounterKey, CounterKind

NEW_YORK = ZoneInfo("America/New_York")


def local_times(appointments: AppointmentCalendar, day: date, zone: ZoneInfo) -> list[str]:
    """Return the appointments of a day in local time."""
    return [at.astimezone(zone).strftime("%H:%M") for at in appointments.on_day(day, zone)]


def test_appointments_lie_within_the_opening_hours_and_end_in_them() -> None:
    talks = AppointmentCalendar(frozenset({4, 5}), (time(10), time(11, 45)), 30, 1, 7)
    assert local_times(talks, date(2026, 6, 18), PARIS) == ["10:00", "10:30", "11:00"]
    assert local_times(talks, date(2026, 6, 17), PARIS) == []


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        (date(2026, 3, 8), NEW_YORK, ["01:00", "01:30", "03:00", "03:30"]),
        (date(2026, 11, 1), NEW_YORK, ["01:00", "01:30", "02:00", "02:30", "03:00", "03:30"]),
        (date(2026, 3, 29), PARIS, ["01:00", "01:30", "03:00", "03:30"]),
        (date(2026, 10, 25), PARIS, ["01:00", "01:30", "02:00", "02:30", "03:00", "03:30"]),
    ],
)
def test_a_time_that_a_change_of_clocks_skips_is_no_appointment(day: date, zone: ZoneInfo, expected: list[str]) -> None:
    talks = AppointmentCalendar(frozenset(), (time(1), time(4)), 30, 1, 7)
    assert local_times(talks, day, zone) == expected
    moments = [*talks.on_day(day, zone)]
    assert moments == sorted({*moments})


def test_appointments_can_be_booked_for_a_number_of_days() -> None:
    talks = AppointmentCalendar(frozenset(), (time(10), time(12)), 60, 1, 2)
    now = moment("2026-06-15 10:00")
    assert [at.astimezone(PARIS).strftime("%d %H") for at in talks.upcoming(now, PARIS)] == [
        "15 11",
        "16 10",
        "16 11",
        "17 10",
        "17 11",
    ]
    for when, offered in (
        ("2026-06-15 10:00", False),
        ("2026-06-15 11:00", True),
        ("2026-06-15 11:30", False),
        ("2026-06-17 11:00", True),
        ("2026-06-18 10:00", False),
        ("2026-06-14 10:00", False),
    ):
        assert talks.is_bookable(moment(when), now, PARIS) is offered


@given(
    minutes=st.sampled_from([15, 20, 45, 60]),
    start=st.integers(0, 20),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from([NEW_YORK, PARIS, ZoneInfo("Australia/Lord_Howe")]),
)
@property_settings(60)
def test_what_is_upcoming_is_what_can_be_booked(minutes: int, start: int, now: datetime, zone: ZoneInfo) -> None:
    talks = AppointmentCalendar(frozenset({1, 3, 7}), (time(start), time(start + 3)), minutes, 1, 9)
    upcoming = [*talks.upcoming(now, zone)]
    assert upcoming == sorted({*upcoming})
    assert all(talks.is_bookable(at, now, zone) and at > now for at in upcoming)
    assert not any(talks.is_bookable(at + timedelta(minutes=1), now, zone) for at in upcoming)


def test_relatives_orders_are_counted_separately() -> None:
    weekly = reward("mug", limit=Limit(1, LimitPeriod.WEEK))
    assert [weekly.limit_key(for_relative=relative) for relative in (False, True)] == ["mug", "mug/relative"]
    assert weekly.limit_period(moment("2026-06-14 23:59:59"), PARIS) == "2026-W24"
    assert weekly.limit_period(moment("2026-06-15 00:00"), PARIS) == "2026-W25"
    assert reward("mug").limit_period(moment("2026-06-15 00:00"), PARIS) == ""


def test_each_appointment_has_a_counter_of_its_own() -> None:
    talk, at = reward("talk"), moment("2026-06-15 10:00")
    assert talk.slot_counter_key(at) == CounterKey(CounterKind.SLOT, "talk", at)
    assert talk.slot_counter_key(at) != talk.slot_counter_key(at + timedelta(minutes=30))
    assert talk.stock_counter_key == CounterKey(CounterKind.STOCK, "talk")
