"""Windows of time in the brand's zone: whether one is open, when it opens next, and when it closes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import end_of, start_of

# A weekday comes round within a week, whatever the hours; one day more for those that a change of clocks swallows.
SEARCH_DAYS_MAX = 15


@dataclass(frozen=True, slots=True)
class Window:
    """When a rule is in force, in the brand's zone: days (both inclusive), ISO weekdays, and hours [start, end)."""

    first_day: date | None = None
    last_day: date | None = None
    weekdays: frozenset[int] = frozenset()
    hours: tuple[time, time] | None = None


def within_hours(local: datetime, hours: tuple[time, time]) -> bool:
    """Say whether a local moment is within hours [start, end); where start is not before end, they span midnight."""
    start, end = hours
    moment = local.time()
    return start <= moment < end if start < end else moment >= start or moment < end


def _on_day(window: Window, day: date) -> bool:
    if (window.first_day and day < window.first_day) or (window.last_day and day > window.last_day):
        return False
    return not window.weekdays or day.isoweekday() in window.weekdays


def is_open(window: Window, moment: datetime, zone: ZoneInfo) -> bool:
    """Say whether the window is open at a moment."""
    local = moment.astimezone(zone)
    return _on_day(window, local.date()) and (window.hours is None or within_hours(local, window.hours))


def is_over(window: Window, moment: datetime, zone: ZoneInfo) -> bool:
    """Say whether the window's last day has passed, so that it never opens again."""
    return window.last_day is not None and moment >= end_of(window.last_day, zone)


def at_clock(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC at which clocks in `zone` show a time on a day.

    A time that comes twice (clocks go back) is taken at its first; one that is skipped (clocks go forward) is taken at
    the moment of the change.
    """
    first = datetime.combine(day, clock, zone).astimezone(UTC)
    if first.astimezone(zone).time() == clock:
        return first
    # Skipped: the change lies between the two readings of the clock, where the offset from UTC is another one.
    return _change(datetime.combine(day, clock, zone).replace(fold=1).astimezone(UTC), first, zone)


def _change(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment of the change of clocks between two moments, to the second."""
    offset = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return late


def spans_of_day(window: Window, day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Tell when the window is open on one day, in order; spans may follow one another without a gap."""
    begin, end = start_of(day, zone), end_of(day, zone)
    if window.hours is None:
        yield begin, end
        return
    # Where clocks go back, hours may come twice; between two of these moments clocks show one run of times.
    readings = (datetime.combine(day, clock.replace(fold=fold), zone) for clock in window.hours for fold in (0, 1))
    edges = {begin, end, *(reading.astimezone(UTC) for reading in readings)}
    if begin.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset():
        edges.add(_change(begin, end, zone))
    for opens, closes in pairwise(sorted(edge for edge in edges if begin <= edge <= end)):
        if within_hours(opens.astimezone(zone), window.hours):
            yield opens, closes


def _end(window: Window, zone: ZoneInfo) -> datetime | None:
    """Return when the window's last day is over; None where it has none."""
    return end_of(window.last_day, zone) if window.last_day else None


def next_span(window: Window, moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime | None] | None:
    """Return the span of time in which the window is open now or next, as (opens, closes); None where it never is.

    `opens` is not after `moment` where it is open now; `closes` is None where it never closes.
    """
    day = moment.astimezone(zone).date()
    if window.first_day and day < window.first_day:
        day = window.first_day
    if not window.weekdays and window.hours is None:
        opens = start_of(window.first_day, zone) if window.first_day else moment
        return None if is_over(window, moment, zone) else (opens, _end(window, zone))
    last = day + timedelta(days=SEARCH_DAYS_MAX)
    found: tuple[datetime, datetime] | None = None
    while day <= last:
        for opens, closes in spans_of_day(window, day, zone) if _on_day(window, day) else ():
            if found is not None and opens <= found[1]:
                found = found[0], max(found[1], closes)  # days that follow one another are one span
            elif found is not None:
                return found
            elif closes > moment:
                found = opens, closes
        day += timedelta(days=1)
    if found is None:
        return None
    if found[1] < end_of(last, zone):
        return found
    # Open on every day that was looked at: it goes on so.
    return found[0], _end(window, zone)
