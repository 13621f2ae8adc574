"""Imports the data set's campaigns: 27 mailings become audience lists, coupons offers; redemptions are replayed.

Every redemption goes through the same `redeem` as a till's, under its own key, on its original day (shifted like the
baskets). The data does not have a coupon's value: each is worth COUPON_AMOUNT, the median coupon discount on a line of
the data's receipts.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import log2
from typing import Any

from icu4py.messageformat import MessageFormat

from loyalty.kernel.channel import Channel
from models.commits.request import Committed, Outcome
from models.definitions.catalogue_file import ItemKind
from models.loading.audience_list import load_list
from models.loading.complete_journey import Campaign, CompleteJourney, Coupon, CouponUse
from models.programmes.catalogue_store import put_many
from resolvers.core.context import Context, Services
from resolvers.core.member import MemberKey
from resolvers.imports.journey import card_of, date_shift, import_context, retry_until_committed
from resolvers.offer import RedemptionInput, redeem

COUPON_AMOUNT = "1.00"
USES_PER_MEMBER = 2
# A coupon's topics are the categories that it covers at least this much, relative to the category it covers most. Tuned
# on the redemptions before July (bench/ranking.py).
TOPIC_COVERAGE_MIN = 1 / 4
# Half the coverage of a category is half as likely to contain what the member buys.
WEIGHT_OF_BREADTH = 2
CATEGORIES_MAX = 20
REDEEMED_AT_ONCE = 100


@dataclass(slots=True)
class CampaignImportResult:
    """The result of an import of campaigns. `redeemed` counts redemptions by campaign, `refused` by reason."""

    offers: int = 0
    listed: int = 0
    redeemed: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    replayed: int = 0

    def add(self, use: CouponUse, outcome: Outcome) -> None:
        """Count one redemption."""
        if isinstance(outcome, Committed):
            self.redeemed[use.campaign] += 1
            self.replayed += outcome.replayed
        else:
            self.refused[getattr(outcome, "reason", "unchanged")] += 1


def audience_list_name(campaign: int) -> str:
    """Return the name of the audience list of a campaign."""
    return f"campaign-{campaign}"


def offer_key(campaign: int, upc: int) -> str:
    """Return the key of a coupon's offer."""
    return f"c{campaign}-{upc}"


def topics_of(coupon: Coupon, products: Mapping[str, int]) -> tuple[list[str], float]:
    """Return a coupon's categories, the most covered first, and the share of the first that it covers.

    `products` is the number of products by category.
    """
    covered = {name: count / products[name] for name, count in coupon.categories}
    most = max(covered.values(), default=1.0)
    names = [name for name, share in covered.items() if share >= TOPIC_COVERAGE_MIN * most]
    return sorted(names, key=lambda name: (-covered[name], name))[:CATEGORIES_MAX], most


def weight_of(covered: float) -> int:
    """Return the weight of a coupon's offer; `covered` is the share of its most covered category."""
    return round(WEIGHT_OF_BREADTH * log2(covered))


# The title of a coupon, and what separates it from the names of its categories.
TITLES = {
    "en": (f"${COUPON_AMOUNT} off", " "),
    "fr": (f"{COUPON_AMOUNT.replace('.', ',')}\u00a0$ de réduction", "\u00a0: "),
    "ar": (f"خصم {COUPON_AMOUNT} دولار", ": "),
}
PRODUCTS = {
    "en": MessageFormat("{products, plural, one {On one product.} other {On a choice of # products.}}", "en"),
    "fr": MessageFormat("{products, plural, one {Sur un produit.} other {Sur un choix de # produits.}}", "fr"),
    "ar": MessageFormat(
        "{products, plural, one {على منتج واحد.} two {على منتجين.} few {على تشكيلة من # منتجات.} "
        "many {على تشكيلة من # منتجًا.} other {على تشكيلة من # منتج.}}",
        "ar-u-nu-latn",
    ),
}


def definition_of(coupon: Coupon, campaign: Campaign, products: Mapping[str, int], shift: timedelta) -> dict[str, Any]:
    """Return the offer of a coupon, in the format of a programme file's section."""
    categories, covered = topics_of(coupon, products)
    named = ", ".join(name.capitalize() for name in categories[:2])
    first_day, last_day = campaign.first_day + shift, campaign.last_day + shift
    return {
        "key": offer_key(coupon.campaign, coupon.upc),
        "kind": "AMOUNT_OFF",
        "title": {
            locale: title + (f"{between}{named}" if named else "") for locale, (title, between) in TITLES.items()
        },
        "description": {locale: message.format({"products": coupon.products}) for locale, message in PRODUCTS.items()},
        "terms": {"en": "Two uses per member.", "fr": "Deux utilisations par membre.", "ar": "استخدامان لكل عضو."},
        "first_day": first_day.isoformat(),
        "last_day": last_day.isoformat(),
        "audience": {"lists": [audience_list_name(campaign.number)]},
        "uses": {"per_member": USES_PER_MEMBER},
        "amount": COUPON_AMOUNT,
        "categories": categories,
        "weight": weight_of(covered),
    }


def _definitions(
    coupons: Iterable[Coupon], campaigns: Mapping[int, Campaign], products: Mapping[str, int], shift: timedelta
) -> Iterator[tuple[ItemKind, dict[str, Any]]]:
    for coupon in coupons:
        yield ItemKind.OFFER, definition_of(coupon, campaigns[coupon.campaign], products, shift)


async def replay_campaigns(
    services: Services,
    *,
    households: int | None = None,
    until: date | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> CampaignImportResult:
    """Import the campaigns for the first `households` (None: all); their baskets must be imported already.

    `until` and `on_progress` are as for `import_campaigns`. Raises DataMissing, ImportInterrupted.
    """
    journey = await asyncio.to_thread(CompleteJourney)
    numbers = await asyncio.to_thread(journey.households, households)
    shift = await date_shift(services.database, services.clock())
    return await import_campaigns(import_context(services), numbers, shift=shift, until=until, on_progress=on_progress)


async def import_campaigns(
    context: Context,
    households: Iterable[int],
    *,
    shift: timedelta,
    until: date | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> CampaignImportResult:
    """Create the campaigns' lists and offers, and replay the redemptions of `households`, which must be enrolled.

    `shift` moves every day by whole weeks; redemptions after the day `until` are left out. Idempotent. `on_progress`
    gets the redemptions done and their total.
    """
    services, programme, imported = context.services, context.programme(), frozenset(households)
    journey = await asyncio.to_thread(CompleteJourney)
    campaigns = {one.number: one for one in await asyncio.to_thread(journey.campaigns)}
    coupons = await asyncio.to_thread(journey.coupons)
    products = await asyncio.to_thread(journey.products_by_category)
    tally = CampaignImportResult(offers=len(coupons))
    for campaign in campaigns.values():
        cards = (card_of(household) for household in sorted(campaign.households & imported))
        loaded = await load_list(
            services.database, programme.key, audience_list_name(campaign.number), cards, now=services.clock()
        )
        tally.listed += loaded.members
    await put_many(
        services.database,
        programme,
        _definitions(coupons, campaigns, products, shift),
        now=services.clock(),
        changed_by=context.require_actor().subject,
    )
    await services.programmes.catch_up()
    uses = [
        use
        for use in await asyncio.to_thread(journey.coupon_uses)
        if use.household in imported and (until is None or use.day <= until)
    ]
    for start in range(0, len(uses), REDEEMED_AT_ONCE):
        some = uses[start : start + REDEEMED_AT_ONCE]
        outcomes = await asyncio.gather(*(_redeem(context, use, shift) for use in some))
        for use, outcome in zip(some, outcomes, strict=True):
            tally.add(use, outcome)
        on_progress(start + len(some), len(uses))
    return tally


async def _redeem(context: Context, use: CouponUse, shift: timedelta) -> Outcome:
    """Replay one redemption; retry it under the same key if MongoDB does not answer in time."""
    redemption = RedemptionInput(
        key=f"coupon-{use.household}-{use.campaign}-{use.upc}-{use.day.isoformat()}",
        channel=Channel.STORE,
        member=MemberKey("card", card_of(use.household)),
        offer=offer_key(use.campaign, use.upc),
        occurred_at=datetime.combine(use.day, time(12), UTC) + shift,
    )
    return await retry_until_committed(lambda: redeem(context, redemption, imported=True))
