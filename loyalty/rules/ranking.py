"""Ranking: orders offers and rewards for one member, on one channel, at one moment, with a reason for each.

A score is a sum of integers: audience, weight and end (`loyalty/model/offer_index.py`), the member's highest affinity
or preference among its topics, and the member's use of it. Ties are ordered by key. Equal arguments give the same order
on every machine.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from enum import StrEnum
from heapq import heappop, heappush, merge, nsmallest
from itertools import count, islice
from math import isqrt
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import day_of
from loyalty.kernel.channel import Channel
from loyalty.model.catalogue import Catalogue
from loyalty.model.member import Member
from loyalty.model.offer import EVERYBODY, NO_USE, Audience, AudienceInput, Offer, OfferState, OfferUse, offer_state
from loyalty.model.offer_index import (
    ALL_TOPICS,
    AUDIENCE_SCORES,
    AudienceCriterion,
    Bucket,
    BucketsByTopic,
    IndexEntry,
    days_left,
    main_criterion,
    static_score,
    urgency_score,
)
from loyalty.model.reward import Reward
from loyalty.rules.affinity import AffinityShares, AffinityWeights
from loyalty.rules.availability import fits_channel, time_obstacle

# The score of a topic with all of a member's spending. It grows with the root of the share: buying a category at all
# says most, and a tenth of the spending is much for one category of a shop.
AFFINITY_SCORE_MAX = 1_000
# The score of a declared preference: as much as a sixth of the spending.
PREFERENCE_SCORE = 400
# Activated offers come before all others that can be used.
ACTIVATED_SCORE = 100_000
# For each time that the member saw the offer, up to SEEN_MAX times.
SEEN_SCORE = -10
SEEN_MAX = 10
# Refused offers come after the others for REFUSED_DAYS; people change their minds.
REFUSED_SCORE = -50_000
REFUSED_DAYS = 90
# Used and expired offers come last, used ones first, each the latest first.
FINISHED_SCORES = {OfferState.REDEEMED: -10_000_000, OfferState.EXPIRED: -20_000_000}
# Rewards that the member can order now come first, then those it lacks points for, then those it may not order.
# For the second group the missing points weigh more than affinity: most are within a month of saving.
LACKS_POINTS_SCORE = -10_000
INELIGIBLE_SCORE = -100_000
MISSING_POINTS_SCORE = -5_000

USABLE_STATES = frozenset({OfferState.AVAILABLE, OfferState.ACTIVATED})
ALL_STATES = frozenset(OfferState)


class RankingReason(StrEnum):
    """Why an item ranks where it does: the largest part of its score. The schema floor puts it into words."""

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


ReasonWithParams = tuple[RankingReason, Params]


class _Ranked:
    """A ranked item. Its reason is computed on first use.

    The constructors of subclasses set every slot themselves, for speed: a page creates dozens.
    """

    __slots__ = ("_reason", "_why", "score")

    score: int
    _why: Callable[[], ReasonWithParams]
    _reason: ReasonWithParams | None

    def __eq__(self, other: object) -> bool:
        return self.__class__ is other.__class__ and self._all() == other._all()

    def __hash__(self) -> int:
        return hash((self.__class__, self.score))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}{self._all()!r}"

    def _all(self) -> tuple[Any, ...]:
        own = (getattr(self, name) for name in self.__class__.__slots__)
        return (*own, self.score, self.reason)

    @property
    def reason(self) -> ReasonWithParams:
        """The largest part of the score, and its params."""
        if self._reason is None:
            self._reason = self._why()
        return self._reason

    @property
    def ranking_reason(self) -> RankingReason:
        """The largest part of the score."""
        return self.reason[0]

    @property
    def params(self) -> Params:
        """The params of the motive's sentence."""
        return self.reason[1]


class RankedOffer(_Ranked):
    """A ranked offer with its use and state for the member. `(score, offer.key)` is the cursor of the next page."""

    __slots__ = ("offer", "state", "use")

    def __init__(
        self, offer: Offer, use: OfferUse, state: OfferState, *, score: int = 0, why: Callable[[], ReasonWithParams]
    ) -> None:
        self.offer, self.use, self.state = offer, use, state
        self.score, self._why, self._reason = score, why, None


class RankedReward(_Ranked):
    """A ranked reward. `eligible`: the member can order it now; `points_missing`: points still to earn for it."""

    __slots__ = ("eligible", "points_missing", "reward")

    def __init__(
        self, reward: Reward, *, eligible: bool, points_missing: int, score: int, why: Callable[[], ReasonWithParams]
    ) -> None:
        self.reward, self.eligible, self.points_missing = reward, eligible, points_missing
        self.score, self._why, self._reason = score, why, None


class TopicScores:
    """The scores of topics for a member now, from its affinities and its declared preferences.

    A member has dozens of topics and a page needs a few, so each score is computed on first use.
    """

    __slots__ = ("_best", "_now", "_shares", "preferences")

    def __init__(self, affinity: AffinityWeights, preferences: frozenset[str], now: datetime) -> None:
        self._shares, self.preferences, self._now = AffinityShares(affinity, now), preferences, now
        self._best: dict[frozenset[str], int] = {NO_TOPICS: 0}

    def score(self, topic: str) -> int:
        """Return the score of a topic; 0 without affinity or preference."""
        share = self._shares.share(topic)
        # An integer root, which is exact.
        score = isqrt(int(AFFINITY_SCORE_MAX * AFFINITY_SCORE_MAX * share)) if share else 0
        return score + PREFERENCE_SCORE if topic in self.preferences else score

    def best_score(self, topics: frozenset[str]) -> int:
        """Return the highest score of some topics; 0 if none has one."""
        score = self._best.get(topics)
        if score is None:
            score = self._best[topics] = max(map(self.score, topics))
        return score

    def best_topic(self, topics: Iterable[str]) -> str | None:
        """Return the topic with the highest score, or None."""
        scores = {topic: self.score(topic) for topic in topics}
        return min((topic for topic in scores if scores[topic]), key=lambda t: (-scores[t], t), default=None)

    def by_score(self) -> list[tuple[str, int]]:
        """Return (topic, score) of every topic with a score, highest first."""
        topics = dict.fromkeys((*self._shares.topics, *self.preferences))
        scores = [(topic, self.score(topic)) for topic in topics]
        return sorted((item for item in scores if item[1]), key=lambda item: -item[1])


NO_TOPICS: frozenset[str] = frozenset()


def offer_score(offer: Offer, use: OfferUse, topic_scores: TopicScores, *, now: datetime, zone: ZoneInfo) -> int:
    """Return the score of an offer that is visible to the member now."""
    state = offer_state(offer, use, now)
    if state is OfferState.REDEEMED:
        return FINISHED_SCORES[state] + (use.redeemed_at.toordinal() if use.redeemed_at is not None else 0)
    if state is OfferState.EXPIRED:
        return FINISHED_SCORES[state] + (offer.ends_at.toordinal() if offer.ends_at is not None else 0)
    score = static_score(offer, day_of(now, zone), zone) + topic_scores.best_score(offer.topics)
    score += SEEN_SCORE * min(use.seen, SEEN_MAX)
    if state is OfferState.ACTIVATED:
        return score + ACTIVATED_SCORE
    if use.refused_at is not None and (now - use.refused_at).days < REFUSED_DAYS:
        score += REFUSED_SCORE
    return score


def rank_offers(
    catalogue: Catalogue,
    member: Member,
    segmentation: AudienceInput,
    topic_scores: TopicScores,
    *,
    channel: Channel | None,
    now: datetime,
    zone: ZoneInfo,
    states: AbstractSet[OfferState] | None = None,
    exhausted: AbstractSet[str] = frozenset(),
    first: int,
    after: tuple[int, str] | None = None,
) -> tuple[list[RankedOffer], bool]:
    """Return the member's `first` offers after the cursor `after` (score, key), and whether more follow.

    `channel` None means any, `states` None all. `exhausted` are the keys of offers whose shared limit is reached; they
    are not shown as usable. An offer is shown while it can be used, to its audience and to members who activated it;
    used or expired offers are shown to members who have a use of them.
    """
    wanted = ALL_STATES if states is None else states
    local = now.astimezone(zone)

    def may_see(offer: Offer, state: OfferState, *, is_in_audience: bool) -> bool:
        if state not in wanted or (offer.channels and not fits_channel(offer.channels, channel)):
            return False
        return state not in USABLE_STATES or (
            (state is OfferState.ACTIVATED or is_in_audience)
            and offer.key not in exhausted
            and _is_usable(offer, now, local)
        )

    with_use: list[tuple[int, str, Offer]] = []
    for key, use in member.offer_uses.items():
        offer = catalogue.offers.get(key)
        if offer is None:
            continue
        state = offer_state(offer, use, now)
        if may_see(
            offer, state, is_in_audience=state is not OfferState.AVAILABLE or offer.audience.includes(segmentation)
        ):
            place = -offer_score(offer, use, topic_scores, now=now, zone=zone), key
            if after is None or place > (-after[0], after[1]):
                with_use.append((*place, offer))
    with_use.sort()

    def without_use() -> Iterator[tuple[int, str, Offer]]:
        index = catalogue.offer_index(local.date(), zone)
        audiences = index.buckets_for(segmentation)
        ordered = _by_sorting_all if index.is_small(audiences) else _by_merging_buckets
        for negative, key, offer, check_audience, check_usable in ordered(audiences, topic_scores, after):
            if (
                key not in member.offer_uses
                and (not offer.channels or fits_channel(offer.channels, channel))
                and key not in exhausted
                and (not check_usable or _is_usable(offer, now, local))
                and (not check_audience or offer.audience.includes(segmentation))
            ):
                yield negative, key, offer

    unused = without_use() if OfferState.AVAILABLE in wanted else iter(())
    found = merge(with_use, unused) if with_use else unused
    page = list(islice(found, first + 1))
    page_offers = [
        _ranked_offer(offer, member.offer_uses.get(key), -negative, topic_scores, segmentation, now=now, zone=zone)
        for negative, key, offer in page[:first]
    ]
    return page_offers, len(page) > first


def _is_usable(offer: Offer, now: datetime, local: datetime) -> bool:
    return not time_obstacle(now, local, starts_at=offer.starts_at, ends_at=offer.ends_at, window=offer.window)


def _scored_buckets(topics: BucketsByTopic, by_score: Sequence[tuple[str, int]]) -> Iterator[tuple[int, Bucket]]:
    """Yield (topic score, bucket) of the topics with a score, highest first."""
    return ((points, topics[topic]) for topic, points in by_score if topic in topics)


def _by_sorting_all(
    audiences: Sequence[BucketsByTopic], topic_scores: TopicScores, after: tuple[int, str] | None
) -> Iterator[IndexEntry]:
    """Yield the same as `_by_merging_buckets()`, by scoring and sorting every entry."""
    found: dict[str, IndexEntry] = {}
    for topics in audiences:
        for negative, key, offer, check_audience, check_usable in topics[ALL_TOPICS].entries:
            place = negative - topic_scores.best_score(offer.topics)
            if after is None or (place, key) > (-after[0], after[1]):
                found[key] = place, key, offer, check_audience, check_usable
    # Keys are unique, so that sorting never compares the offers.
    return iter(sorted(found.values()))


def _by_merging_buckets(
    audiences: Sequence[BucketsByTopic], topic_scores: TopicScores, after: tuple[int, str] | None
) -> Iterator[IndexEntry]:
    """Yield the entries of all buckets of a member once each, best first, with minus the full score in first place.

    For each audience, opens the bucket of all topics at once, and that of a topic only when its best entry could be
    next.
    """
    by_score = topic_scores.by_score()
    # (minus the score, key, number, place, topic score, bucket). An unopened bucket is in the heap with an empty key at
    # the best score that it can hold, before all entries of that score. Numbers are unique: nothing after is compared.
    heap: list[tuple[int, str, int, int, int, Bucket]] = []
    unopened_of: list[tuple[int, Iterator[tuple[int, Bucket]]]] = []
    numbers = count()

    def open_bucket(points: int, bucket: Bucket) -> None:
        entries = bucket.entries
        # Appending the least character to a key gives the next possible key.
        start = 0 if after is None else bisect_left(entries, (points - after[0], f"{after[1]}\0"))
        if start < len(entries):
            heappush(heap, (entries[start][0] - points, entries[start][1], next(numbers), start, points, bucket))

    def announce(number: int) -> None:
        best, unopened = unopened_of[number]
        for points, bucket in islice(unopened, 1):
            heappush(heap, (best - points, "", next(numbers), number, points, bucket))

    for number, topics in enumerate(audiences):
        open_bucket(0, topics[ALL_TOPICS])
        unopened_of.append((topics[ALL_TOPICS].entries[0][0], _scored_buckets(topics, by_score)))
        announce(number)
    last_key = None
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
        # An offer is yielded from the bucket of its best topic, where its score is complete. If several buckets tie,
        # it comes out of them in succession.
        _, _, offer, check_audience, check_usable = entries[place]
        if key != last_key and topic_scores.best_score(offer.topics) == points:
            last_key = key
            yield negative, key, offer, check_audience, check_usable


def _ranked_offer(
    offer: Offer,
    use: OfferUse | None,
    score: int,
    topic_scores: TopicScores,
    segmentation: AudienceInput,
    *,
    now: datetime,
    zone: ZoneInfo,
) -> RankedOffer:
    # Without a use, the offer is only listed while it can be used.
    state = OfferState.AVAILABLE if use is None else offer_state(offer, use, now)

    def why() -> ReasonWithParams:
        if state is not OfferState.AVAILABLE:
            return RankingReason(state.value.lower()), {}
        days = days_left(offer, day_of(now, zone), zone)
        return _main_reason(offer.topics, offer.audience, days, topic_scores, segmentation)

    return RankedOffer(offer, NO_USE if use is None else use, state, score=score, why=why)


def _main_reason(
    topics: Iterable[str], audience: Audience, days: int | None, topic_scores: TopicScores, segmentation: AudienceInput
) -> tuple[RankingReason, Params]:
    """Return the largest part of an item's score, with its params: topic, list, segment, tier or days left."""
    reasons: list[tuple[int, RankingReason, Params]] = []
    topic = topic_scores.best_topic(topics)
    if topic is not None:
        score = topic_scores.score(topic)
        is_declared = topic in topic_scores.preferences and score <= 2 * PREFERENCE_SCORE
        reasons.append((score, RankingReason.PREFERENCE if is_declared else RankingReason.FAVOURITE, {"topic": topic}))
    kind, keys = main_criterion(audience)
    if kind is AudienceCriterion.LIST:
        reasons += [
            (AUDIENCE_SCORES[kind], RankingReason.FOR_LIST, {"list": key}) for key in sorted(keys & segmentation.lists)
        ]
    elif kind is AudienceCriterion.SEGMENT:
        fitting = (key for key in sorted(keys) if segmentation.in_segment(key))
        reasons += [(AUDIENCE_SCORES[kind], RankingReason.FOR_SEGMENT, {"segment": key}) for key in islice(fitting, 1)]
    elif kind is AudienceCriterion.TIER and segmentation.tier in keys:
        reasons.append((AUDIENCE_SCORES[kind], RankingReason.FOR_TIER, {"tier": segmentation.tier}))
    if days is not None and urgency_score(days):
        reasons.append((urgency_score(days), RankingReason.ENDS_SOON, {"days": days}))
    # max() returns the first of equal parts.
    _, ranking_reason, params = max(reasons, key=lambda reason: reason[0], default=(0, RankingReason.FOR_EVERYBODY, {}))
    return ranking_reason, params


def rank_rewards(
    catalogue: Catalogue,
    member: Member,
    segmentation: AudienceInput,
    topic_scores: TopicScores,
    *,
    channel: Channel | None,
    now: datetime,
    zone: ZoneInfo,
    category: str | None = None,
    eligible: bool | None = None,
    can_order: Callable[[Reward], bool | None] = lambda _: None,
    first: int,
    after: tuple[int, str] | None = None,
) -> tuple[list[RankedReward], bool]:
    """Return the `first` rewards after the cursor `after` (score, key), and whether more follow.

    Rewards that the member can order now come first, then those it lacks points for, the nearest first, then those for
    other members or other times. `can_order` checks stock, limits and appointments (False: it cannot be ordered). It
    is called only for rewards that may have any and that the member could order otherwise. `category` and `eligible`
    filter the result.
    """
    local = now.astimezone(zone)

    def eligibility_and_score(reward: Reward, points_missing: int) -> tuple[bool, int]:
        """Return whether the member can order it now, and what its audience and closure add to its score."""
        is_for_member = reward.audience is EVERYBODY or reward.audience.includes(segmentation)
        is_closed = not is_for_member or (
            reward.window is not None and time_obstacle(now, local, window=reward.window) is not None
        )
        is_eligible = not is_closed and not points_missing and can_order(reward) is not False
        score = AUDIENCE_SCORES[main_criterion(reward.audience)[0]] if is_for_member else 0
        return is_eligible, score + INELIGIBLE_SCORE if is_closed or not (is_eligible or points_missing) else score

    available = member.available
    found: list[tuple[int, str, Reward, int, bool]] = []
    for key, reward, weight, is_unrestricted in catalogue.reward_scores():
        if not _matches_filters(reward, category, channel):
            continue
        points_missing = reward.points - available if reward.points > available else 0
        is_eligible, more = (
            (not points_missing, 0) if is_unrestricted else eligibility_and_score(reward, points_missing)
        )
        if eligible is not None and is_eligible is not eligible:
            continue
        score = weight + more + topic_scores.best_score(reward.topics)
        if points_missing:
            score += LACKS_POINTS_SCORE + MISSING_POINTS_SCORE * points_missing // reward.points
        if after is None or (-score, key) > (-after[0], after[1]):
            found.append((-score, key, reward, points_missing, is_eligible))
    # Keys are unique, so that nothing after them is compared.
    page = nsmallest(first + 1, found)

    def ranked(place: tuple[int, str, Reward, int, bool]) -> RankedReward:
        negative, _, reward, points_missing, is_eligible = place

        def why() -> ReasonWithParams:
            if points_missing:
                return RankingReason.POINTS_MISSING, {"points": points_missing}
            return _main_reason(
                reward.topics, reward.audience, _days_open(reward, day_of(now, zone)), topic_scores, segmentation
            )

        return RankedReward(reward, eligible=is_eligible, points_missing=points_missing, score=-negative, why=why)

    return [ranked(place) for place in page[:first]], len(page) > first


def _matches_filters(reward: Reward, category: str | None, channel: Channel | None) -> bool:
    if category is not None and reward.category != category:
        return False
    return not reward.channels or fits_channel(reward.channels, channel)


def _days_open(reward: Reward, today: date) -> int | None:
    last = reward.window.last_local_day if reward.window is not None else None
    return (last - today).days + 1 if last is not None else None
