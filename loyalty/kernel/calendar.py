"""Days in the brand's zone: which day a moment falls on, when a day ends, months later."""

import calendar as month_lengths
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from loyalty.kernel.period import CapPeriod, EndOf, Expiry

# The same few hundred days are asked for again and again: every lot and qualifying day of every member.
CACHED_DAYS_MAX = 20_000

day_from = lru_cache(maxsize=CACHED_DAYS_MAX)(date.fromordinal)
"""Return the day of an ordinal, as `date.toordinal()` counts."""


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """Return the day that `moment` falls on in `zone`."""
    return moment.astimezone(zone).date()


@lru_cache(maxsize=CACHED_DAYS_MAX)
def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC at which `day` begins in `zone`."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


@lru_cache(maxsize=CACHED_DAYS_MAX)
def end_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment in UTC at which `day` is over in `zone`."""
    return start_of(day + timedelta(days=1), zone)


@lru_cache(maxsize=CACHED_DAYS_MAX)
def months_later(day: date, months: int) -> date:
    """Return the same day so many months later (earlier where negative), or the last day of a shorter month."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, month_lengths.monthrange(year, month + 1)[1]))


@lru_cache(maxsize=CACHED_DAYS_MAX)
def first_within(day: date, months: int) -> date:
    """Return the first of the days whose so many months are not over on `day`: they last until `months_later()`."""
    first = months_later(day, -months)
    while months_later(first, months) <= day:
        first += timedelta(days=1)
    return first


def _last_day_of(day: date, span: EndOf) -> date:
    months = {EndOf.MONTH: 1, EndOf.QUARTER: 3, EndOf.YEAR: 12}[span]
    last_month = (day.month - 1) // months * months + months
    return date(day.year, last_month, month_lengths.monthrange(day.year, last_month)[1])


@lru_cache(maxsize=CACHED_DAYS_MAX)
def expiry_day(earned_on: date, expiry: Expiry) -> date | None:
    """Return the last day on which points earned on a day may be spent; None where they never expire."""
    if not (expiry.months or expiry.days or expiry.end_of):
        return None
    day = months_later(earned_on, expiry.months) + timedelta(days=expiry.days)
    return _last_day_of(day, expiry.end_of) if expiry.end_of else day


def cap_span(day: date, period: CapPeriod) -> str:
    """Return the name of the cap's span that `day` is in: a day, an ISO week, a month, a year, or all time."""
    if period is CapPeriod.DAY:
        return day.isoformat()
    if period is CapPeriod.WEEK:
        year, week, _ = day.isocalendar()
        return f"{year:04d}-W{week:02d}"
    if period is CapPeriod.MONTH:
        return f"{day:%Y-%m}"
    if period is CapPeriod.YEAR:
        return f"{day:%Y}"
    return "ever"
