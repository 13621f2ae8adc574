from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.builders import moment
from support.catalogue import offer, reward
from support.property_settings import property_settings

from loyalty.kernel.window import Window, end_of_window, has_ended, is_open, moment_at, next_open_span
from loyalty.model.catalogue import Catalogue
from loyalty.model.offer_index import OfferIndex
from loyalty.rules.availability import time_obstacle

NEW_YORK, PARIS = ZoneInfo("America/New_York"), ZoneInfo("Europe/Paris")
CAIRO, LORD_HOWE = ZoneInfo("Africa/Cairo"), ZoneInfo("Australia/Lord_Howe")
# Days on which clocks change; in Cairo at midnight, on Lord Howe by half an hour.
CHANGES = (
    (NEW_YORK, date(2026, 3, 8)),
    (NEW_YORK, date(2026, 11, 1)),
    (PARIS, date(2026, 3, 29)),
    (PARIS, date(2026, 10, 25)),
    (CAIRO, date(2026, 4, 24)),
    (CAIRO, date(2026, 10, 29)),
    (LORD_HOWE, date(2026, 4, 5)),
    (LORD_HOWE, date(2026, 10, 4)),
)
MINUTE = timedelta(minutes=1)
WEDNESDAY, SUNDAY = 3, 7


def minutes_from(begin: datetime, days: int) -> Iterator[datetime]:
    return (begin + place * MINUTE for place in range(days * 24 * 60))


def opens_and_closes(
    window: Window, begin: datetime, zone: ZoneInfo, days: int
) -> tuple[datetime | None, datetime | None]:
    """Find the next span minute by minute."""
    opens = next((at for at in minutes_from(begin, days) if is_open(window, at, zone)), None)
    closes = next((at for at in minutes_from(opens, days) if not is_open(window, at, zone)), None) if opens else None
    return opens, closes


@pytest.mark.parametrize(
    ("zone", "weekday", "day"),
    [
        (NEW_YORK, WEDNESDAY, date(2026, 6, 17)),
        (NEW_YORK, WEDNESDAY, date(2026, 3, 11)),
        (NEW_YORK, WEDNESDAY, date(2026, 11, 4)),
        (PARIS, WEDNESDAY, date(2026, 4, 1)),
        (PARIS, WEDNESDAY, date(2026, 10, 28)),
        *((zone, SUNDAY, day) for zone, day in CHANGES[:4]),
    ],
)
def test_a_weekday_is_from_midnight_to_midnight_in_the_brands_zone(zone: ZoneInfo, weekday: int, day: date) -> None:
    window = Window(weekdays=frozenset({weekday}))
    begins, ends = (datetime.combine(day + timedelta(days=n), time(), zone).astimezone(UTC) for n in (0, 1))
    a_moment = timedelta(microseconds=1)
    assert not is_open(window, begins - timedelta(seconds=1), zone)
    assert not is_open(window, begins - a_moment, zone)
    assert is_open(window, begins, zone)
    assert is_open(window, ends - a_moment, zone)
    assert not is_open(window, ends, zone)
    for at in (begins - timedelta(seconds=1), begins, ends - a_moment):
        assert next_open_span(window, at, zone) == (begins, ends)
    following = next_open_span(window, ends, zone)
    assert following is not None
    assert following[0].astimezone(zone) == datetime.combine(day + timedelta(days=7), time(), zone)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 3, 1), 24)])
def test_a_day_is_as_long_as_its_clocks_make_it(day: date, hours: int) -> None:
    span = next_open_span(Window(weekdays=frozenset({SUNDAY})), moment_at(day, time(12), NEW_YORK), NEW_YORK)
    assert span is not None
    assert span[1] is not None
    assert span[1] - span[0] == timedelta(hours=hours)


def test_a_time_that_comes_twice_is_taken_at_its_first_and_one_that_is_skipped_at_the_change() -> None:
    assert moment_at(date(2026, 11, 1), time(1, 30), NEW_YORK) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert moment_at(date(2026, 3, 8), time(2, 30), NEW_YORK) == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
    assert moment_at(date(2026, 3, 8), time(3, 0), NEW_YORK) == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
    assert moment_at(date(2026, 3, 29), time(2, 59), PARIS) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert moment_at(date(2026, 10, 25), time(2, 0), PARIS) == datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert moment_at(date(2026, 6, 17), time(9, 0), PARIS) == datetime(2026, 6, 17, 7, 0, tzinfo=UTC)


@given(
    change=st.sampled_from(CHANGES),
    off=st.integers(-1, 1),
    clock=st.builds(time, st.integers(0, 23), st.integers(0, 59)),
)
@property_settings(150)
def test_the_moment_of_a_clock_is_the_first_that_shows_it_or_more(
    change: tuple[ZoneInfo, date], off: int, clock: time
) -> None:
    zone, day = change[0], change[1] + timedelta(days=off)
    found = moment_at(day, clock, zone)
    begin = datetime.combine(day, time(), zone).astimezone(UTC) - timedelta(hours=3)
    wanted = next(
        at for at in minutes_from(begin, 2) if (at.astimezone(zone).date(), at.astimezone(zone).time()) >= (day, clock)
    )
    assert found == wanted


CLOCKS = st.sampled_from([time(hour, minute) for hour in (0, 1, 1, 2, 2, 3, 12, 23) for minute in (0, 15, 30)])
HOURS = st.tuples(CLOCKS, CLOCKS)
WEEKDAYS = st.just(frozenset[int]()) | st.sets(st.sampled_from([1, 4, 5, 6, 7]), max_size=4).map(frozenset)


@given(
    change=st.sampled_from(CHANGES),
    minutes=st.integers(-120, 8 * 60) | st.integers(-26 * 60, 26 * 60),
    hours=HOURS | st.none(),
    weekdays=WEEKDAYS,
    days=st.tuples(st.none() | st.integers(-4, 1), st.none() | st.integers(-1, 9)),
)
@property_settings(150)
def test_the_next_span_is_what_is_found_minute_by_minute(
    change: tuple[ZoneInfo, date],
    minutes: int,
    hours: tuple[time, time] | None,
    weekdays: frozenset[int],
    days: tuple[int | None, int | None],
) -> None:
    zone, day = change
    first, last = (day + timedelta(days=off) if off is not None else None for off in days)
    assume(first is None or last is None or first <= last)
    window = Window(first, last, weekdays, hours)
    begin = moment_at(day, time(), zone) + minutes * MINUTE
    opens, closes = opens_and_closes(window, begin, zone, 13)
    span = next_open_span(window, begin, zone)
    if opens is None:
        assert span is None
        return
    assert span is not None
    assert span[0] == opens if opens > begin else span[0] <= begin
    assert span[1] == closes
    assert is_open(window, begin, zone) == (span[0] <= begin)


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_hours_around_a_change_of_clocks_are_what_clocks_show(zone: ZoneInfo, day: date) -> None:
    begin, quarter = moment_at(day, time(), zone) - timedelta(hours=3), timedelta(minutes=15)
    moments = [begin + place * quarter for place in range(4 * 60)]
    local = [at.astimezone(zone).time() for at in moments]
    clocks = [time(hour, minute) for hour in range(4) for minute in (0, 30)]
    for start in clocks:
        for end in clocks:
            hours = Window(hours=(start, end))
            opened = [start <= clock < end if start < end else clock >= start or clock < end for clock in local]
            assert [is_open(hours, at, zone) for at in moments] == opened
            for place in range(0, 4 * 30 if start != end else 0, 2):
                opens = next(later for later in range(place, len(moments)) if opened[later])
                closes = next(later for later in range(opens, len(moments)) if not opened[later])
                span = next_open_span(hours, moments[place], zone)
                assert span is not None
                assert span[1] == moments[closes], (start, end, moments[place])
                assert span[0] == moments[opens] if opens > place else span[0] <= moments[place]


def test_a_window_that_is_always_open_never_closes_unless_it_has_a_last_day() -> None:
    now = moment("2026-06-15 12:00")
    assert next_open_span(Window(), now, PARIS) == (now, None)
    every = frozenset(range(1, 8))
    for window in (
        Window(weekdays=every),
        Window(hours=(time(), time())),
        Window(weekdays=every, hours=(time(9), time(9))),
    ):
        span = next_open_span(window, now, PARIS)
        assert span is not None
        assert (span[0] <= now, span[1]) == (True, None)
    for last, closes in ((date(2026, 6, 20), "2026-06-21 00:00"), (date(2026, 12, 31), "2027-01-01 00:00")):
        span = next_open_span(Window(last_day=last, weekdays=every), now, PARIS)
        assert span is not None
        assert span[1] == moment(closes)


def test_a_window_of_days_opens_with_the_first_and_is_over_after_the_last() -> None:
    window = Window(date(2026, 7, 1), date(2026, 7, 14))
    opens, closes = moment("2026-07-01 00:00"), moment("2026-07-15 00:00")
    assert next_open_span(window, moment("2026-06-15 12:00"), PARIS) == (opens, closes)
    assert next_open_span(window, closes - MINUTE, PARIS) == (opens, closes)
    assert next_open_span(window, closes, PARIS) is None
    assert [has_ended(window, at, PARIS) for at in (opens, closes - MINUTE, closes)] == [False, False, True]
    assert not has_ended(Window(first_day=date(2026, 7, 1)), closes, PARIS)


def test_a_weekday_that_does_not_come_any_more_never_opens() -> None:
    window = Window(date(2026, 6, 15), date(2026, 6, 16), frozenset({WEDNESDAY}))
    assert next_open_span(window, moment("2026-06-15 12:00"), PARIS) is None


# Hours belong to the day on which they start

FRIDAY = 5
DAYS_OF_CHANGE = (
    *CHANGES,
    *((ZoneInfo("America/Santiago"), day) for day in (date(2026, 4, 4), date(2026, 9, 6))),
    *((ZoneInfo("Asia/Beirut"), day) for day in (date(2026, 3, 29), date(2026, 10, 24))),
    (ZoneInfo("UTC"), date(2026, 6, 19)),
)


@pytest.mark.parametrize(
    ("at", "opened"),
    [
        ("2026-06-19 00:00", False),
        ("2026-06-19 01:59", False),
        ("2026-06-19 21:59", False),
        ("2026-06-19 22:00", True),
        ("2026-06-20 00:00", True),
        ("2026-06-20 01:59", True),
        ("2026-06-20 02:00", False),
        ("2026-06-20 22:00", False),
    ],
)
@pytest.mark.parametrize(
    "window",
    [
        Window(weekdays=frozenset({FRIDAY}), hours=(time(22), time(2))),
        Window(date(2026, 6, 19), date(2026, 6, 19), hours=(time(22), time(2))),
    ],
)
def test_hours_that_span_midnight_belong_to_the_day_on_which_they_start(window: Window, at: str, opened: bool) -> None:
    now = moment(at)
    assert is_open(window, now, PARIS) is opened
    assert (time_obstacle(now, now.astimezone(PARIS), window=window) is None) is opened


def starts_on(window: Window, local: datetime) -> bool:
    """Say whether the window is open, from the days on which its hours may have begun."""
    for back in (0, 1):
        day = local.date() - timedelta(days=back)
        if (window.first_day and day < window.first_day) or (window.last_day and day > window.last_day):
            continue
        if window.weekdays and day.isoweekday() not in window.weekdays:
            continue
        if window.hours is None:
            if not back:
                return True
            continue
        start, end = window.hours
        ends_on_next = end <= start
        since = (local.date() - day).days, local.time()
        if (0, start) <= since < (int(ends_on_next), end):
            return True
    return False


@given(
    change=st.sampled_from(DAYS_OF_CHANGE),
    minutes=st.integers(-30 * 60, 54 * 60),
    hours=HOURS | st.tuples(st.just(time(22)), st.just(time(2))) | st.none(),
    weekdays=WEEKDAYS,
    days=st.tuples(st.none() | st.integers(-2, 1), st.none() | st.integers(1, 3)),
)
@property_settings(150)
def test_a_window_its_spans_and_the_edges_of_the_catalogue_agree(
    change: tuple[ZoneInfo, date],
    minutes: int,
    hours: tuple[time, time] | None,
    weekdays: frozenset[int],
    days: tuple[int | None, int | None],
) -> None:
    zone, day = change
    first, last = (day + timedelta(days=off) if off is not None else None for off in days)
    window = Window(first, last, weekdays, hours)
    now = moment_at(day, time(), zone) + minutes * MINUTE
    local = now.astimezone(zone)
    opened = is_open(window, now, zone)
    assert opened == starts_on(window, local)
    assert opened == (time_obstacle(now, local, window=window) is None)
    span = next_open_span(window, now, zone)
    assert opened == (span is not None and span[0] <= now)
    if span is not None:
        assert is_open(window, max(span[0], now), zone)
        assert span[1] is None or not is_open(window, span[1], zone)
    end = end_of_window(window, zone)
    assert has_ended(window, now, zone) == (end is not None and now >= end)
    if has_ended(window, now, zone):
        assert span is None
    catalogue = Catalogue(
        [offer("tea", starts_at=now - timedelta(days=9), window=window)], [reward(window=window)], (), ()
    )
    edge = catalogue.next_change_at(now, zone)
    assert now < edge
    quarter = 15 * MINUTE
    between = [now + quarter * place for place in range(1, 120) if now + quarter * place < edge]
    assert {is_open(window, at, zone) for at in between} <= {opened}
    usable = any(
        entry for entry in OfferIndex([*catalogue.offers.values()], local.date(), zone).keys_by_bucket().values()
    )
    assert usable or not opened
