"""Offers, and each one as it stands for a member."""

import dataclasses
from datetime import datetime
from decimal import Decimal
from typing import Self

import strawberry

from loyalty.model import offer as domain
from loyalty.model.member import Member
from loyalty.model.offer import UNTOUCHED, state_of, uses_left
from loyalty.model.programme import Programme
from loyalty.rules.ranking import Motive, RankedOffer
from resolvers.core.context import Context
from resolvers.offer import code_for
from schema.types.programme import Money
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import Channel, OfferKind, OfferState, TextDirection
from schema.wire.ids import global_id, ranked_cursor
from schema.wire.node import Node, PageInfo
from schema.wire.page import page_info
from schema.wire.text import direction_of, motivated
from schema.wire.type_cache import Made

Info = strawberry.Info[Context, None]


@strawberry.type
class Offer(Node):
    """Something a member may use."""

    id: strawberry.ID = field(REACHED)
    key: str = field(REACHED)
    kind: OfferKind = field(REACHED)
    title: str = field(REACHED)
    description: str = field(REACHED)
    terms: str = field(REACHED)
    direction: TextDirection = field(REACHED, description="How the words of its texts run.")
    image: str | None = field(REACHED)
    starts_at: datetime = field(REACHED)
    ends_at: datetime | None = field(REACHED)
    channels: list[Channel] = field(REACHED, description="Where it can be used; none named: everywhere.")
    needs_activation: bool = field(REACHED)
    percent: Decimal | None = field(REACHED, description="For PERCENT_OFF: how much of the purchase is taken off.")
    maximum: Money | None = field(REACHED, description="For PERCENT_OFF: the most that is taken off; null: no limit.")
    amount: Money | None = field(REACHED, description="For AMOUNT_OFF: what is taken off.")
    factor: Decimal | None = field(REACHED, description="For MULTIPLIER: the purchase's points times this.")
    points: int | None = field(REACHED, description="For BONUS_POINTS: what is given besides.")
    kept: strawberry.Private[dict[object, object]] = dataclasses.field(default_factory=dict)
    kept_untouched: strawberry.Private[dict[object, object]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, offer: domain.Offer, programme: Programme, locale: str, channel: Channel | None) -> Self:
        """Return an offer in one language, as one channel words it; made once, for an offer never changes."""
        return _OFFERS.of(cls._made, offer, programme, locale, channel)

    @classmethod
    def _made(cls, offer: domain.Offer, programme: Programme, locale: str, channel: Channel | None) -> Self:
        amount, maximum = offer.amount, offer.maximum
        return cls(
            id=strawberry.ID(global_id("Offer", programme.key, offer.key)),
            key=offer.key,
            kind=offer.kind,
            title=offer.title.in_locale(locale, channel),
            description=offer.description.in_locale(locale, channel),
            terms=offer.terms.in_locale(locale, channel),
            direction=direction_of(offer.title, locale, channel),
            image=offer.image,
            starts_at=offer.starts_at,
            ends_at=offer.ends_at,
            channels=sorted(offer.channels, key=list(Channel).index),
            needs_activation=offer.needs_activation,
            percent=offer.percent,
            maximum=Money(amount=maximum, currency=programme.currency) if maximum is not None else None,
            amount=Money(amount=amount, currency=programme.currency) if amount is not None else None,
            factor=offer.factor,
            points=offer.points,
        )


_OFFERS = Made()


@strawberry.type(description="An offer as it stands for one member.")
class MemberOffer:
    """An offer as it stands for one member."""

    offer: Offer = field(REACHED)
    state: OfferState = field(REACHED)
    ranked: strawberry.Private[RankedOffer]
    member: strawberry.Private[Member]
    locale: strawberry.Private[str]
    kept: strawberry.Private[dict[object, object]]

    @resolver(REACHED, description="What the till scans; present once it may be redeemed.")
    def code(self, info: Info) -> str | None:
        """Return the code."""
        ranked = self.ranked
        return code_for(info.context, ranked.offer, ranked.use, self.member, ranked.state)

    @resolver(REACHED, description="Null where there is no limit.")
    def uses_left(self) -> int | None:
        """Return how often the member may still use it."""
        return uses_left(self.ranked.offer, self.ranked.use)

    @resolver(REACHED)
    def expires_at(self) -> datetime | None:
        """Return when it ends."""
        return self.ranked.offer.ends_at

    @resolver(REACHED, description="Why this member is shown this offer here.")
    def why(self, info: Info) -> str:
        """Return what counted most."""
        return motivated(self.ranked.motive, self.ranked.params, info.context.programme(), self.locale)

    @classmethod
    def of(
        cls, ranked: RankedOffer, member: Member, programme: Programme, locale: str, channel: Channel | None
    ) -> Self:
        """Return an offer in its place, in one language, as one channel words it."""
        offer = Offer.of(ranked.offer, programme, locale, channel)
        # Most offers stand for most members as they do for everybody who has done nothing with them.
        kept = offer.kept_untouched if ranked.use is UNTOUCHED and ranked.state is OfferState.AVAILABLE else {}
        return cls(offer=offer, state=ranked.state, ranked=ranked, member=member, locale=locale, kept=kept)

    @classmethod
    def after_use(cls, offer: domain.Offer, member: Member, context: Context, locale: str) -> Self:
        """Return an offer that the member has just done something with."""
        use = member.offer_use(offer.key)
        state = state_of(offer, use, context.now())
        motive = Motive.FOR_EVERYBODY if state is OfferState.AVAILABLE else Motive(state.value.lower())
        ranked = RankedOffer(offer, use, state, why=lambda: (motive, {}))
        return cls.of(ranked, member, context.programme(), locale, context.channel)


@strawberry.type
class MemberOfferEdge:
    """An offer and its place in the list."""

    node: MemberOffer = field(REACHED)
    score: strawberry.Private[int]

    @resolver(REACHED)
    def cursor(self) -> str:
        """Return the place."""
        return ranked_cursor(self.score, self.node.offer.key)


@strawberry.type
class MemberOfferConnection:
    """A page of a member's offers."""

    edges: list[MemberOfferEdge] = field(REACHED)
    has_more: strawberry.Private[bool]
    is_first: strawberry.Private[bool]

    @resolver(REACHED)
    def page_info(self) -> PageInfo:
        """Return where the page stands in its list."""
        return page_info(self.edges, has_more=self.has_more, is_first=self.is_first)
