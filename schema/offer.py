"""Offers, and each one as it stands for a member."""

from datetime import datetime
from decimal import Decimal
from typing import Self

import strawberry

from loyalty import offer as domain
from loyalty.member import Member
from loyalty.offer import state_of, uses_left
from loyalty.programme import Programme
from loyalty.ranking import Motive, RankedOffer
from resolvers.context import Context
from resolvers.offer import code_for
from schema.access import REACHED, field
from schema.enums import Channel, OfferKind, OfferState, TextDirection
from schema.ids import global_id
from schema.node import Node, PageInfo
from schema.programme import Money
from schema.text import direction_of, motivated


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
    amount: Money | None = field(REACHED, description="For AMOUNT_OFF: what is taken off.")
    factor: Decimal | None = field(REACHED, description="For MULTIPLIER: the purchase's points times this.")
    points: int | None = field(REACHED, description="For BONUS_POINTS: what is given besides.")

    @classmethod
    def of(cls, offer: domain.Offer, programme: Programme, locale: str, channel: Channel | None) -> Self:
        """Return an offer in one language, as one channel words it."""
        amount = offer.amount
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
            amount=Money(amount=amount, currency=programme.currency) if amount is not None else None,
            factor=offer.factor,
            points=offer.points,
        )


@strawberry.type(description="An offer as it stands for one member.")
class MemberOffer:
    """An offer as it stands for one member."""

    offer: Offer = field(REACHED)
    state: OfferState = field(REACHED)
    code: str | None = field(REACHED, description="What the till scans; present once it may be redeemed.")
    uses_left: int | None = field(REACHED, description="Null where there is no limit.")
    expires_at: datetime | None = field(REACHED)
    why: str = field(REACHED, description="Why this member is shown this offer here.")

    @classmethod
    def of(cls, ranked: RankedOffer, member: Member, context: Context, locale: str, channel: Channel | None) -> Self:
        """Return an offer in its place, in one language, as one channel words it."""
        offer, programme = ranked.offer, context.programme()
        return cls(
            offer=Offer.of(offer, programme, locale, channel),
            state=ranked.state,
            code=code_for(context, offer, ranked.use, member, ranked.state),
            uses_left=uses_left(offer, ranked.use),
            expires_at=offer.ends_at,
            why=motivated(ranked.motive, ranked.params, programme, locale),
        )

    @classmethod
    def after_use(cls, offer: domain.Offer, member: Member, context: Context, locale: str) -> Self:
        """Return an offer that the member has just done something with."""
        use = member.offer_use(offer.key)
        state = state_of(offer, use, context.now())
        motive = Motive.FOR_EVERYBODY if state is OfferState.AVAILABLE else Motive(state.value.lower())
        return cls.of(RankedOffer(offer, use, state, 0, motive), member, context, locale, context.channel)


@strawberry.type
class MemberOfferEdge:
    """An offer and its place in the list."""

    node: MemberOffer = field(REACHED)
    cursor: str = field(REACHED)


@strawberry.type
class MemberOfferConnection:
    """A page of a member's offers."""

    edges: list[MemberOfferEdge] = field(REACHED)
    page_info: PageInfo = field(REACHED)
