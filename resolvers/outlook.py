"""What a member's offers and rewards are worked out from: the member as a shopper, and what is left; read once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from loyalty.offer import Offer
from loyalty.ranking import Liking
from loyalty.shopper import MemberShopper
from loyalty.supply import CounterKey
from models.snapshot import Snapshot
from resolvers.context import Context
from resolvers.member import answered

LIMITED_OFFERS_MAX = 100
"""So many counters of offers are read with every page; where there are more, those of the offers on it."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left: pieces of each reward that has a stock, pools without a code, and offers that are used up.

    `used_up` is None where it is not known: the programme has more limited offers than are read with every page.
    """

    pieces: Mapping[str, int]
    empty_pools: frozenset[str]
    used_up: frozenset[str] | None


class Outlook:
    """One member's, for one answer."""

    def __init__(self, context: Context, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._context, self._programme = context, context.programme()
        self._known: asyncio.Task[tuple[MemberShopper, Left]] | None = None
        self._shopper: MemberShopper | None = None

    @cached_property
    def likes(self) -> Liking:
        """What the member likes now."""
        preferences = frozenset(self.snapshot.member.profile.preferences)
        return Liking(self.snapshot.taste, preferences, self._context.now())

    async def shopper(self) -> MemberShopper:
        """Return the member as audiences see it; the lists are read only where something is for a list."""
        if self._shopper is None:
            context, programme, member = self._context, self._programme, self.snapshot.member
            lists: frozenset[str] = frozenset()
            if programme.catalogue.has_lists:
                lists = await answered(context.services.reader.lists(programme.key, member.id))
            self._shopper = MemberShopper(member, programme, lists, context.now())
        return self._shopper

    async def known(self) -> tuple[MemberShopper, Left]:
        """Return the member as audiences see it, and what is left: read at once, and once for offers and rewards."""
        if self._known is None:
            self._known = asyncio.ensure_future(self._read())
        return await asyncio.shield(self._known)

    async def _read(self) -> tuple[MemberShopper, Left]:
        if not self._programme.catalogue.has_lists:
            return await self.shopper(), await self._left()
        return await asyncio.gather(self.shopper(), self._left())

    async def _left(self) -> Left:
        catalogue, reader = self._programme.catalogue, self._context.services.reader
        stocked, limited = catalogue.stocked, catalogue.limited_offers
        limits = limits_of(limited) if len(limited) <= LIMITED_OFFERS_MAX else {}
        counters = (*(reward.stock_counter for reward in stocked), *limits)
        taken, empty = await answered(reader.supply(self._programme.key, counters, catalogue.pools))
        pieces = {
            reward.key: max(0, (reward.stock or 0) - count) for reward, count in zip(stocked, taken, strict=False)
        }
        used_up = used_up_of(limits, dict(zip(limits, taken[len(stocked) :], strict=True)))
        return Left(pieces, empty, used_up if len(limited) <= LIMITED_OFFERS_MAX else None)


Limits = dict[CounterKey, tuple[str, int]]
"""The counters that limit offers: the offer's key, and how much there is of it."""


def limits_of(offers: Mapping[str, Offer]) -> Limits:
    """Return the counters that limit some offers."""
    return {
        counter: (key, most)
        for key, offer in offers.items()
        for counter, most in ((offer.uses_counter, offer.uses_in_all), (offer.budget_counter, offer.budget))
        if most is not None
    }


def used_up_of(limits: Limits, taken: Mapping[CounterKey, int]) -> frozenset[str]:
    """Return the keys of the offers that are used up."""
    return frozenset(key for counter, (key, most) in limits.items() if taken[counter] >= most)
