"""Affinity: the shares of categories and brands in a member's spending, with exponential decay.

The decay is applied forward: a purchase gets a weight that grows with its date on one scale for all members, and the
weights of earlier purchases never change. So the result does not depend on the order in which purchases arrive, and
needs no updates while a member buys nothing.
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

CATEGORY_PREFIX = "category:"
BRAND_PREFIX = "brand:"
# Households buy most categories every few weeks, so half a year separates habits from single purchases. On the real
# data, longer half-lives rank redeemed coupons higher, up to this one (bench/ranking).
HALF_LIFE_DAYS = 180
# Spending without a topic, in hundredths, that is added to every member's: a prior that keeps the shares of members
# with few purchases low.
PRIOR_SPEND_HUNDREDTHS = 2_000
# Above TOPICS_MAX topics, only the TOPICS_KEPT heaviest are kept. The gap between the two lets a new topic grow before
# it is dropped.
TOPICS_MAX = 48
TOPICS_KEPT = 32

_FIRST_DAY = date(2000, 1, 1).toordinal()
# Integer bits of the total in compact form: enough to keep most weights integral, and so short as JSON.
_BITS = 32
# Growth within a half-life, in 64ths. Integers, so that sums are exact in any order.
_UNIT = 64
_GROWTH = tuple(round(_UNIT * 2 ** (day / HALF_LIFE_DAYS)) for day in range(HALF_LIFE_DAYS))


@lru_cache(maxsize=CACHED_DAYS_MAX)
def _scale(day: int) -> float:
    """Return the weight of a hundredth spent on a day (an ordinal); it doubles with each half-life."""
    halves, days = divmod(day - _FIRST_DAY, HALF_LIFE_DAYS)
    return ldexp(_GROWTH[days], halves)


@dataclass(frozen=True, slots=True)
class AffinityWeights:
    """Weighted spending in total and by topic (`category:COFFEE`, `brand:Private`): hundredths times `_scale()`."""

    total: float = 0.0
    topics: Mapping[str, float] = field(default_factory=dict)

    def packed(self) -> list[Any]:
        """Return the exact compact form in JSON types: [exponent, total, {topic: weight}]. MongoDB stores it."""
        # Factoring out the power of two shortens the numbers.
        exponent = frexp(self.total)[1] - _BITS
        topics = {topic: ldexp(weight, -exponent) for topic, weight in self.topics.items()}
        return [exponent, ldexp(self.total, -exponent), topics]

    @classmethod
    def unpack(cls, packed: Sequence[Any]) -> "AffinityWeights":
        """Return the affinities of a compact form."""
        exponent, total, topics = packed
        return cls(ldexp(total, exponent), {topic: ldexp(weight, exponent) for topic, weight in topics.items()})


NO_AFFINITY = AffinityWeights()


def add_purchase(weights: AffinityWeights, event: Event, zone: ZoneInfo) -> AffinityWeights:
    """Return the affinities after an event; only purchases with lines change them."""
    if not _has_lines(event):
        return weights
    return AffinityWeights(*_with_lines(weights.total, weights.topics, event, _scale_of(event, zone)))


def add_purchase_packed(packed: Sequence[Any], event: Event, zone: ZoneInfo) -> Sequence[Any]:
    """Do the same as `add_purchase()` on the compact form, identical to the bit because the scale is a power of two."""
    if not _has_lines(event):
        return packed
    exponent, total, topics = packed
    if not total:
        return add_purchase(AffinityWeights.unpack(packed), event, zone).packed()
    total, topics = _with_lines(total, topics, event, ldexp(_scale_of(event, zone), -exponent))
    more = frexp(total)[1] - _BITS
    if more:
        total, topics = ldexp(total, -more), {topic: ldexp(weight, -more) for topic, weight in topics.items()}
    return [exponent + more, total, topics]


def _has_lines(event: Event) -> bool:
    return event.type == PURCHASE and event.purchase is not None and bool(event.purchase.lines)


def _scale_of(event: Event, zone: ZoneInfo) -> float:
    return _scale(day_of(event.occurred_at, zone).toordinal())


def _with_lines(
    total: float, known: Mapping[str, float], event: Event, scale: float
) -> tuple[float, Mapping[str, float]]:
    topics = dict(known)
    for line in event.purchase.lines if event.purchase is not None else ():
        hundredths = int(line.amount * 100)
        if hundredths <= 0:
            continue
        weight = hundredths * scale
        total += weight
        if line.category is not None:
            topic = CATEGORY_PREFIX + line.category
            topics[topic] = topics.get(topic, 0.0) + weight
        if line.brand is not None:
            topic = BRAND_PREFIX + line.brand
            topics[topic] = topics.get(topic, 0.0) + weight
    if len(topics) > TOPICS_MAX:
        heaviest = sorted(topics.items(), key=lambda item: (-item[1], item[0]))
        topics = dict(heaviest[:TOPICS_KEPT])
    return total, topics


def affinity_share(weights: AffinityWeights, topic: str, now: datetime) -> float:
    """Return the share of a topic in the member's spending at `now`, 0 to 1."""
    weight = weights.topics.get(topic)
    return weight / (weights.total + _prior(now)) if weight is not None else 0.0


class AffinityShares:
    """The shares of all topics in a member's spending at one moment."""

    __slots__ = ("_total", "topics")

    def __init__(self, weights: AffinityWeights, now: datetime) -> None:
        self.topics = weights.topics
        self._total = weights.total + _prior(now)

    def share(self, topic: str) -> float:
        """Return the share of a topic, 0 to 1; 0 if the member never bought it."""
        weight = self.topics.get(topic)
        return weight / self._total if weight is not None else 0.0


def _prior(now: datetime) -> float:
    # The UTC day is precise enough: a day changes a weight by 0.4 %.
    return PRIOR_SPEND_HUNDREDTHS * _scale(now.toordinal())
