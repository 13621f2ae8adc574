"""`python -m bench.ranking`: the share of really redeemed coupons that rank in the member's first ten.

For each of the 2,102 redemptions of the Complete Journey, ranks the coupons of all campaigns that the household had
received and that were current on that day, from the data before that day, and counts whether the redeemed coupon is
among the first ten.

The constants of `loyalty/rules/ranking.py` and `loyalty/rules/affinity.py` that depend on data (half-life, the root of
a share) and the description of a coupon here were chosen on the redemptions before CHOSEN_BEFORE; the later ones are
the test. By affinity alone, narrow coupons of a preferred category rank as high as those for all of it: a weight by the
share of its best category that a coupon covers separates them. Weights by uses are updated every day, as a brand's own
system would do. The table goes to standard output and to bench/results/ranking.md.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from math import log2
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text
from loyalty.model.catalogue import Catalogue
from loyalty.model.event import PURCHASE, Event, Purchase
from loyalty.model.ledger import TierStatus
from loyalty.model.member import Member, Profile
from loyalty.model.offer import Audience, Offer, OfferKind, OfferUse
from loyalty.rules.affinity import CATEGORY_PREFIX, NO_AFFINITY, AffinityWeights, add_purchase
from loyalty.rules.ranking import TopicScores, rank_offers
from models.loading.complete_journey import Basket, Campaign, CompleteJourney, Coupon, CouponUse, DataMissing
from resolvers.imports.campaigns import USES_PER_MEMBER, audience_list_name, offer_key, topics_of, weight_of

RESULTS = Path(__file__).parent / "results"
FIRST = 10
CHOSEN_BEFORE = date(2017, 7, 1)
# The data has no time zone; its times are read as UTC.
ZONE = ZoneInfo("UTC")
NOTHING = Text({"en": ""}, "en")
# Added weight for each doubling of the uses by all households so far.
WEIGHT_OF_USES = 6


def offer_of(coupon: Coupon, campaign: Campaign, products: Mapping[str, int]) -> Offer:
    """Return a coupon as the import creates it: an offer for the households that received its campaign."""
    categories, covered = topics_of(coupon, products)
    return Offer(
        key=offer_key(coupon.campaign, coupon.upc),
        kind=OfferKind.AMOUNT_OFF,
        title=NOTHING,
        description=NOTHING,
        terms=NOTHING,
        starts_at=datetime.combine(campaign.first_day, time(), UTC),
        ends_at=datetime.combine(campaign.last_day + timedelta(days=1), time(), UTC),
        audience=Audience(lists=frozenset({audience_list_name(campaign.number)})),
        uses_per_member_max=USES_PER_MEMBER,
        topics=frozenset(CATEGORY_PREFIX + name for name in categories),
        weight=weight_of(covered),
    )


@dataclass(frozen=True, slots=True)
class Household:
    """A household: the input that audiences are checked against."""

    lists: frozenset[str]
    tier: str = "member"

    def in_segment(self, key: str) -> bool:
        """Return False: households are in no segment."""
        del key
        return False


@dataclass(frozen=True, slots=True)
class Visit:
    """A household that used coupons on a day: the data before that day, its current campaigns, and the used coupons."""

    household: int
    day: date
    affinity: AffinityWeights
    touched: Mapping[str, OfferUse]
    campaigns: tuple[Campaign, ...]
    used: tuple[CouponUse, ...]


def event_of(basket: Basket) -> Event:
    """Return the event that a till sends for a basket."""
    purchase = Purchase(basket.total, "USD", basket.lines)
    return Event(str(basket.basket), "till", PURCHASE, basket.at, Channel.STORE, purchase=purchase)


def visits(journey: CompleteJourney) -> Iterator[Visit]:
    """Yield every visit in chronological order."""
    campaigns, uses = journey.campaigns(), journey.coupon_uses()
    households = sorted({use.household for use in uses})
    baskets = iter(journey.baskets(households, until=uses[-1].day))
    affinities = dict.fromkeys(households, NO_AFFINITY)
    touched: dict[int, dict[str, OfferUse]] = {household: {} for household in households}
    basket = next(baskets, None)
    for day, of_day in groupby(uses, key=lambda use: use.day):
        while basket is not None and basket.at.date() < day:
            affinities[basket.household] = add_purchase(affinities[basket.household], event_of(basket), ZONE)
            basket = next(baskets, None)
        for household, used in groupby(of_day, key=lambda use: use.household):
            own = touched[household]
            on = tuple(one for one in campaigns if one.is_on(day) and household in one.households)
            visit = Visit(household, day, affinities[household], dict(own), on, tuple(used))
            yield visit
            for use in visit.used:
                key = offer_key(use.campaign, use.upc)
                own[key] = own.get(key, OfferUse()).with_use(datetime.combine(day, time(12), UTC))


Order = Callable[[Visit, list[str]], Iterable[str]]


class Ranked:
    """The order of `loyalty/rules/ranking.py`."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        self.catalogue = Catalogue(offers)

    def __call__(self, visit: Visit, candidates: list[str]) -> list[str]:
        """Return the first ten of a visit."""
        del candidates
        now = datetime.combine(visit.day, time(9), UTC)
        number = str(visit.household)
        member = Member(number, "grocer", number, 1, now, Profile("en"), TierStatus("member", now, None))
        page, _ = rank_offers(
            self.catalogue,
            replace(member, offer_uses=visit.touched),
            Household(frozenset(f"campaign-{campaign.number}" for campaign in visit.campaigns)),
            TopicScores(visit.affinity, frozenset(), now),
            channel=None,
            now=now,
            zone=ZONE,
            first=FIRST,
        )
        return [ranked.offer.key for ranked in page]


class Uses:
    """Counts the uses of each coupon by all households before a day; days must ascend."""

    def __init__(self, uses: Iterable[CouponUse]) -> None:
        self._uses = sorted(uses)
        self._counted = 0
        self.by_key: Counter[str] = Counter()

    def count_until(self, day: date) -> set[str]:
        """Count the uses before a day, and return the coupons used since the previous call."""
        used = set()
        while self._counted < len(self._uses) and self._uses[self._counted].day < day:
            use = self._uses[self._counted]
            used.add(offer_key(use.campaign, use.upc))
            self.by_key[offer_key(use.campaign, use.upc)] += 1
            self._counted += 1
        return used


class Popular:
    """The order by uses of all households before that day."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses

    def __call__(self, visit: Visit, candidates: list[str]) -> list[str]:
        """Return the first ten of a visit."""
        self._uses.count_until(visit.day)
        return sorted(candidates, key=lambda key: (-self._uses.by_key[key], key))[:FIRST]


class RankedByUses(Ranked):
    """The order of `loyalty/rules/ranking.py`, with the weights of offers updated every day by their uses so far."""

    def __init__(self, offers: Sequence[Offer], uses: Uses) -> None:
        super().__init__(offers)
        self._weights = {offer.key: offer.weight for offer in offers}
        self._uses = uses

    def __call__(self, visit: Visit, candidates: list[str]) -> list[str]:
        """Return the first ten of a visit."""
        for key in self._uses.count_until(visit.day):
            added = round(WEIGHT_OF_USES * log2(1 + self._uses.by_key[key]))
            self.catalogue.upsert_offer(replace(self.catalogue.offers[key], weight=self._weights[key] + added))
        return super().__call__(visit, candidates)


@dataclass(slots=True)
class Tally:
    """Redemptions of a part of the data: their number, their numbers of candidates, and the hits of each order."""

    redeemed: int = 0
    candidates: list[int] = field(default_factory=list)
    random: float = 0.0
    first: Counter[str] = field(default_factory=Counter)


def measure(journey: CompleteJourney, orders: Mapping[str, Order]) -> dict[str, Tally]:
    """Return the tallies by part: all, each half, each type of campaign."""
    by_campaign: dict[int, list[str]] = {}
    for coupon in journey.coupons():
        by_campaign.setdefault(coupon.campaign, []).append(offer_key(coupon.campaign, coupon.upc))
    kinds = {campaign.number: campaign.kind for campaign in journey.campaigns()}
    halves = f"before {CHOSEN_BEFORE}", f"from {CHOSEN_BEFORE}"
    parts = ["all", *halves, *(f"type {kind}" for kind in sorted(set(kinds.values())))]
    tallies = {part: Tally() for part in parts}
    for visit in visits(journey):
        candidates = [key for campaign in visit.campaigns for key in by_campaign[campaign.number]]
        firsts = {name: set(order(visit, candidates)) for name, order in orders.items()}
        for use in visit.used:
            half = halves[visit.day >= CHOSEN_BEFORE]
            for part in ("all", half, f"type {kinds[use.campaign]}"):
                tally = tallies[part]
                tally.redeemed += 1
                tally.candidates.append(len(candidates))
                # The probability that a random order has this coupon among the first ten.
                tally.random += min(1.0, FIRST / len(candidates))
                tally.first.update(name for name, keys in firsts.items() if offer_key(use.campaign, use.upc) in keys)
    return tallies


def markdown(tallies: Mapping[str, Tally], names: Iterable[str]) -> str:
    """Return the Markdown table."""
    names = list(names)
    lines = [
        "| redemptions | of | candidates, median | random | " + " | ".join(names) + " |",
        "| --- |" + " ---: |" * (3 + len(names)),
    ]
    for part, tally in tallies.items():
        counts = [f"{tally.first[name]:,} ({tally.first[name] / tally.redeemed:.1%})" for name in names]
        random = f"{tally.random:,.1f} ({tally.random / tally.redeemed:.1%})"
        cells = [part, f"{tally.redeemed:,}", f"{median(tally.candidates):g}", random, *counts]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the table and write it to a file; return 1 if the data is not installed."""
    try:
        journey = CompleteJourney()
    except DataMissing as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    campaigns = {campaign.number: campaign for campaign in journey.campaigns()}
    products, uses = journey.products_by_category(), journey.coupon_uses()
    offers = [offer_of(coupon, campaigns[coupon.campaign], products) for coupon in journey.coupons()]
    orders: dict[str, Order] = {
        "most popular": Popular(Uses(uses)),
        "affinity alone": Ranked(replace(offer, weight=0) for offer in offers),
        "and weight by breadth": Ranked(offers),
        "and by uses so far": RankedByUses(offers, Uses(uses)),
    }
    text = markdown(measure(journey, orders), orders)
    explanation = (__doc__ or "").split("\n\n", maxsplit=1)[1].strip()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "ranking.md").write_text(f"{text}\n{explanation}\n", encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
