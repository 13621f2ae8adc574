"""What a member's offers and rewards are worked out from: the member as a shopper, and what is left; read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from loyalty.model.catalogue import Catalogue
from loyalty.model.offer import Offer
from loyalty.model.programme import Programme
from loyalty.model.supply import CounterKey
from loyalty.rules.ranking import Liking
from loyalty.rules.segmentation import MemberShopper
from models.mongo.snapshot import Snapshot
from resolvers.core.context import Context
from resolvers.core.member import answered

LIMITED_OFFERS_MAX = 100
"""So many counters of offers are read with every page; where there are more, those of the offers on it."""


@dataclass(frozen=True, slots=True)
class Left:
    """What nothing is left of: rewards that had a stock, pools that had codes, and offers that are used up.

    The third is None where it is not known: the programme has more limited offers than are read with every page.
    """

    gone: frozenset[str]
    empty_pools: frozenset[str]
    used_up: frozenset[str] | None


class LeftRead:
    """A read of what is left that is under way, for all the members of one answer."""

    def __init__(self, context: Context, programme: Programme) -> None:
        catalogue = programme.catalogue
        self._stocked, limited = catalogue.stocked, catalogue.limited_offers
        self._is_known = len(limited) <= LIMITED_OFFERS_MAX
        self._limits = _limits_of(limited) if self._is_known else {}
        stocks = {reward.stock_counter: reward.stock or 0 for reward in self._stocked}
        self._of = catalogue, catalogue.version
        counters = stocks | _counters_of(self._limits)
        self._supply = context.services.reader.supply(programme.key, counters, catalogue.pools)
        self._left: Left | None = None

    def is_of(self, catalogue: Catalogue) -> bool:
        """Say whether it is what this catalogue, as it is now, asks for."""
        return self._of == (catalogue, catalogue.version)

    async def told(self) -> Left:
        """Return what is left; who asks later finds it worked out."""
        if self._left is not None:
            return self._left
        used_up, empty = await answered(self._supply.told())
        stocks = len(self._stocked)
        gone = frozenset([reward.key for reward, is_gone in zip(self._stocked, used_up, strict=False) if is_gone])
        self._left = Left(gone, empty, _used_up_of(self._limits, used_up[stocks:]) if self._is_known else None)
        return self._left


def foresee_left(context: Context) -> None:
    """Ask what is left of offers and rewards together with the member that they are told to, which takes one query."""
    programme = context.services.programmes.find(context.actor.programme) if context.actor is not None else None
    if programme is not None:
        context.foreseen.left = LeftRead(context, programme)


class Outlook:
    """One member's, for one answer."""

    def __init__(self, context: Context, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._context, self._programme = context, context.programme()
        self._left: LeftRead | None = None
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
        left = self._left_read()
        return await self.shopper(), await left.told()

    def _left_read(self) -> LeftRead:
        if self._left is None:
            self._left = self._context.foreseen.take_left()
        if self._left is None or not self._left.is_of(self._programme.catalogue):
            self._left = LeftRead(self._context, self._programme)
        return self._left


Limits = dict[CounterKey, tuple[str, int]]
"""The counters that limit offers: the offer's key, and how much there is of it."""


async def used_up_among(context: Context, programme: Programme, offers: Mapping[str, Offer]) -> frozenset[str]:
    """Return the keys of those of some offers that are used up."""
    limits = _limits_of(offers)
    used_up, _ = await answered(context.services.reader.supply(programme.key, _counters_of(limits), ()).told())
    return _used_up_of(limits, used_up)


def _limits_of(offers: Mapping[str, Offer]) -> Limits:
    """Return the counters that limit some offers."""
    return {
        counter: (key, most)
        for key, offer in offers.items()
        for counter, most in ((offer.uses_counter, offer.uses_in_all), (offer.budget_counter, offer.budget))
        if most is not None
    }


def _counters_of(limits: Limits) -> dict[CounterKey, int]:
    """Return how far each counter can go."""
    return {counter: most for counter, (_, most) in limits.items()}


def _used_up_of(limits: Limits, used_up: Sequence[bool]) -> frozenset[str]:
    """Return the keys of the offers of which a counter, in the order of `limits`, is used up."""
    return frozenset([key for (key, _), is_over in zip(limits.values(), used_up, strict=True) if is_over])
