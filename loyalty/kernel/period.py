"""Periods: the spans of time that caps and limits look at, and how long points last."""

from dataclasses import dataclass
from enum import StrEnum


class CapPeriod(StrEnum):
    """The span of time that a cap looks at, in the brand's zone, around the event's own day."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    EVER = "ever"


class EndOf(StrEnum):
    """Where an expiry day is moved to: the last day of its month, quarter or year."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Expiry:
    """When points expire: so many months and days after they were earned, or at the end of a span of time around that.

    All of it left out means never.
    """

    months: int = 0
    days: int = 0
    end_of: EndOf | None = None
