"""Ranking: offers and rewards, best first for one member, on one channel, at one moment; and why.

A score is a sum of whole numbers: whom the offer is for, its weight and end (`loyalty/offer_index.py`), what the member
likes best of what it is about, and what the member did with it. Equal scores go by key. The same arguments give the
same order on every machine.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from heapq import heapify, heappop, heapreplace, merge
from itertools import islice
from math import isqrt
from zoneinfo import ZoneInfo

from loyalty.calendar import day_of
from loyalty.catalogue import Catalogue
from loyalty.event import Channel
from loyalty.member import Member
from loyalty.offer import UNTOUCHED, Audience, Offer, OfferState, OfferUse, Shopper, state_of
from loyalty.offer_index import (
    ANY_TOPIC,
    FOR_FEW,
    WEIGHT,
    AudienceKind,
    OfferIndex,
    Topics,
    audience_of,
    days_left,
    static_score,
    urgency,
)
from loyalty.reward import Reward
from loyalty.taste import Taste, affinities
from loyalty.window import is_open

# A topic that takes all of a member's money would be worth so much. Worth grows as the root of the share: that a
# member buys something at all tells most, and the tenth part of the money is a lot for one category of a shop's.
AFFINITY = 1_000
# What members say themselves that they like is worth as much as a sixth of their money.
PREFERENCE = 400
# Activated by the member, to be used: before all that is only offered.
ACTIVATED = 100_000
# Each time it was looked at and passed by, up to so many times.
SEEN = -10
SEEN_MAX = 10
# Refused: after all that was not, for so many days; people change their minds.
REFUSED = -50_000
REFUSED_DAYS = 90
# What is done with comes last, what was used before what was missed, the latest first.
DONE = {OfferState.REDEEMED: -10_000_000, OfferState.EXPIRED: -20_000_000}
# Rewards that can be had now come before those that points are missing for, these before those that are for others.
# Among the second, what is missing counts for more than what is liked: most that can be saved for is within a month.
REACHABLE = -10_000
CLOSED = -100_000
MISSING = -5_000

OPEN_STATES = frozenset({OfferState.AVAILABLE, OfferState.ACTIVATED})
ALL_STATES = frozenset(OfferState)


class Motive(StrEnum):
    """Why somebody is shown something here: what counted most. Words are made of it elsewhere, with its params."""

    ACTIVATED = "activated"
    FAVOURITE = "favourite"
    PREFERENCE = "preference"
    FOR_LIST = "for_list"
    FOR_SEGMENT = "for_segment"
    FOR_TIER = "for_tier"
    ENDS_SOON = "ends_soon"
    FOR_EVERYBODY = "for_everybody"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    POINTS_MISSING = "points_missing"


Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class RankedOffer:
    """An offer in its place, as it stands for the member. `(score, offer.key)` is where the next page goes on."""

    offer: Offer
    use: OfferUse
    state: OfferState
    score: int
    motive: Motive
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankedReward:
    """A reward in its place. `eligible`: it can be ordered now; `missing` are the points to save for it."""

    reward: Reward
    eligible: bool
    missing: int
    score: int
    motive: Motive
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Liking:
    """What topics are worth to a member: `worth` by topic, and which of them it was the member that named."""

    worth: Mapping[str, int]
    declared: frozenset[str]

    def best(self, topics: Iterable[str]) -> int:
        """Return what the topic is worth that the member likes best; nothing where none is known."""
        return max((self.worth[topic] for topic in topics if topic in self.worth), default=0)

    def favourite(self, topics: Iterable[str]) -> str | None:
        """Return the topic that the member likes best."""
        return min((topic for topic in topics if topic in self.worth), key=lambda t: (-self.worth[t], t), default=None)


def liking(taste: Taste, preferences: frozenset[str], now: datetime) -> Liking:
    """Return what topics are worth to a member now."""
    # The root of a whole number, which is exact.
    worth = {topic: isqrt(int(AFFINITY * AFFINITY * share)) for topic, share in affinities(taste, now)}
    for topic in preferences:
        worth[topic] = worth.get(topic, 0) + PREFERENCE
    return Liking({topic: points for topic, points in worth.items() if points}, preferences)


def offer_score(offer: Offer, use: OfferUse, likes: Liking, *, now: datetime, zone: ZoneInfo) -> int:
    """Return the score of an offer that the member may see now."""
    state = state_of(offer, use, now)
    if state is OfferState.REDEEMED:
        return DONE[state] + (use.redeemed_at.toordinal() if use.redeemed_at is not None else 0)
    if state is OfferState.EXPIRED:
        return DONE[state] + (offer.ends_at.toordinal() if offer.ends_at is not None else 0)
    score = static_score(offer, day_of(now, zone), zone) + likes.best(offer.topics)
    score += SEEN * min(use.seen, SEEN_MAX)
    if state is OfferState.ACTIVATED:
        return score + ACTIVATED
    if use.refused_at is not None and (now - use.refused_at).days < REFUSED_DAYS:
        score += REFUSED
    return score


def rank_offers(
    catalogue: Catalogue,
    member: Member,
    shopper: Shopper,
    taste: Taste,
    *,
    channel: Channel | None,
    now: datetime,
    zone: ZoneInfo,
    states: Set[OfferState] | None = None,
    preferences: frozenset[str] = frozenset(),
    used_up: Set[str] = frozenset(),
    first: int,
    after: tuple[int, str] | None = None,
) -> tuple[list[RankedOffer], bool]:
    """Return the member's `first` offers that follow `after` (the score and key of one), and whether there are more.

    `channel` None: on any; `states` None: in all. `used_up` are the keys of offers that all members together have used
    up: they are no longer shown to be used. An offer can be used while it is on, by whom it is for, or by whoever
    activated it; what was used or has ended is shown to those who have touched it.
    """
    wanted = ALL_STATES if states is None else states
    likes = liking(taste, preferences, now)

    def may_see(offer: Offer, state: OfferState, *, fits: bool) -> bool:
        if state not in wanted or (offer.channels and channel is not None and channel not in offer.channels):
            return False
        return state not in OPEN_STATES or (
            (state is OfferState.ACTIVATED or fits) and offer.key not in used_up and offer.is_on(now, zone)
        )

    touched: list[tuple[int, str, Offer]] = []
    for key, use in member.offers.items():
        offer = catalogue.offers.get(key)
        if offer is None:
            continue
        state = state_of(offer, use, now)
        if may_see(offer, state, fits=state is not OfferState.AVAILABLE or offer.audience.fits(shopper)):
            place = -offer_score(offer, use, likes, now=now, zone=zone), key
            if after is None or place > (-after[0], after[1]):
                touched.append((*place, offer))
    touched.sort()

    def untouched() -> Iterator[tuple[int, str, Offer]]:
        index = catalogue.offer_index(day_of(now, zone), zone)
        for negative, key, offer, must_fit, must_be_on in _merged(index, shopper, likes, after):
            if (
                key not in member.offers
                and (not offer.channels or channel is None or channel in offer.channels)
                and key not in used_up
                and (not must_be_on or offer.is_on(now, zone))
                and (not must_fit or offer.audience.fits(shopper))
            ):
                yield negative, key, offer

    found = merge(touched, untouched() if OfferState.AVAILABLE in wanted else ())
    page = [
        _told(offer, member.offers.get(key, UNTOUCHED), -negative, likes, shopper, now=now, zone=zone)
        for negative, key, offer in islice(found, first + 1)
    ]
    return page[:first], len(page) > first


def _streams(found: Sequence[Topics], likes: Liking) -> Iterator[tuple[int, Sequence[tuple[int, str, Offer, bool, bool]]]]:
    """Tell the buckets to look at, each with what its topic adds to the scores in it."""
    worth = likes.worth
    for topics in found:
        yield 0, topics[ANY_TOPIC].entries
        if len(worth) < len(topics):
            yield from ((points, topics[topic].entries) for topic, points in worth.items() if topic in topics)
        else:
            yield from ((worth[topic], bucket.entries) for topic, bucket in topics.items() if topic in worth)
