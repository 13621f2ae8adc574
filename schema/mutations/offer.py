"""Mutations of offers: inputs, payloads, rights and fields."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from models.commits.request import Outcome
from resolvers import offer
from resolvers.core.context import Context
from resolvers.offer import Redeemed
from schema.mutations.enrol import ENROLLERS
from schema.mutations.payload import committed_or_refused, entries_of, orders_of
from schema.types.ledger import LedgerEntry
from schema.types.member import Member
from schema.types.member_key import MemberKey, given, key_or_none
from schema.types.offer import MemberOffer
from schema.types.order import Order
from schema.wire.access import EVERY_ROLE, REACHED, field, mutation
from schema.wire.enums import Channel
from schema.wire.error import UserError
from schema.wire.ids import key_of
from schema.wire.info import Info
from schema.wire.text import locale_of


@strawberry.input
class ActivateOfferInput:
    """A member takes an offer up."""

    key: str
    offer: strawberry.ID
    member: MemberKey | None = strawberry.UNSET


@strawberry.input
class RedeemOfferInput:
    """A member uses an offer at the till: by its id or its code, bound to its purchase."""

    key: str
    channel: Channel
    member: MemberKey | None = strawberry.UNSET
    offer: strawberry.ID | None = strawberry.UNSET
    code: str | None = strawberry.UNSET
    purchase_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The key of the purchase it is used for, from the same sender: recorded already, or still to be.",
    )
    store: str | None = strawberry.UNSET
    occurred_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When it was used, for a till that was offline; now where it is left out."
    )

    def to_redeemed(self, programme: str) -> Redeemed:
        """Return what a till says of a use."""
        offer = given(self.offer)
        return Redeemed(
            key=self.key,
            channel=self.channel,
            member=key_or_none(self.member),
            offer=key_of("Offer", offer, programme) if offer is not None else None,
            code=given(self.code),
            purchase_key=given(self.purchase_key),
            store=given(self.store),
            occurred_at=given(self.occurred_at),
        )


@strawberry.input
class NoteOffersInput:
    """Offers that a member has seen, and those that the member wants no more of."""

    key: str
    member: MemberKey | None = strawberry.UNSET
    seen: list[strawberry.ID] = strawberry.field(default_factory=list)
    refused: list[strawberry.ID] = strawberry.field(default_factory=list)


REDEEMERS = ENROLLERS


@strawberry.type
class OfferPayload:
    """The offer as it stands for the member now."""

    member_offer: MemberOffer | None = field(REACHED)
    entries: list[LedgerEntry] = field(REACHED, description="The points that it gave at once.")
    orders: list[Order] = field(REACHED, description="The gift that it gave.")
    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the answer to an activation, a redemption or a note."""
        result = committed_or_refused(outcome)
        if isinstance(result, Refusal):
            errors = [UserError.of(result)]
            return cls(member_offer=None, entries=[], orders=[], member=None, replayed=False, user_errors=errors)
        programme, member = context.programme(), result.snapshot.member
        keys = (str(notice.params["offer"]) for notice in result.record.notices if "offer" in notice.params)
        offer = programme.catalogue.offers.get(next(keys, ""))
        locale = locale_of(context, member)
        entries = entries_of(result, context)
        return cls(
            member_offer=MemberOffer.after_use(offer, member, context, locale) if offer is not None else None,
            entries=entries,
            orders=orders_of(result, context),
            member=Member.of(result.snapshot),
            replayed=result.replayed,
            user_errors=[],
        )


@strawberry.type
class OfferMutation:
    """The mutations of offers."""

    @mutation(EVERY_ROLE, description="Take an offer up that has to be activated before it can be used.")
    async def activate_offer(self, info: Info, input: ActivateOfferInput) -> OfferPayload:  # noqa: A002
        """Activate an offer."""
        context = info.context
        offer_key = key_of("Offer", input.offer, context.programme().key)
        outcome = await offer.activate(context, key=input.key, member=key_or_none(input.member), offer=offer_key)
        return OfferPayload.of(outcome, context)

    @mutation(REDEEMERS, description="At the till: once per use, bound to the purchase.")
    async def redeem_offer(self, info: Info, input: RedeemOfferInput) -> OfferPayload:  # noqa: A002
        """Use an offer."""
        context = info.context
        return OfferPayload.of(await offer.redeem(context, input.to_redeemed(context.programme().key)), context)

    @mutation(EVERY_ROLE, description="Which offers the member has seen, and which it wants no more of.")
    async def note_offers(self, info: Info, input: NoteOffersInput) -> OfferPayload:  # noqa: A002
        """Note what was seen and refused."""
        context = info.context
        programme = context.programme().key
        outcome = await offer.note(
            context,
            key=input.key,
            member=key_or_none(input.member),
            seen=tuple(key_of("Offer", text, programme) for text in input.seen),
            refused=tuple(key_of("Offer", text, programme) for text in input.refused),
        )
        return OfferPayload.of(outcome, context)
