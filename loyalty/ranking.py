"""Ranking: offers and rewards, best first for one member, on one channel, at one moment; and why.

A score is a sum of whole numbers: whom the offer is for, its weight and end (`loyalty/offer_index.py`), what the member
likes best of what it is about, and what the member did with it. Equal scores go by key. The same arguments give the
same order on every machine.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from heapq import heappop, heappush, merge, nsmallest
from itertools import count, islice
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
    Bucket,
    Entry,
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
    states: AbstractSet[OfferState] | None = None,
    preferences: frozenset[str] = frozenset(),
    used_up: AbstractSet[str] = frozenset(),
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


def _liked(topics: Topics, by_worth: Sequence[tuple[str, int]]) -> Iterator[tuple[int, Bucket]]:
    """Tell the buckets of the topics that are liked, the most liked first, with what each topic adds to scores."""
    return ((points, topics[topic]) for topic, points in by_worth if topic in topics)


def _merged(index: OfferIndex, shopper: Shopper, likes: Liking, after: tuple[int, str] | None) -> Iterator[Entry]:
    """Tell the entries of all buckets of a shopper, each once, in order; minus its score stands first in each.

    Of each audience, the bucket of all topics is opened at once, and that of a topic only when its best could be next.
    """
    by_worth = sorted(likes.worth.items(), key=lambda item: -item[1])
    # (minus the score, key, number, place, what the topic adds, entries). An unopened bucket stands where its best
    # entry would at most be, before all entries there: its key is empty. Numbers differ: nothing after is compared.
    heap: list[tuple[int, str, int, int, int, Bucket]] = []
    audiences: list[tuple[int, Iterator[tuple[int, Bucket]]]] = []
    numbers = count()

    def open_bucket(points: int, bucket: Bucket) -> None:
        entries = bucket.entries
        # The next key after a key is the same with the least character added.
        start = 0 if after is None else bisect_left(entries, (points - after[0], f"{after[1]}\0"))
        if start < len(entries):
            heappush(heap, (entries[start][0] - points, entries[start][1], next(numbers), start, points, bucket))

    def announce(number: int) -> None:
        best, unopened = audiences[number]
        for points, bucket in islice(unopened, 1):
            heappush(heap, (best - points, "", next(numbers), number, points, bucket))

    for number, topics in enumerate(index.of_shopper(shopper)):
        open_bucket(0, topics[ANY_TOPIC])
        audiences.append((topics[ANY_TOPIC].entries[0][0], _liked(topics, by_worth)))
        announce(number)
    told = None
    while heap:
        negative, key, number, place, points, bucket = heappop(heap)
        if not key:
            open_bucket(points, bucket)
            announce(place)
            continue
        entries = bucket.entries
        if place + 1 < len(entries):
            entry = entries[place + 1]
            heappush(heap, (entry[0] - points, entry[1], number, place + 1, points, bucket))
        # An offer is told by the bucket of its best topic, where its score is right. Where several buckets are as
        # good, it comes out of them in a row.
        _, _, offer, must_fit, must_be_on = entries[place]
        if key != told and likes.best(offer.topics) == points:
            told = key
            yield negative, key, offer, must_fit, must_be_on


def _told(
    offer: Offer, use: OfferUse, score: int, likes: Liking, shopper: Shopper, *, now: datetime, zone: ZoneInfo
) -> RankedOffer:
    state = state_of(offer, use, now)
    if state is OfferState.AVAILABLE:
        days = days_left(offer, day_of(now, zone), zone)
        motive, params = _motive(offer.topics, offer.audience, days, likes, shopper)
    else:
        motive, params = Motive(state.value.lower()), {}
    return RankedOffer(offer, use, state, score, motive, params)


def _motive(
    topics: Iterable[str], audience: Audience, days: int | None, likes: Liking, shopper: Shopper
) -> tuple[Motive, Params]:
    """Return what counts most for something, and its params: the topic, the list, segment or tier, the days left."""
    reasons: list[tuple[int, Motive, Params]] = []
    topic = likes.favourite(topics)
    if topic is not None:
        worth = likes.worth[topic]
        said = topic in likes.declared and worth <= 2 * PREFERENCE
        reasons.append((worth, Motive.PREFERENCE if said else Motive.FAVOURITE, {"topic": topic}))
    kind, keys = audience_of(audience)
    if kind is AudienceKind.LIST:
        reasons += [(FOR_FEW[kind], Motive.FOR_LIST, {"list": key}) for key in sorted(keys & shopper.lists)]
    elif kind is AudienceKind.SEGMENT:
        fitting = (key for key in sorted(keys) if shopper.in_segment(key))
        reasons += [(FOR_FEW[kind], Motive.FOR_SEGMENT, {"segment": key}) for key in islice(fitting, 1)]
    elif kind is AudienceKind.TIER and shopper.tier in keys:
        reasons.append((FOR_FEW[kind], Motive.FOR_TIER, {"tier": shopper.tier}))
    if days is not None and urgency(days):
        reasons.append((urgency(days), Motive.ENDS_SOON, {"days": days}))
    # The first of those that count as much.
    _, motive, params = max(reasons, key=lambda reason: reason[0], default=(0, Motive.FOR_EVERYBODY, {}))
    return motive, params


def rank_rewards(
    catalogue: Catalogue,
    member: Member,
    shopper: Shopper,
    taste: Taste,
    *,
    channel: Channel | None,
    now: datetime,
    zone: ZoneInfo,
    category: str | None = None,
    eligible: bool | None = None,
    eligible_of: Callable[[Reward], bool | None] = lambda _: None,
    preferences: frozenset[str] = frozenset(),
    first: int,
    after: tuple[int, str] | None = None,
) -> tuple[list[RankedReward], bool]:
    """Return the `first` rewards that follow `after` (the score and key of one), and whether there are more.

    First what the member can have now, then what points are missing for, the nearest first, then what is for others or
    not now. `eligible_of` tells what is not seen here (stock, limits, appointments; None: nothing is against it); it is
    asked only about rewards that the member could have otherwise. `category` and `eligible` narrow the answer.
    """
    likes = liking(taste, preferences, now)
    found: list[tuple[int, str, Reward, bool]] = []
    for key, reward in catalogue.rewards.items():
        if (category is not None and reward.category != category) or (
            reward.channels and channel is not None and channel not in reward.channels
        ):
            continue
        missing = max(0, reward.points - member.available)
        is_for_member = reward.audience.fits(shopper)
        is_closed = not is_for_member or (reward.window is not None and not is_open(reward.window, now, zone))
        is_eligible = not is_closed and not missing and eligible_of(reward) is not False
        if eligible is not None and is_eligible is not eligible:
            continue
        score = WEIGHT * reward.weight + likes.best(reward.topics)
        if is_for_member:
            score += FOR_FEW[audience_of(reward.audience)[0]]
        if is_closed or not (is_eligible or missing):
            score += CLOSED
        if missing:
            score += REACHABLE + MISSING * missing // reward.points
        place = -score, key
        if after is None or place > (-after[0], after[1]):
            found.append((*place, reward, is_eligible))
    # The keys differ: nothing after them is compared.
    page = nsmallest(first + 1, found)
    today = day_of(now, zone)
    told = []
    for negative, _, reward, is_eligible in page[:first]:
        missing = max(0, reward.points - member.available)
        motive, params = _motive(reward.topics, reward.audience, _days_open(reward, today), likes, shopper)
        if missing:
            motive, params = Motive.POINTS_MISSING, {"points": missing}
        told.append(RankedReward(reward, is_eligible, missing, -negative, motive, params))
    return told, len(page) > first


def _days_open(reward: Reward, today: date) -> int | None:
    last = reward.window.last_day if reward.window is not None else None
    return (last - today).days + 1 if last is not None else None
