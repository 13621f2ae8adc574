"""Taste: what a member likes, learned from purchases: the shares of categories and brands in what was spent.

Shares fade with time. The decay runs forward: a purchase is counted at so much more the later it was made, by a scale
that starts on one day for everybody, and nothing that was counted before is touched. So what was learned does not
depend on the order in which purchases arrive, and costs nothing while nobody buys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from math import frexp, ldexp
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import CACHED_DAYS_MAX, day_of
from loyalty.model.event import PURCHASE, Event

CATEGORY = "category:"
BRAND = "brand:"
# Households buy most categories every few weeks: half a year tells a habit from a whim. On the real data, coupons that
# were redeemed stand higher the longer it is, and no higher from here on (bench/ranking).
HALF_LIFE_DAYS = 180
# A member about whom next to nothing is known has no taste yet: all shares are taken as if so much money, in
# hundredths, had been spent besides on nothing in particular.
UNKNOWN = 2_000
# At most so many topics are kept; when there are more, all but the heaviest TOPICS_KEPT are forgotten, so that a new
# one has the room between the two to grow in.
TOPICS_MAX = 48
TOPICS_KEPT = 32

_FIRST_DAY = date(2000, 1, 1).toordinal()
# Bits before the point of a compact form's total: as many as keep most numbers whole.
_BITS = 32
# Growth within a half-life, in 64ths: whole numbers, so that sums are exact and come out the same in any order.
_UNIT = 64
_GROWTH = tuple(round(_UNIT * 2 ** (day / HALF_LIFE_DAYS)) for day in range(HALF_LIFE_DAYS))


@lru_cache(maxsize=CACHED_DAYS_MAX)
def _scale(day: int) -> float:
    """Return what a hundredth spent on a day (its ordinal) counts: twice as much with each half-life."""
    halves, days = divmod(day - _FIRST_DAY, HALF_LIFE_DAYS)
    return ldexp(_GROWTH[days], halves)


@dataclass(frozen=True, slots=True)
class Taste:
    """What was spent in all and on each topic (`category:COFFEE`, `brand:Private`), in hundredths, scaled by time."""

    total: float = 0.0
    topics: Mapping[str, float] = field(default_factory=dict)

    def plain(self) -> list[Any]:
        """Return its compact form, of values that JSON has: [exponent, total, {topic: weight}]; exact."""
        # The scale of a time long after the first day is taken out, which shortens the numbers.
        exponent = frexp(self.total)[1] - _BITS
        topics = {topic: ldexp(weight, -exponent) for topic, weight in self.topics.items()}
        return [exponent, ldexp(self.total, -exponent), topics]

    @classmethod
    def of_plain(cls, plain: Sequence[Any]) -> "Taste":
        """Return the taste of its compact form."""
        exponent, total, topics = plain
        return cls(ldexp(total, exponent), {topic: ldexp(weight, exponent) for topic, weight in topics.items()})


NO_TASTE = Taste()


def learn(taste: Taste, event: Event, zone: ZoneInfo) -> Taste:
    """Return the taste after one more event; only what was paid on the lines of a purchase tells something."""
    if not _tells(event):
        return taste
    return Taste(*_learned(taste.total, taste.topics, event, _scale_of(event, zone)))


def learn_plain(plain: Sequence[Any], event: Event, zone: ZoneInfo) -> Sequence[Any]:
    """Return the compact form of what `learn()` returns: the same to the bit, for its scale is a power of two."""
    if not _tells(event):
        return plain
    exponent, total, topics = plain
    if not total:
        return learn(Taste.of_plain(plain), event, zone).plain()
    total, topics = _learned(total, topics, event, ldexp(_scale_of(event, zone), -exponent))
    more = frexp(total)[1] - _BITS
    if more:
        total, topics = ldexp(total, -more), {topic: ldexp(weight, -more) for topic, weight in topics.items()}
    return [exponent + more, total, topics]


def _tells(event: Event) -> bool:
    return event.type == PURCHASE and event.purchase is not None and bool(event.purchase.lines)


def _scale_of(event: Event, zone: ZoneInfo) -> float:
    return _scale(day_of(event.occurred_at, zone).toordinal())


def _learned(total: float, known: Mapping[str, float], event: Event, scale: float) -> tuple[float, Mapping[str, float]]:
    topics = dict(known)
    for line in event.purchase.lines if event.purchase is not None else ():
        hundredths = int(line.amount * 100)
        if hundredths <= 0:
            continue
        weight = hundredths * scale
        total += weight
        if line.category is not None:
            topic = CATEGORY + line.category
            topics[topic] = topics.get(topic, 0.0) + weight
        if line.brand is not None:
            topic = BRAND + line.brand
            topics[topic] = topics.get(topic, 0.0) + weight
    if len(topics) > TOPICS_MAX:
        heaviest = sorted(topics.items(), key=lambda item: (-item[1], item[0]))
        topics = dict(heaviest[:TOPICS_KEPT])
    return total, topics


def affinity(taste: Taste, topic: str, now: datetime) -> float:
    """Return the share of a topic in what the member spends, 0 to 1, as far as it is known now."""
    weight = taste.topics.get(topic)
    return weight / (taste.total + _unknown(now)) if weight is not None else 0.0


class Shares:
    """The shares of all topics in what a member spends, at one moment."""

    __slots__ = ("_whole", "topics")

    def __init__(self, taste: Taste, now: datetime) -> None:
        self.topics = taste.topics
        self._whole = taste.total + _unknown(now)

    def of(self, topic: str) -> float:
        """Return the share of a topic, 0 to 1; 0 where nothing is known."""
        weight = self.topics.get(topic)
        return weight / self._whole if weight is not None else 0.0


def _unknown(now: datetime) -> float:
    # In UTC: the brand's day would make no difference that anybody could see.
    return UNKNOWN * _scale(now.toordinal())
