"""Calendar arithmetic in a zone: the day of a moment, the ends of a day, months later, and cap periods."""

import calendar as month_lengths
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from loyalty.kernel.period import EndOf, ExpiryPolicy, LimitPeriod

# Every lot and qualifying day of every member needs the same few hundred days.
CACHED_DAYS_MAX = 20_000

day_from_ordinal = lru_cache(maxsize=CACHED_DAYS_MAX)(date.fromordinal)
"""Return the date of an ordinal, the inverse of `date.toordinal()`."""


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """Return the day that `moment` falls on in `zone`."""
    return moment.astimezone(zone).date()


@lru_cache(maxsize=CACHED_DAYS_MAX)
def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the start of `day` in `zone`, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


@lru_cache(maxsize=CACHED_DAYS_MAX)
def end_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the end of `day` in `zone`, in UTC: the start of the next day."""
    return start_of(day + timedelta(days=1), zone)


@lru_cache(maxsize=CACHED_DAYS_MAX)
def months_later(day: date, months: int) -> date:
    """Return the same day `months` later (negative: earlier), or the last day of a shorter month."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, month_lengths.monthrange(year, month + 1)[1]))


@lru_cache(maxsize=CACHED_DAYS_MAX)
def rolling_period_start(day: date, months: int) -> date:
    """Return the first day that a rolling period of `months` still includes on `day`.

    A day counts until `months_later(that day, months)`, exclusive.
    """
    first = months_later(day, -months)
    while months_later(first, months) <= day:
        first += timedelta(days=1)
    return first


def _last_day_of(day: date, span: EndOf) -> date:
    months = {EndOf.MONTH: 1, EndOf.QUARTER: 3, EndOf.YEAR: 12}[span]
    last_month = (day.month - 1) // months * months + months
    return date(day.year, last_month, month_lengths.monthrange(day.year, last_month)[1])


@lru_cache(maxsize=CACHED_DAYS_MAX)
def expiry_day(earned_on: date, expiry: ExpiryPolicy) -> date | None:
    """Return the last day to spend points earned on `earned_on`; None if they never expire."""
    if not (expiry.months or expiry.days or expiry.end_of):
        return None
    day = months_later(earned_on, expiry.months) + timedelta(days=expiry.days)
    return _last_day_of(day, expiry.end_of) if expiry.end_of else day


def period_name(day: date, period: LimitPeriod) -> str:
    """Return the name of the cap period that `day` is in: `2026-11-27`, `2026-W48`, `2026-11`, `2026` or `ever`.

    MongoDB stores these names.
    """
    if period is LimitPeriod.DAY:
        return day.isoformat()
    if period is LimitPeriod.WEEK:
        year, week, _ = day.isocalendar()
        return f"{year:04d}-W{week:02d}"
    if period is LimitPeriod.MONTH:
        return f"{day:%Y-%m}"
    if period is LimitPeriod.YEAR:
        return f"{day:%Y}"
    return "ever"
