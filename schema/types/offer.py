"""Offers, and their state for a member."""

import dataclasses
from datetime import datetime
from decimal import Decimal
from typing import Self

import strawberry

from loyalty.model import offer as domain
from loyalty.model.member import Member
from loyalty.model.offer import NO_USE, offer_state, uses_left
from loyalty.model.programme import Programme
from loyalty.rules.ranking import RankedOffer, RankingReason
from resolvers.core.context import Context
from resolvers.offer import code_for
from schema.types.programme import Money
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import Channel, OfferKind, OfferState, TextDirection
from schema.wire.ids import global_id, ranked_cursor
from schema.wire.node import Node
from schema.wire.page import Connection
from schema.wire.text import direction_of, motive_sentence
from schema.wire.type_cache import TypeCache

Info = strawberry.Info[Context, None]


@strawberry.type
class Offer(Node):
    """An advantage that members can use, at the till or online, while it runs."""

    key: str = field(REACHED, "Key in the programme file or catalogue, unique among offers.")
    kind: OfferKind = field(REACHED, "What it gives, and which of the fields below are set.")
    title: str = field(REACHED, "Headline, in the language of the request.")
    description: str = field(REACHED, "What the member gets, in a sentence or two, in the language of the request.")
    terms: str = field(REACHED, "Conditions in full, in the language of the request.")
    direction: TextDirection = field(REACHED, "Writing direction of the texts.")
    image: str | None = field(REACHED, "Address of an image: an https URL or an absolute path. Null if there is none.")
    starts_at: datetime = field(REACHED, "When it starts, in UTC.")
    ends_at: datetime | None = field(REACHED, "When it ends, in UTC; null if it has no end.")
    channels: list[Channel] = field(REACHED, "Channels on which it can be used; empty: on all.")
    needs_activation: bool = field(REACHED, "Whether the member must call `activateOffer` before it can use the offer.")
    percent: Decimal | None = field(
        REACHED,
        "For PERCENT_OFF: the percentage that is taken off a purchase, over 0 and up to 100. Null for other kinds.",
    )
    maximum: Money | None = field(
        REACHED, "For PERCENT_OFF: the most money that is taken off; null if there is no limit, and for other kinds."
    )
    amount: Money | None = field(
        REACHED, "For AMOUNT_OFF: the money that is taken off a purchase. Null for other kinds."
    )
    factor: Decimal | None = field(
        REACHED,
        "For MULTIPLIER: the factor by which the points of a purchase are multiplied, over 1. Null for other kinds.",
    )
    points: int | None = field(REACHED, "For BONUS_POINTS: the extra points. Null for other kinds.")
    cached: strawberry.Private[dict[object, object]] = dataclasses.field(default_factory=dict)
    cached_without_use: strawberry.Private[dict[object, object]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, offer: domain.Offer, programme: Programme, locale: str, channel: Channel | None) -> Self:
        """Return an offer in one language and in the wording of one channel; cached, because an offer never changes."""
        return _OFFERS.of(cls._built, offer, programme, locale, channel)

    @classmethod
    def _built(cls, offer: domain.Offer, programme: Programme, locale: str, channel: Channel | None) -> Self:
        amount, maximum = offer.amount, offer.amount_max
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


_OFFERS = TypeCache()


@strawberry.type
class MemberOffer:
    """An offer and its state for one member."""

    offer: Offer = field(REACHED, "The offer itself, the same for all members.")
    state: OfferState = field(REACHED, "What the member can do with it, or has done.")
    ranked: strawberry.Private[RankedOffer]
    member: strawberry.Private[Member]
    locale: strawberry.Private[str]
    cached: strawberry.Private[dict[object, object]]

    @resolver(REACHED)
    def code(self, info: Info) -> str | None:
        """Code for the till to scan; null if the member cannot use the offer now, or if it has no code.

        At a tablet, a member's own code is null unless the session was opened with the app's pass or digits.
        """
        ranked = self.ranked
        return code_for(info.context, ranked.offer, ranked.use, self.member, ranked.state)

    @resolver(REACHED)
    def uses_left(self) -> int | None:
        """How often the member can still use it; null if there is no limit."""
        return uses_left(self.ranked.offer, self.ranked.use)

    @resolver(REACHED)
    def expires_at(self) -> datetime | None:
        """When the offer ends for the member, in UTC; null if it has no end."""
        return self.ranked.offer.ends_at

    @resolver(REACHED)
    def why(self, info: Info) -> str:
        """Why this member is shown this offer at this position, in the language of the request, else of the member."""
        return motive_sentence(self.ranked.ranking_reason, self.ranked.params, info.context.programme(), self.locale)

    @classmethod
    def of(
        cls, ranked: RankedOffer, member: Member, programme: Programme, locale: str, channel: Channel | None
    ) -> Self:
        """Return a ranked offer in one language and in the wording of one channel."""
        offer = Offer.of(ranked.offer, programme, locale, channel)
        # For members who have not used an offer, it is the same: they share one cache.
        cached = offer.cached_without_use if ranked.use is NO_USE and ranked.state is OfferState.AVAILABLE else {}
        return cls(offer=offer, state=ranked.state, ranked=ranked, member=member, locale=locale, cached=cached)

    @classmethod
    def after_use(cls, offer: domain.Offer, member: Member, context: Context, locale: str) -> Self:
        """Return an offer that the member has just activated, used or noted."""
        use = member.offer_use(offer.key)
        state = offer_state(offer, use, context.now())
        ranking_reason = (
            RankingReason.FOR_EVERYBODY if state is OfferState.AVAILABLE else RankingReason(state.value.lower())
        )
        ranked = RankedOffer(offer, use, state, why=lambda: (ranking_reason, {}))
        return cls.of(ranked, member, context.programme(), locale, context.channel)


@strawberry.type
class MemberOfferEdge:
    """An offer for the member, and its position in the list."""

    node: MemberOffer = field(REACHED, "The offer at this position.")
    score: strawberry.Private[int]

    @resolver(REACHED)
    def cursor(self) -> str:
        """Opaque position; pass it as `after` to read the offers that follow."""
        return ranked_cursor(self.score, self.node.offer.key)


@strawberry.type
class MemberOfferConnection(Connection[MemberOfferEdge]):
    """A page of a member's offers, best first."""
