"""Mutations of offers: inputs, payloads, rights and fields."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from models.commits.request import Outcome
from resolvers import offer
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.offer import RedemptionInput, ReleaseInput
from schema.mutations.enrol import ENROLLERS
from schema.mutations.payload import MEMBER, REPLAYED, USER_ERRORS, committed_or_refused, entries_of, orders_of
from schema.types.ledger import LedgerEntry
from schema.types.member import Member
from schema.types.member_key import MemberKey, given, key_or_none
from schema.types.offer import MemberOffer
from schema.types.order import Order
from schema.wire.access import EVERY_ROLE, REACHED, field, mutation, only
from schema.wire.enums import Channel
from schema.wire.error import UserError
from schema.wire.ids import key_of
from schema.wire.info import Info
from schema.wire.input_field import ACTED_FOR, KEY, optional, required
from schema.wire.text import locale_of


@strawberry.input
class ActivateOfferInput:
    """An offer to activate for a member."""

    key: str = required(KEY)
    offer: strawberry.ID = required("Id of the offer.")
    member: MemberKey | None = optional(ACTED_FOR)


PURCHASE_SENDER = (
    "Sender of that purchase, if it is another one, or if several have used the key; up to 200 characters."
)


@strawberry.input
class RedeemOfferInput:
    """The use of an offer at a till or in a web shop, named by `code`, or by `offer` and `member`."""

    key: str = required(KEY)
    channel: Channel = required("Where the offer is used.")
    member: MemberKey | None = optional("The member who uses it. Optional if `code` is a member's own code.")
    offer: strawberry.ID | None = optional("Id of the offer. Optional if `code` is sent.")
    code: str | None = optional("Scanned or typed code, up to 200 characters.")
    purchase_key: str | None = optional(
        "Key of the purchase that the offer is used for, recorded before or after this call, from this sender or "
        "another that it may refer to. Required for MULTIPLIER."
    )
    purchase_sender: str | None = optional(PURCHASE_SENDER)
    store: str | None = optional(
        "Key of the store, up to 200 characters; required for an offer that is limited to stores."
    )
    occurred_at: datetime | None = optional("When the offer was used, for a till that was offline. Left out: now.")

    def to_redeemed(self, programme: str) -> RedemptionInput:
        """Return the use as a till reports it."""
        offer = given(self.offer)
        return RedemptionInput(
            key=self.key,
            channel=self.channel,
            member=key_or_none(self.member),
            offer=key_of("Offer", offer, programme) if offer is not None else None,
            code=given(self.code),
            purchase_key=given(self.purchase_key),
            purchase_sender=given(self.purchase_sender),
            store=given(self.store),
            occurred_at=given(self.occurred_at),
        )


@strawberry.input
class ReleaseOfferInput:
    """The use of an offer whose sale never came about, named as in `redeemOffer`."""

    key: str = required(KEY)
    purchase_key: str = required("Key of the purchase that the use named.")
    channel: Channel = required("Where the sale was given up.")
    member: MemberKey | None = optional("The member who used it. Optional if `code` is a member's own code.")
    offer: strawberry.ID | None = optional("Id of the offer. Optional if `code` is sent.")
    code: str | None = optional("Scanned or typed code, up to 200 characters.")
    purchase_sender: str | None = optional(PURCHASE_SENDER)
    store: str | None = optional("Key of the store, up to 200 characters.")

    def to_released(self, programme: str) -> ReleaseInput:
        """Return the release as a till reports it."""
        offer = given(self.offer)
        return ReleaseInput(
            key=self.key,
            channel=self.channel,
            purchase_key=self.purchase_key,
            member=key_or_none(self.member),
            offer=key_of("Offer", offer, programme) if offer is not None else None,
            code=given(self.code),
            purchase_sender=given(self.purchase_sender),
            store=given(self.store),
        )


@strawberry.input
class NoteOffersInput:
    """Offers that a member has seen or declined, at most 100 in all."""

    key: str = required(KEY)
    member: MemberKey | None = optional(ACTED_FOR)
    seen: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="Ids of offers that were shown to the member; they move down its list a little.",
    )
    refused: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="Ids of offers that the member declined; they move behind the others for 90 days.",
    )


REDEEMERS = ENROLLERS
# Those who sell: a tablet does not.
RELEASERS = only(Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class OfferPayload:
    """Result of a change of a member's offers."""

    member_offer: MemberOffer | None = field(
        REACHED, "The offer after the change; null for `noteOffers`, and if the call was refused."
    )
    entries: list[LedgerEntry] = field(
        REACHED,
        "Ledger entries of the points that the offer gave at once. With 0 points, `why` says what happened instead.",
    )
    orders: list[Order] = field(
        REACHED, "Order of the gift that the offer gave, or that a release cancelled; empty for others."
    )
    member: Member | None = field(REACHED, MEMBER)
    replayed: bool = field(REACHED, REPLAYED)
    user_errors: list[UserError] = field(REACHED, USER_ERRORS)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the payload of an activation, a redemption, a release or a note."""
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

    @mutation(EVERY_ROLE)
    async def activate_offer(self, info: Info, input: ActivateOfferInput) -> OfferPayload:  # noqa: A002
        """Activate an offer that must be activated before it can be used."""
        context = info.context
        offer_key = key_of("Offer", input.offer, context.programme().key)
        outcome = await offer.activate(context, key=input.key, member=key_or_none(input.member), offer=offer_key)
        return OfferPayload.of(outcome, context)

    @mutation(REDEEMERS)
    async def redeem_offer(self, info: Info, input: RedeemOfferInput) -> OfferPayload:  # noqa: A002
        """Use an offer at a till or in a web shop: once per `key`, and with `purchaseKey` once for that purchase.

        A use that gives nothing for its purchase does not count, and `entries.why` says so.
        At a tablet, offers with members' own codes need a session that the app's pass or digits opened.
        """
        context = info.context
        return OfferPayload.of(await offer.redeem(context, input.to_redeemed(context.programme().key)), context)

    @mutation(RELEASERS)
    async def release_offer(self, info: Info, input: ReleaseOfferInput) -> OfferPayload:  # noqa: A002
        """Restore the use of an offer whose sale never came about, with its budget, and cancel its gift.

        Refused with `CONFLICT` once the purchase is recorded: refund it instead.
        """
        context = info.context
        return OfferPayload.of(await offer.release(context, input.to_released(context.programme().key)), context)

    @mutation(EVERY_ROLE)
    async def note_offers(self, info: Info, input: NoteOffersInput) -> OfferPayload:  # noqa: A002
        """Record which offers the member has seen or declined, so that others move up."""
        context = info.context
        programme = context.programme().key
        outcome = await offer.record_offer_views(
            context,
            key=input.key,
            member=key_or_none(input.member),
            seen=tuple(key_of("Offer", text, programme) for text in input.seen),
            declined=tuple(key_of("Offer", text, programme) for text in input.refused),
        )
        return OfferPayload.of(outcome, context)
