"""The offers of one day indexed for ranking: buckets by audience and topic, best score first.

The part of a score that is the same for every member (audience, weight, end) is computed once a day. A page of a
member's best offers then reads the heads of a few buckets, however many offers exist.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import day_of, end_of, start_of
from loyalty.kernel.window import is_open
from loyalty.model.offer import Audience, AudienceInput, Offer

# Scores are integers, so that every machine computes the same order. For scale: a topic with a tenth of a member's
# spending adds about 300 (see `loyalty/rules/ranking.py`).
WEIGHT_SCORE = 10
# (days left at most, points added): the first match counts.
URGENCY_SCORES = ((1, 60), (3, 40), (7, 20))
URGENCY_HORIZON = timedelta(days=max(days for days, _ in URGENCY_SCORES))
# With at most this many entries, sorting all of them is faster than merging buckets.
SORT_ALL_MAX = 200
# The bucket of all offers of an audience, on any topic.
ALL_TOPICS = ""


class AudienceCriterion(StrEnum):
    """The most selective criterion that an audience names; the index sorts offers into buckets by it."""

    LIST = "list"
    SEGMENT = "segment"
    TIER = "tier"
    EVERYBODY = "everybody"


# Points added for the audience: the more selective, the higher.
AUDIENCE_SCORES = {
    AudienceCriterion.LIST: 200,
    AudienceCriterion.SEGMENT: 100,
    AudienceCriterion.TIER: 50,
    AudienceCriterion.EVERYBODY: 0,
}

# (minus the static score, key, offer, whether to check the rest of its audience, whether to check the time of day).
# Sorted ascending, the best comes first.
IndexEntry = tuple[int, str, Offer, bool, bool]


def main_criterion(audience: Audience) -> tuple[AudienceCriterion, frozenset[str]]:
    """Return the most selective criterion of an audience and its keys, of which a member must match one."""
    if audience.lists:
        return AudienceCriterion.LIST, audience.lists
    if audience.segments:
        return AudienceCriterion.SEGMENT, audience.segments
    if audience.tiers:
        return AudienceCriterion.TIER, audience.tiers
    return AudienceCriterion.EVERYBODY, frozenset({""})


def days_left(offer: Offer, day: date, zone: ZoneInfo) -> int | None:
    """Return on how many days an offer can still be used, `day` included; None if it never ends."""
    last = offer.window.last_local_day if offer.window is not None else None
    if offer.ends_at is not None:
        ends_on = day_of(offer.ends_at, zone)
        # An offer that ends at midnight is last usable on the day before.
        ends_on -= timedelta(days=offer.ends_at <= start_of(ends_on, zone))
        last = ends_on if last is None else min(last, ends_on)
    return (last - day).days + 1 if last is not None else None


def urgency_score(days: int | None) -> int:
    """Return the points that an offer gets for ending within `days`; 0 for None."""
    return next((points for days_max, points in URGENCY_SCORES if days is not None and days <= days_max), 0)


def static_score(offer: Offer, day: date, zone: ZoneInfo) -> int:
    """Return the part of an offer's score on one day that is the same for every member of its audience."""
    kind, _ = main_criterion(offer.audience)
    score = WEIGHT_SCORE * offer.weight + AUDIENCE_SCORES[kind]
    if offer.window is None and (offer.ends_at is None or offer.ends_at > start_of(day + URGENCY_HORIZON, zone)):
        return score  # true for most offers, and saves computing days
    return score + urgency_score(days_left(offer, day, zone))


class Bucket:
    """Entries in order, sorted on first read: most buckets are never read on their day."""

    __slots__ = ("_entries", "_in_order")

    def __init__(self) -> None:
        self._entries: list[IndexEntry] = []
        self._in_order = True

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> Sequence[IndexEntry]:
        """All entries, best first."""
        if not self._in_order:
            self._entries.sort()
            self._in_order = True
        return self._entries

    def append(self, entry: IndexEntry) -> None:
        """Append an entry; the next read sorts it into place."""
        self._entries.append(entry)
        self._in_order = False

    def insert(self, entry: IndexEntry) -> None:
        """Insert an entry, in order if the bucket is sorted."""
        if self._in_order:
            insort(self._entries, entry)
        else:
            self._entries.append(entry)

    def remove(self, entry: IndexEntry) -> None:
        """Remove an entry, which must be present."""
        del self._entries[bisect_left(self.entries, entry[:2])]


BucketsByTopic = dict[str, Bucket]


class OfferIndex:
    """The offers that can be used at some moment of one day, in buckets by audience and topic."""

    def __init__(self, offers: Iterable[Offer], day: date, zone: ZoneInfo) -> None:
        self.day = day
        self.zone = zone
        self._starts_at = start_of(day, zone)
        self._ends_at = end_of(day, zone)
        self._audiences: dict[AudienceCriterion, dict[str, BucketsByTopic]] = {kind: {} for kind in AudienceCriterion}
        for offer in offers:
            if self._is_usable_today(offer):
                entry = self._entry(offer)
                for bucket in self._buckets(offer):
                    bucket.append(entry)

    def add(self, offer: Offer) -> None:
        """Add an offer that the index does not hold."""
        if self._is_usable_today(offer):
            entry = self._entry(offer)
            for bucket in self._buckets(offer):
                bucket.insert(entry)

    def remove(self, offer: Offer) -> None:
        """Remove an offer that the index holds."""
        if not self._is_usable_today(offer):
            return
        entry = self._entry(offer)
        for bucket in self._buckets(offer):
            bucket.remove(entry)
        kind, keys = main_criterion(offer.audience)
        for key in keys:
            topics = self._audiences[kind][key]
            for topic in offer.topics | {ALL_TOPICS}:
                if not topics[topic]:
                    del topics[topic]
            if not topics:
                del self._audiences[kind][key]

    def buckets_for(self, segmentation: AudienceInput) -> list[BucketsByTopic]:
        """Return the buckets by topic of every audience that includes a member.

        Evaluates only segments that some offer of the day uses.
        """
        everybody, tiers, segments, lists = (
            self._audiences[kind]
            for kind in (
                AudienceCriterion.EVERYBODY,
                AudienceCriterion.TIER,
                AudienceCriterion.SEGMENT,
                AudienceCriterion.LIST,
            )
        )
        found = list(everybody.values())
        if segmentation.tier in tiers:
            found.append(tiers[segmentation.tier])
        found += [topics for key, topics in segments.items() if segmentation.in_segment(key)]
        if lists:
            found += [lists[key] for key in segmentation.lists if key in lists]
        return found

    def is_small(self, audiences: Sequence[BucketsByTopic]) -> bool:
        """Return whether the audiences hold at most FEW entries together."""
        return sum(len(topics[ALL_TOPICS]) for topics in audiences) <= SORT_ALL_MAX

    def keys_by_bucket(self) -> Mapping[tuple[AudienceCriterion, str, str], Sequence[str]]:
        """Return the offer keys of every bucket, best first, by audience kind, audience key and topic."""
        return {
            (kind, key, topic): [entry[1] for entry in bucket.entries]
            for kind, audiences in self._audiences.items()
            for key, topics in audiences.items()
            for topic, bucket in topics.items()
        }

    def _is_usable_today(self, offer: Offer) -> bool:
        """Return whether an offer can be used at some moment of the day, perhaps not at all hours."""
        if offer.starts_at >= self._ends_at or offer.has_ended(self._starts_at) or offer.uses_per_member_max == 0:
            return False
        window = offer.window
        if window is None:
            return True
        # Hours that began on the day before may still be open. Spans are too expensive to compute for every offer.
        days = window if window.hours is None else replace(window, hours=None)
        moments = (self._starts_at, self._starts_at - timedelta.resolution)[: 1 + window.spans_midnight]
        return any(is_open(days, moment, self.zone) for moment in moments)

    def _entry(self, offer: Offer) -> IndexEntry:
        audience = offer.audience
        several = (bool(audience.tiers) + bool(audience.segments) + bool(audience.lists)) > 1
        timed = (
            offer.starts_at > self._starts_at
            or offer.has_ended(self._ends_at)
            or (offer.window is not None and offer.window.hours is not None)
        )
        return -static_score(offer, self.day, self.zone), offer.key, offer, several, timed

    def _buckets(self, offer: Offer) -> Iterable[Bucket]:
        """Yield every bucket of an offer, and create missing ones."""
        kind, keys = main_criterion(offer.audience)
        audiences = self._audiences[kind]
        for key in keys:
            topics = audiences.get(key)
            if topics is None:
                topics = audiences[key] = {}
            for topic in offer.topics | {ALL_TOPICS}:
                bucket = topics.get(topic)
                if bucket is None:
                    bucket = topics[topic] = Bucket()
                yield bucket
