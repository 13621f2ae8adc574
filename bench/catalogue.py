"""`python -m bench.catalogue`: the time to rank a member's first ten offers among 100,000, against 100.

Times `rank_offers` alone in this process, without the gateway, so the ratio is stricter than that of whole requests.
Both catalogues are generated alike, and each has 1,000 rewards.
"""

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from statistics import median
from time import perf_counter_ns
from zoneinfo import ZoneInfo

from bench.interpreter import prefer_optimised
from loyalty.kernel.calendar import day_of
from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text
from loyalty.kernel.window import Window
from loyalty.model.catalogue import Catalogue
from loyalty.model.ledger import Account, TierStatus
from loyalty.model.member import Member, Profile
from loyalty.model.offer import Audience, Offer, OfferKind, OfferUse
from loyalty.model.reward import Reward, RewardKind
from loyalty.rules.affinity import BRAND_PREFIX, CATEGORY_PREFIX, AffinityWeights
from loyalty.rules.ranking import TopicScores, rank_offers, rank_rewards

FEW, MANY, REWARDS = 100, 100_000, 1_000
MEMBERS, ROUNDS, FIRST = 50, 15, 10
RATIO_MAX = 2.0
ZONE = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 5, 20, 15, 30, tzinfo=UTC)
NOTHING = Text({"en": ""}, "en")
CATEGORIES = [f"{CATEGORY_PREFIX}{number}" for number in range(300)]
BRANDS = [f"{BRAND_PREFIX}{number}" for number in range(40)]
TIERS = ("classic", "silver", "gold", "platinum")
SEGMENTS = [f"segment-{number}" for number in range(20)]
LISTS = [f"list-{number}" for number in range(200)]
CHANNELS = (Channel.APP, Channel.WEB, Channel.STORE, Channel.KIOSK)


def _audience(rng: random.Random) -> Audience:
    """Return an audience: of ten offers four have none, three have tiers, two segments, one a list."""
    kind = rng.random()
    tiers = frozenset(rng.sample(TIERS, 2))
    if kind < 0.4:  # noqa: PLR2004 - the shares in the docstring
        return Audience()
    if kind < 0.7:  # noqa: PLR2004
        return Audience(tiers=tiers)
    if kind < 0.9:  # noqa: PLR2004
        # Half of these require a tier and a segment.
        return Audience(
            tiers=tiers if rng.random() < 1 / 2 else frozenset(), segments=frozenset({rng.choice(SEGMENTS)})
        )
    return Audience(lists=frozenset({rng.choice(LISTS)}))


def _window(rng: random.Random) -> Window | None:
    """Return a window: of ten offers two have weekdays, one has hours."""
    kind = rng.random()
    if kind < 0.2:  # noqa: PLR2004 - the shares in the docstring
        return Window(weekdays=frozenset(rng.sample(range(1, 8), 3)))
    return Window(hours=(time(rng.randrange(12)), time(rng.randrange(13, 24)))) if kind < 0.3 else None  # noqa: PLR2004


def sample_offer(number: int, rng: random.Random) -> Offer:
    """Return an offer; four in five are current."""
    starts_at = NOW + timedelta(hours=rng.randrange(-2000, 200))
    ends_at = NOW + timedelta(hours=rng.randrange(-200, 2000)) if rng.random() < 0.9 else None  # noqa: PLR2004
    topics = [*rng.sample(CATEGORIES, rng.randrange(3)), *rng.sample(BRANDS, rng.randrange(2))]
    return Offer(
        key=f"offer-{number}",
        kind=rng.choice(list(OfferKind)),
        title=NOTHING,
        description=NOTHING,
        terms=NOTHING,
        starts_at=starts_at,
        ends_at=ends_at,
        window=_window(rng),
        channels=frozenset(rng.sample(CHANNELS, 2)) if rng.random() < 1 / 4 else frozenset(),
        audience=_audience(rng),
        topics=frozenset(topics),
        weight=rng.choice((0, 0, 0, 1, 2, 5)),
    )


def sample_catalogue(offers: int) -> Catalogue:
    """Return a catalogue of `offers` offers and REWARDS rewards; deterministic."""
    rng = random.Random(offers)
    rewards = (
        Reward(
            key=f"reward-{number}",
            kind=rng.choice(list(RewardKind)),
            title=NOTHING,
            description=NOTHING,
            category=f"category-{number % 10}",
            points=rng.randrange(100, 20_000),
            audience=_audience(rng),
            topics=frozenset(rng.sample(CATEGORIES, 1)),
        )
        for number in range(REWARDS)
    )
    return Catalogue((sample_offer(number, rng) for number in range(offers)), rewards)


@dataclass(frozen=True, slots=True)
class SampleMember:
    """A member with affinities: the input that audiences are checked against."""

    member: Member
    affinity: AffinityWeights
    tier: str
    lists: frozenset[str]
    segments: frozenset[str]

    def in_segment(self, key: str) -> bool:
        """Return whether the member is in a segment."""
        return key in self.segments


def sample_member(number: int) -> SampleMember:
    """Return a member with affinities for 35 topics, uses of 20 offers, five segments and five lists."""
    rng = random.Random(number)
    topics = {topic: rng.expovariate(1) for topic in (*rng.sample(CATEGORIES, 30), *rng.sample(BRANDS, 5))}
    # As large as the weights of purchases of these days, so that they outweigh the prior.
    scale = 2.0**90
    affinity = AffinityWeights(
        sum(topics.values()) * scale, {topic: weight * scale for topic, weight in topics.items()}
    )
    tier = rng.choice(TIERS)
    uses = {f"offer-{rng.randrange(FEW)}": OfferUse(seen=rng.randrange(5)) for _ in range(20)}
    member = Member(
        id=f"m-{number}",
        programme="bench",
        number=str(number),
        version=1,
        enrolled_at=NOW,
        profile=Profile("en"),
        tier_status=TierStatus(tier, NOW, None),
        balances={Account.AVAILABLE: rng.randrange(10_000)},
        offer_uses=uses,
    )
    segments = frozenset(rng.sample(SEGMENTS, 5))
    return SampleMember(member, affinity, tier, frozenset(rng.sample(LISTS, 5)), segments)


def offers_us(catalogue: Catalogue, people: Sequence[SampleMember]) -> float:
    """Return the mean microseconds to rank a member's first offers."""
    started = perf_counter_ns()
    for one in people:
        topic_scores = TopicScores(one.affinity, frozenset(), NOW)
        rank_offers(
            catalogue, one.member, one, topic_scores, channel=Channel.APP, now=NOW, zone=ZONE, states=None, first=FIRST
        )
    return (perf_counter_ns() - started) / len(people) / 1_000


def rewards_us(catalogue: Catalogue, people: Sequence[SampleMember]) -> float:
    """Return the mean microseconds to rank a member's first rewards."""
    started = perf_counter_ns()
    for one in people:
        topic_scores = TopicScores(one.affinity, frozenset(), NOW)
        rank_rewards(catalogue, one.member, one, topic_scores, channel=Channel.APP, now=NOW, zone=ZONE, first=FIRST)
    return (perf_counter_ns() - started) / len(people) / 1_000


def main() -> int:
    """Print the times; return 1 if the ratio exceeds RATIO_MAX."""
    prefer_optimised()
    catalogues = {offers: sample_catalogue(offers) for offers in (FEW, MANY)}
    people = [sample_member(number) for number in range(MEMBERS)]
    for offers, catalogue in catalogues.items():
        started = perf_counter_ns()
        catalogue.offer_index(day_of(NOW, ZONE), ZONE)
        built_ms = (perf_counter_ns() - started) / 1e6
        # The first read of each bucket sorts it: once a day.
        started = perf_counter_ns()
        offers_us(catalogue, people)
        first_reads_ms = (perf_counter_ns() - started) / 1e6
        print(f"{offers:>9,} offers: daily index {built_ms:,.1f} ms, first reads {first_reads_ms:,.1f} ms")
    rounds = [{offers: offers_us(catalogue, people) for offers, catalogue in catalogues.items()} for _ in range(ROUNDS)]
    few, many = (median(one[offers] for one in rounds) for offers in (FEW, MANY))
    print(f"{FEW:>9,} offers: {few:,.0f} us for a member's first {FIRST}")
    print(f"{MANY:>9,} offers: {many:,.0f} us for a member's first {FIRST}, ratio {many / few:.2f}")
    print(f"{REWARDS:>9,} rewards: {median(rewards_us(catalogues[FEW], people) for _ in range(ROUNDS)):,.0f} us")
    return int(many / few > RATIO_MAX)


if __name__ == "__main__":
    sys.exit(main())
