"""The supply of a programme's offers and rewards: read once per answer, started before the member is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty.model.offer import Offer
from loyalty.model.programme import Programme
from loyalty.model.supply import CounterKey
from models.mongo.snapshot import Snapshot
from models.reads.reader import Reader

LIMITED_OFFERS_MAX = 100
"""With at most this many limited offers, all their counters are read with every page; else only those of its offers."""

OfferLimits = dict[CounterKey, tuple[str, int]]
"""By counter that limits an offer: the offer's key, and the limit."""


@dataclass(frozen=True, slots=True)
class Supply:
    """Keys of rewards out of stock, of pools without a free code, and of offers that all members together used up.

    `exhausted_offers` is None if the programme has more limited offers than LIMITED_OFFERS_MAX.
    """

    out_of_stock: frozenset[str]
    empty_pools: frozenset[str]
    exhausted_offers: frozenset[str] | None


class SupplyQuery:
    """A started read of a programme's supply, for all members of one answer."""

    def __init__(self, reader: Reader, programme: Programme, started_at: datetime) -> None:
        catalogue = programme.catalogue
        self._stocked, limited = catalogue.stocked_rewards, catalogue.limited_offers
        self._knows_offers = len(limited) <= LIMITED_OFFERS_MAX
        self._limits = limits_of(limited) if self._knows_offers else {}
        self._catalogue, self._catalogue_version = catalogue, catalogue.version
        self._started_at = started_at
        stocks = {reward.stock_counter_key: reward.stock or 0 for reward in self._stocked}
        self._read = reader.supply(programme.key, stocks | limit_values(self._limits), catalogue.code_pools)
        self._supply: Supply | None = None

    def fits(self, programme: Programme, snapshot: Snapshot) -> bool:
        """Return whether the supply may be shown beside a member: of the same catalogue, and read after its version.

        Otherwise a member who has just taken the last piece could still be offered it.
        """
        catalogue = programme.catalogue
        return (
            catalogue is self._catalogue
            and catalogue.version == self._catalogue_version
            and snapshot.recorded_at < self._started_at
        )

    async def supply(self) -> Supply:
        """Return the supply; later callers share the result."""
        if self._supply is None:
            exhausted, empty_pools = await self._read.result()
            stocks = len(self._stocked)
            out_of_stock = frozenset(
                [reward.key for reward, is_gone in zip(self._stocked, exhausted, strict=False) if is_gone]
            )
            exhausted_offer_keys = exhausted_offers(self._limits, exhausted[stocks:]) if self._knows_offers else None
            self._supply = Supply(out_of_stock, empty_pools, exhausted_offer_keys)
        return self._supply


def limits_of(offers: Mapping[str, Offer]) -> OfferLimits:
    """Return the counters that limit the offers, with their limits."""
    return {
        counter: (key, limit)
        for key, offer in offers.items()
        for counter, limit in ((offer.uses_counter_key, offer.uses_max), (offer.budget_counter_key, offer.budget))
        if limit is not None
    }


def limit_values(limits: OfferLimits) -> dict[CounterKey, int]:
    """Return the limit of each counter."""
    return {counter: limit for counter, (_, limit) in limits.items()}


def exhausted_offers(limits: OfferLimits, exhausted: Sequence[bool]) -> frozenset[str]:
    """Return the keys of the offers with an exhausted counter; `exhausted` is in the order of `limits`."""
    return frozenset([key for (key, _), is_over in zip(limits.values(), exhausted, strict=True) if is_over])
