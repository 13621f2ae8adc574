"""The offers of one day, laid out for ranking: by whom they are for and what they are about, best first.

What ranks an offer alike for everybody (its audience, weight and end) is worked out once a day, so a member's best ten
are found by looking at the heads of a few buckets, however many offers there are.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import day_of, end_of, start_of
from loyalty.kernel.window import is_open
from loyalty.model.offer import Audience, Offer, Shopper

# Scores are whole numbers, so that every machine finds the same order. For scale: a topic that a member spends a tenth
# of the money on is worth some 300 (see `loyalty/rules/ranking.py`).
WEIGHT = 10
# What ends within so many days comes a little earlier, by so much; the first that fits.
ENDS_SOON = ((1, 60), (3, 40), (7, 20))
SOON = timedelta(days=max(days for days, _ in ENDS_SOON))
# Up to so many entries are looked at one by one.
FEW = 200
# The bucket of all offers of an audience, whatever they are about.
ANY_TOPIC = ""


class AudienceKind(StrEnum):
    """What an offer's audience is known by: the most selective thing that it names."""

    LIST = "list"
    SEGMENT = "segment"
    TIER = "tier"
    EVERYBODY = "everybody"


# Something for a few comes before something for all.
FOR_FEW = {
    AudienceKind.LIST: 200,
    AudienceKind.SEGMENT: 100,
    AudienceKind.TIER: 50,
    AudienceKind.EVERYBODY: 0,
}

# (minus the static score, key, the offer, whether the rest of its audience has to be looked at, whether the time of
# day has to be): sorted, the best comes first.
Entry = tuple[int, str, Offer, bool, bool]


def audience_of(audience: Audience) -> tuple[AudienceKind, frozenset[str]]:
    """Return the most selective thing that an audience names: its kind, and the keys of which one has to fit."""
    if audience.lists:
        return AudienceKind.LIST, audience.lists
    if audience.segments:
        return AudienceKind.SEGMENT, audience.segments
    if audience.tiers:
        return AudienceKind.TIER, audience.tiers
    return AudienceKind.EVERYBODY, frozenset({""})


def days_left(offer: Offer, day: date, zone: ZoneInfo) -> int | None:
    """Return how many days an offer can be used from a day on, that day included; None: it does not end."""
    last = offer.window.last_day if offer.window is not None else None
    if offer.ends_at is not None:
        ends_on = day_of(offer.ends_at, zone)
        # What ends as a day begins was there for the last time on the day before.
        ends_on -= timedelta(days=offer.ends_at <= start_of(ends_on, zone))
        last = ends_on if last is None else min(last, ends_on)
    return (last - day).days + 1 if last is not None else None


def urgency(days: int | None) -> int:
    """Return what it is worth that an offer can be used for so many days only."""
    return next((points for most, points in ENDS_SOON if days is not None and days <= most), 0)


def static_score(offer: Offer, day: date, zone: ZoneInfo) -> int:
    """Return the part of an offer's score that is the same for all it is for, on one day."""
    kind, _ = audience_of(offer.audience)
    score = WEIGHT * offer.weight + FOR_FEW[kind]
    if offer.window is None and (offer.ends_at is None or offer.ends_at > start_of(day + SOON, zone)):
        return score  # most offers, and days are dear to work out
    return score + urgency(days_left(offer, day, zone))


class Bucket:
    """Entries in order, put in order when they are first looked at: most buckets of a day never are."""

    __slots__ = ("_entries", "_in_order")

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._in_order = True

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> Sequence[Entry]:
        """All entries, best first."""
        if not self._in_order:
            self._entries.sort()
            self._in_order = True
        return self._entries

    def add(self, entry: Entry) -> None:
        """Add an entry where it will be sorted in later."""
        self._entries.append(entry)
        self._in_order = False

    def put(self, entry: Entry) -> None:
        """Add an entry in its place."""
        if self._in_order:
            insort(self._entries, entry)
        else:
            self._entries.append(entry)

    def drop(self, entry: Entry) -> None:
        """Take an entry away, which is there."""
        del self._entries[bisect_left(self.entries, entry[:2])]


Topics = dict[str, Bucket]


class OfferIndex:
    """The offers that are on at some moment of a day, in buckets by audience and topic."""

    def __init__(self, offers: Iterable[Offer], day: date, zone: ZoneInfo) -> None:
        self.day = day
        self.zone = zone
        self._starts_at = start_of(day, zone)
        self._ends_at = end_of(day, zone)
        self._audiences: dict[AudienceKind, dict[str, Topics]] = {kind: {} for kind in AudienceKind}
        for offer in offers:
            if self._is_on(offer):
                entry = self._entry(offer)
                for bucket in self._buckets(offer):
                    bucket.add(entry)

    def put(self, offer: Offer) -> None:
        """Add an offer that is not there."""
        if self._is_on(offer):
            entry = self._entry(offer)
            for bucket in self._buckets(offer):
                bucket.put(entry)

    def drop(self, offer: Offer) -> None:
        """Take an offer away that is there."""
        if not self._is_on(offer):
            return
        entry = self._entry(offer)
        for bucket in self._buckets(offer):
            bucket.drop(entry)
        kind, keys = audience_of(offer.audience)
        for key in keys:
            topics = self._audiences[kind][key]
            for topic in offer.topics | {ANY_TOPIC}:
                if not topics[topic]:
                    del topics[topic]
            if not topics:
                del self._audiences[kind][key]

    def of_shopper(self, shopper: Shopper) -> list[Topics]:
        """Return the buckets, by topic, of everything that a shopper belongs to. Asks only after segments in use."""
        everybody, tiers, segments, lists = (
            self._audiences[kind]
            for kind in (AudienceKind.EVERYBODY, AudienceKind.TIER, AudienceKind.SEGMENT, AudienceKind.LIST)
        )
        found = list(everybody.values())
        if shopper.tier in tiers:
            found.append(tiers[shopper.tier])
        found += [topics for key, topics in segments.items() if shopper.in_segment(key)]
        if lists:
            found += [lists[key] for key in shopper.lists if key in lists]
        return found

    def few(self, audiences: Sequence[Topics]) -> bool:
        """Say whether there is so little in some audiences that looking at all of it is the quickest."""
        return sum(len(topics[ANY_TOPIC]) for topics in audiences) <= FEW

    def layout(self) -> Mapping[tuple[AudienceKind, str, str], Sequence[str]]:
        """Return the keys of every bucket in order, by audience and topic."""
        return {
            (kind, key, topic): [entry[1] for entry in bucket.entries]
            for kind, audiences in self._audiences.items()
            for key, topics in audiences.items()
            for topic, bucket in topics.items()
        }

    def _is_on(self, offer: Offer) -> bool:
        """Say whether an offer is on at some moment of the day, if perhaps not at all hours."""
        if offer.starts_at >= self._ends_at or offer.is_over(self._starts_at) or offer.uses_per_member == 0:
            return False
        if offer.window is None:
            return True
        days = offer.window if offer.window.hours is None else replace(offer.window, hours=None)
        return is_open(days, self._starts_at, self.zone)

    def _entry(self, offer: Offer) -> Entry:
        audience = offer.audience
        several = (bool(audience.tiers) + bool(audience.segments) + bool(audience.lists)) > 1
        timed = (
            offer.starts_at > self._starts_at
            or offer.is_over(self._ends_at)
            or (offer.window is not None and offer.window.hours is not None)
        )
        return -static_score(offer, self.day, self.zone), offer.key, offer, several, timed

    def _buckets(self, offer: Offer) -> Iterable[Bucket]:
        """Tell every bucket that an offer belongs in, made where it is missing."""
        kind, keys = audience_of(offer.audience)
        audiences = self._audiences[kind]
        for key in keys:
            topics = audiences.get(key)
            if topics is None:
                topics = audiences[key] = {}
            for topic in offer.topics | {ANY_TOPIC}:
                bucket = topics.get(topic)
                if bucket is None:
                    bucket = topics[topic] = Bucket()
                yield bucket
