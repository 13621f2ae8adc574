"""Time windows of rules, offers and rewards in the brand's zone: whether one is open, and when it opens and closes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import end_of, start_of

# Every weekday recurs within a week; a second week covers hours that daylight saving skips.
SEARCH_DAYS_MAX = 15


@dataclass(frozen=True, slots=True)
class Window:
    """Days (both inclusive), ISO weekdays and hours [start, end) in the brand's zone; unset ones do not restrict.

    Hours whose start is not before their end span midnight, and belong to the day on which they start.
    """

    first_day: date | None = None
    last_day: date | None = None
    weekdays: frozenset[int] = frozenset()
    hours: tuple[time, time] | None = None

    @property
    def spans_midnight(self) -> bool:
        """Whether its hours reach into the next day."""
        return self.hours is not None and time() < self.hours[1] <= self.hours[0]

    @property
    def last_local_day(self) -> date | None:
        """The last day on which it is open at some hour: the day after `last_day` if its hours span midnight."""
        return self.last_day + timedelta(days=self.spans_midnight) if self.last_day is not None else None


def within_hours(local: datetime, hours: tuple[time, time]) -> bool:
    """Return whether a local moment is within hours [start, end); if start is not before end, they span midnight."""
    start, end = hours
    moment = local.time()
    return start <= moment < end if start < end else moment >= start or moment < end


def day_at(window: Window, local: datetime) -> date:
    """Return the day that a local moment belongs to: the day before, in hours that began there."""
    if window.hours is not None and window.spans_midnight and local.time() < window.hours[1]:
        return local.date() - timedelta(days=1)
    return local.date()


def _on_day(window: Window, day: date) -> bool:
    if (window.first_day and day < window.first_day) or (window.last_day and day > window.last_day):
        return False
    return not window.weekdays or day.isoweekday() in window.weekdays


def is_open(window: Window, moment: datetime, zone: ZoneInfo) -> bool:
    """Return whether the window is open at a moment."""
    local = moment.astimezone(zone)
    return _on_day(window, day_at(window, local)) and (window.hours is None or within_hours(local, window.hours))


def end_of_window(window: Window, zone: ZoneInfo) -> datetime | None:
    """Return the end of the last day, or of the hours that begin on it; None if the window has no last day."""
    if window.last_day is None:
        return None
    following = window.last_day + timedelta(days=1)
    spans = [*open_spans(window, following, zone)] if window.spans_midnight else []
    return spans[-1][1] if spans else end_of(window.last_day, zone)


def has_ended(window: Window, moment: datetime, zone: ZoneInfo) -> bool:
    """Return whether the window's last day and its hours have passed, so that it never opens again."""
    end = end_of_window(window, zone)
    return end is not None and moment >= end


def moment_at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the moment of a local time in `zone`, in UTC.

    Of a time that occurs twice (clocks go back), the first; for a skipped time (clocks go forward), the moment of the
    change.
    """
    first = datetime.combine(day, clock, zone).astimezone(UTC)
    if first.astimezone(zone).time() == clock:
        return first
    # Skipped: the change is between the two interpretations, which have different offsets from UTC.
    return _change(datetime.combine(day, clock, zone).replace(fold=1).astimezone(UTC), first, zone)


def _change(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment at which the UTC offset changes between two moments, to the second."""
    offset = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return late


def open_spans(window: Window, day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Yield the spans [opens, closes) in which the window is open on one day, in order; adjacent spans may touch.

    Spans are of the calendar day: hours that began on the day before are open from its start.
    """
    begin, end = start_of(day, zone), end_of(day, zone)
    if window.hours is None:
        if _on_day(window, day):
            yield begin, end
        return
    if not _on_day(window, day) and not (window.spans_midnight and _on_day(window, day - timedelta(days=1))):
        return
    # Hours may occur twice when clocks go back; between two adjacent edges the local time is continuous.
    readings = (datetime.combine(day, clock.replace(fold=fold), zone) for clock in window.hours for fold in (0, 1))
    edges = {begin, end, *(reading.astimezone(UTC) for reading in readings)}
    if begin.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset():
        edges.add(_change(begin, end, zone))
    for opens, closes in pairwise(sorted(edge for edge in edges if begin <= edge <= end)):
        if is_open(window, opens, zone):
            yield opens, closes


def next_open_span(window: Window, moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime | None] | None:
    """Return the current or next span in which the window is open, as (opens, closes); None if it never opens again.

    `opens` is not after `moment` if the window is open now; `closes` is None if it never closes.
    """
    day = moment.astimezone(zone).date()
    if window.first_day and day < window.first_day:
        day = window.first_day
    if not window.weekdays and window.hours is None:
        opens = start_of(window.first_day, zone) if window.first_day else moment
        return None if has_ended(window, moment, zone) else (opens, end_of_window(window, zone))
    last = day + timedelta(days=SEARCH_DAYS_MAX)
    found: tuple[datetime, datetime] | None = None
    while day <= last:
        for opens, closes in open_spans(window, day, zone):
            if found is not None and opens <= found[1]:
                found = found[0], max(found[1], closes)  # adjacent days form one span
            elif found is not None:
                return found
            elif closes > moment:
                found = opens, closes
        day += timedelta(days=1)
    if found is None:
        return None
    if found[1] < end_of(last, zone):
        return found
    # Open on every day of the search: it stays open to its last day.
    return found[0], end_of_window(window, zone)
