"""`python -m bench.catalogue`: what a member's first ten offers cost with 100,000 offers, against 100.

In this process, without the gateway: `rank_offers` alone, so the ratio is stricter than that of whole requests. Both
catalogues are generated alike, and each has 1,000 rewards.
"""

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from statistics import median
from time import perf_counter_ns
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import day_of
from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text
from loyalty.kernel.window import Window
from loyalty.model.catalogue import Catalogue
from loyalty.model.ledger import Account, Standing
from loyalty.model.member import Member, Profile
from loyalty.model.offer import Audience, Offer, OfferKind, OfferUse
from loyalty.model.reward import Reward, RewardKind
from loyalty.rules.affinity import BRAND, CATEGORY, Taste
from loyalty.rules.ranking import Liking, rank_offers, rank_rewards

FEW, MANY, REWARDS = 100, 100_000, 1_000
MEMBERS, ROUNDS, FIRST = 50, 15, 10
RATIO_MAX = 2.0
ZONE = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 5, 20, 15, 30, tzinfo=UTC)
NOTHING = Text({"en": ""}, "en")
CATEGORIES = [f"{CATEGORY}{number}" for number in range(300)]
BRANDS = [f"{BRAND}{number}" for number in range(40)]
TIERS = ("classic", "silver", "gold", "platinum")
SEGMENTS = [f"segment-{number}" for number in range(20)]
LISTS = [f"list-{number}" for number in range(200)]
CHANNELS = (Channel.APP, Channel.WEB, Channel.STORE, Channel.KIOSK)


def _audience(chance: random.Random) -> Audience:
    """Return an audience: of ten offers four are for everybody, three for tiers, two for segments, one for lists."""
    kind = chance.random()
    tiers = frozenset(chance.sample(TIERS, 2))
    if kind < 0.4:  # noqa: PLR2004 - the shares that the docstring tells
        return Audience()
    if kind < 0.7:  # noqa: PLR2004
        return Audience(tiers=tiers)
    if kind < 0.9:  # noqa: PLR2004
        # Every other one has to fit in two ways.
        return Audience(
            tiers=tiers if chance.random() < 1 / 2 else frozenset(), segments=frozenset({chance.choice(SEGMENTS)})
        )
    return Audience(lists=frozenset({chance.choice(LISTS)}))


def _window(chance: random.Random) -> Window | None:
    """Return a window: of ten offers two have weekdays, one has hours."""
    kind = chance.random()
    if kind < 0.2:  # noqa: PLR2004 - the shares that the docstring tells
        return Window(weekdays=frozenset(chance.sample(range(1, 8), 3)))
    return Window(hours=(time(chance.randrange(12)), time(chance.randrange(13, 24)))) if kind < 0.3 else None  # noqa: PLR2004


def an_offer(number: int, chance: random.Random) -> Offer:
    """Return an offer; four in five are on today."""
    starts_at = NOW + timedelta(hours=chance.randrange(-2000, 200))
    ends_at = NOW + timedelta(hours=chance.randrange(-200, 2000)) if chance.random() < 0.9 else None  # noqa: PLR2004
    topics = [*chance.sample(CATEGORIES, chance.randrange(3)), *chance.sample(BRANDS, chance.randrange(2))]
    return Offer(
        key=f"offer-{number}",
        kind=chance.choice(list(OfferKind)),
        title=NOTHING,
        description=NOTHING,
        terms=NOTHING,
        starts_at=starts_at,
        ends_at=ends_at,
        window=_window(chance),
        channels=frozenset(chance.sample(CHANNELS, 2)) if chance.random() < 1 / 4 else frozenset(),
        audience=_audience(chance),
        topics=frozenset(topics),
        weight=chance.choice((0, 0, 0, 1, 2, 5)),
    )


def a_catalogue(offers: int) -> Catalogue:
    """Return a catalogue of so many offers and the rewards; the same one each time."""
    chance = random.Random(offers)
    rewards = (
        Reward(
            key=f"reward-{number}",
            kind=chance.choice(list(RewardKind)),
            title=NOTHING,
            description=NOTHING,
            category=f"category-{number % 10}",
            points=chance.randrange(100, 20_000),
            audience=_audience(chance),
            topics=frozenset(chance.sample(CATEGORIES, 1)),
        )
        for number in range(REWARDS)
    )
    return Catalogue((an_offer(number, chance) for number in range(offers)), rewards)


@dataclass(frozen=True, slots=True)
class Somebody:
    """A member with a taste, as audiences see it."""

    member: Member
    taste: Taste
    tier: str
    lists: frozenset[str]
    segments: frozenset[str]

    def in_segment(self, key: str) -> bool:
        """Say whether the member is in a segment."""
        return key in self.segments


def somebody(number: int) -> Somebody:
    """Return a member who likes 35 topics, has touched 20 offers and is in some segments and lists."""
    chance = random.Random(number)
    topics = {topic: chance.expovariate(1) for topic in (*chance.sample(CATEGORIES, 30), *chance.sample(BRANDS, 5))}
    # Weights of purchases of these days, so that they count for something beside what is unknown.
    scale = 2.0**90
    taste = Taste(sum(topics.values()) * scale, {topic: weight * scale for topic, weight in topics.items()})
    tier = chance.choice(TIERS)
    touched = {f"offer-{chance.randrange(FEW)}": OfferUse(seen=chance.randrange(5)) for _ in range(20)}
    member = Member(
        id=f"m-{number}",
        programme="bench",
        number=str(number),
        version=1,
        enrolled_at=NOW,
        profile=Profile("en"),
        standing=Standing(tier, NOW, None),
        balances={Account.AVAILABLE: chance.randrange(10_000)},
        offers=touched,
    )
    segments = frozenset(chance.sample(SEGMENTS, 5))
    return Somebody(member, taste, tier, frozenset(chance.sample(LISTS, 5)), segments)


def offers_us(catalogue: Catalogue, people: Sequence[Somebody]) -> float:
    """Return how many microseconds a member's first offers take, on average over some members."""
    started = perf_counter_ns()
    for one in people:
        likes = Liking(one.taste, frozenset(), NOW)
        rank_offers(
            catalogue, one.member, one, likes, channel=Channel.APP, now=NOW, zone=ZONE, states=None, first=FIRST
        )
    return (perf_counter_ns() - started) / len(people) / 1_000


def rewards_us(catalogue: Catalogue, people: Sequence[Somebody]) -> float:
    """Return how many microseconds a member's first rewards take, on average over some members."""
    started = perf_counter_ns()
    for one in people:
        likes = Liking(one.taste, frozenset(), NOW)
        rank_rewards(catalogue, one.member, one, likes, channel=Channel.APP, now=NOW, zone=ZONE, first=FIRST)
    return (perf_counter_ns() - started) / len(people) / 1_000


def main() -> int:
    """Print what was measured; 1 where the ratio is greater than it may be."""
    catalogues = {offers: a_catalogue(offers) for offers in (FEW, MANY)}
    people = [somebody(number) for number in range(MEMBERS)]
    for offers, catalogue in catalogues.items():
        started = perf_counter_ns()
        catalogue.offer_index(day_of(NOW, ZONE), ZONE)
        made = (perf_counter_ns() - started) / 1e6
        # The first look at each bucket puts it in order: once a day.
        started = perf_counter_ns()
        offers_us(catalogue, people)
        looked = (perf_counter_ns() - started) / 1e6
        print(f"{offers:>9,} offers: the day's index {made:,.1f} ms, first looks {looked:,.1f} ms")
    rounds = [{offers: offers_us(catalogue, people) for offers, catalogue in catalogues.items()} for _ in range(ROUNDS)]
    few, many = (median(one[offers] for one in rounds) for offers in (FEW, MANY))
    print(f"{FEW:>9,} offers: {few:,.0f} us for a member's first {FIRST}")
    print(f"{MANY:>9,} offers: {many:,.0f} us for a member's first {FIRST}, {many / few:.2f} times as much")
    print(f"{REWARDS:>9,} rewards: {median(rewards_us(catalogues[FEW], people) for _ in range(ROUNDS)):,.0f} us")
    return int(many / few > RATIO_MAX)


if __name__ == "__main__":
    sys.exit(main())
