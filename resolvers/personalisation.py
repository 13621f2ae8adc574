"""The inputs of a member's offers and rewards: segmentation input, affinities and supply, each read once per answer."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from loyalty.model.offer import Offer
from loyalty.model.programme import Programme
from loyalty.rules.ranking import TopicScores
from loyalty.rules.segmentation import SegmentationInput
from models.mongo.snapshot import Snapshot
from resolvers.core.context import Context
from resolvers.core.reading import read_or_unavailable
from resolvers.core.supply import Supply, SupplyQuery, exhausted_offers, limit_values, limits_of


def prefetch_supply(context: Context) -> Context:
    """Start to read supply, so that it is batched with the member; return a context that carries the read.

    For operations that select offers or rewards of members.
    """
    programme = context.services.programmes.find(context.actor.programme) if context.actor is not None else None
    return replace(context, prefetched=_supply_query(context, programme)) if programme is not None else context


def _supply_query(context: Context, programme: Programme) -> SupplyQuery:
    return SupplyQuery(context.services.reader, programme, context.services.clock())


class Personalisation:
    """The personalisation of one member in one answer."""

    def __init__(self, context: Context, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._context, self._programme = context, context.programme()
        self._query: SupplyQuery | None = None
        self._segmentation: SegmentationInput | None = None

    @cached_property
    def topic_scores(self) -> TopicScores:
        """The scores of the topics that the member prefers and, if it consents, buys."""
        preferences = frozenset(self.snapshot.member.profile.preferences)
        return TopicScores(self.snapshot.affinity, preferences, self._context.now())

    async def segmentation(self) -> SegmentationInput:
        """Return the member's segmentation input; the lists are read only if the catalogue has audiences by list."""
        if self._segmentation is None:
            context, programme, member = self._context, self._programme, self.snapshot.member
            lists: frozenset[str] = frozenset()
            if programme.catalogue.targets_lists:
                lists = await read_or_unavailable(context.services.reader.lists(programme.key, member.id))
            self._segmentation = SegmentationInput(member, programme, lists, context.now())
        return self._segmentation

    async def segmentation_and_supply(self) -> tuple[SegmentationInput, Supply]:
        """Return the segmentation input and the supply, read concurrently, and once for offers and rewards."""
        query = self._supply()
        return await self.segmentation(), await read_or_unavailable(query.supply())

    def _supply(self) -> SupplyQuery:
        if self._query is None:
            prefetched = self._context.prefetched
            if prefetched is not None and prefetched.fits(self._programme, self.snapshot):
                self._query = prefetched
            else:
                self._query = _supply_query(self._context, self._programme)
        return self._query


async def exhausted_offers_among(context: Context, programme: Programme, offers: Mapping[str, Offer]) -> frozenset[str]:
    """Return the keys of the offers that all members together have used up."""
    limits = limits_of(offers)
    exhausted, _ = await read_or_unavailable(
        context.services.reader.supply(programme.key, limit_values(limits), ()).result()
    )
    return exhausted_offers(limits, exhausted)
