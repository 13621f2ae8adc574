"""Limits of activity: how much one member, one till or one person of the staff can do in an hour or a day."""

from dataclasses import dataclass
from enum import StrEnum


class LimitedActor(StrEnum):
    """What a limit is for: each member, each till (the `sub` of its token), each agent (likewise).

    Programme files have the values, and counters in MongoDB.
    """

    CARD = "card"
    TILL = "till"
    AGENT = "agent"


class Measure(StrEnum):
    """What a limit counts: events, the points that rules and offers give, or the points that staff adjust."""

    EVENTS = "events"
    POINTS = "points"
    ADJUSTMENT = "adjustment"


class Span(StrEnum):
    """The hour or the day of the clock, in the brand's zone, in which something is recorded."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class ActivityLimit:
    """The most of one measure in each span. What would exceed it is refused."""

    of: LimitedActor
    measure: Measure
    most: int
    span: Span
