"""Periods: the calendar periods of caps and limits, and how long points last."""

from dataclasses import dataclass
from enum import StrEnum


class LimitPeriod(StrEnum):
    """The calendar period of a cap or limit, in the brand's zone; the event's own day selects it."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    EVER = "ever"


class EndOf(StrEnum):
    """Moves an expiry day to the last day of its month, quarter or year."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class ExpiryPolicy:
    """When points expire: `months` and `days` after they were earned, moved to `end_of` that period if given.

    Without any of the three they never expire.
    """

    months: int = 0
    days: int = 0
    end_of: EndOf | None = None
