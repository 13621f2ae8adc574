"""Mutations: verb first, one input with the caller's key, a payload."""

from typing import Annotated

import strawberry

from loyalty.kernel.refusal import Refusal
from resolvers import adjustment, catalogue, consent, enrol, event, offer, order, preference
from resolvers.core.actor import Role
from resolvers.tablets import device
from resolvers.tablets import session as kiosk_session
from schema.access import EVERY_ROLE, PUBLIC, STAFF, mutation, only
from schema.ids import key_of, parts_of
from schema.inputs import (
    ActivateOfferInput,
    AdjustPointsInput,
    AdvanceOrderInput,
    CancelOrderInput,
    ConfirmSessionInput,
    EndSessionInput,
    EnrolDeviceInput,
    EnrolInput,
    HoldInput,
    InviteDeviceInput,
    NoteOffersInput,
    OpenSessionInput,
    PlaceOrderInput,
    RecordEventInput,
    RedeemOfferInput,
    ReleaseInput,
    RetireCatalogueItemInput,
    RevokeDeviceInput,
    SaveCatalogueItemInput,
    SetConsentsInput,
    SetPreferencesInput,
    key_or_none,
)
from schema.member import Info
from schema.payloads import (
    AdjustPointsPayload,
    CatalogueItemPayload,
    ConsentsPayload,
    DevicePayload,
    EnrolDevicePayload,
    EnrolPayload,
    HoldPayload,
    OfferPayload,
    OrderPayload,
    PreferencesPayload,
    RecordEventPayload,
    SessionPayload,
)

ENROLLERS = only(Role.KIOSK, Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE)
RECORDERS = ENROLLERS
REDEEMERS = ENROLLERS
CONSENTERS = only(Role.MEMBER, Role.KIOSK, Role.AGENT, Role.MANAGER, Role.SERVICE)
MANAGERS = only(Role.MANAGER)
KIOSKS = only(Role.KIOSK)
CANCELLERS = only(Role.MEMBER, Role.AGENT, Role.MANAGER, Role.SERVICE)
ADVANCERS = only(Role.MEMBER, Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class Mutation:
    """Everything that can be changed."""

    @mutation(ENROLLERS)
    async def enrol(self, info: Info, input: EnrolInput) -> EnrolPayload:  # noqa: A002 - Relay's name
        """Make somebody a member."""
        return EnrolPayload.of(await enrol.enrol(info.context, input.to_newcomer()))

    @mutation(
        RECORDERS,
        description="One engaging event from a till, a site, an app or a partner. The same key counts once, for ever.",
    )
    async def record_event(self, info: Info, input: RecordEventInput) -> RecordEventPayload:  # noqa: A002
        """Count an event."""
        return RecordEventPayload.of(await event.record(info.context, input.to_told()), info.context)

    @mutation(
        RECORDERS,
        description="Up to 500 events; each is counted or refused on its own, in the order given for each member.",
    )
    async def record_events(
        self,
        info: Info,
        input: Annotated[list[RecordEventInput], strawberry.argument()],  # noqa: A002 - Relay's name
    ) -> list[RecordEventPayload]:
        """Count a batch of events."""
        context = info.context
        outcomes = await event.record_many(context, [told.to_told() for told in input])
        return [RecordEventPayload.of(outcome, context, str(n)) for n, outcome in enumerate(outcomes)]

    @mutation(RECORDERS, description="What the event would give, with nothing written.")
    async def preview_event(self, info: Info, input: RecordEventInput) -> RecordEventPayload:  # noqa: A002
        """Show what an event would give."""
        return RecordEventPayload.of(await event.preview(info.context, input.to_told()), info.context)

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

    @mutation(EVERY_ROLE, description="What the member says to like; offers and rewards about it move up.")
    async def set_preferences(self, info: Info, input: SetPreferencesInput) -> PreferencesPayload:  # noqa: A002
        """Keep what a member likes."""
        context = info.context
        outcome = await preference.set_preferences(
            context, key=input.key, member=key_or_none(input.member), topics=tuple(input.topics)
        )
        return PreferencesPayload.of(outcome)

    @mutation(CONSENTERS, description="What the member agrees to, by purpose and channel of contact.")
    async def set_consents(self, info: Info, input: SetConsentsInput) -> ConsentsPayload:  # noqa: A002
        """Keep what a member agrees to."""
        outcome = await consent.set_consents(
            info.context, key=input.key, member=key_or_none(input.member), consents=input.said()
        )
        return ConsentsPayload.of(outcome)

    @mutation(EVERY_ROLE, description="Points, a piece, a code and an appointment are taken together, or nothing is.")
    async def place_order(self, info: Info, input: PlaceOrderInput) -> OrderPayload:  # noqa: A002
        """Order a reward."""
        context = info.context
        return OrderPayload.of(await order.place(context, input.to_checkout(context.programme().key)), context)

    @mutation(CANCELLERS, description="Before it is on its way: points, piece, code and appointment go back.")
    async def cancel_order(self, info: Info, input: CancelOrderInput) -> OrderPayload:  # noqa: A002
        """Cancel an order."""
        [order_id] = parts_of("Order", input.order, 1)
        reason = input.reason if isinstance(input.reason, str) else None
        return OrderPayload.of(
            await order.cancel(info.context, key=input.key, order=order_id, reason=reason), info.context
        )

    @mutation(ADVANCERS, description="Logistics and agents: the next state, with a note and a tracking address.")
    async def advance_order(self, info: Info, input: AdvanceOrderInput) -> OrderPayload:  # noqa: A002
        """Move an order on."""
        context = info.context
        return OrderPayload.of(await order.advance(context, input.to_step(context.programme().key)), context)

    @mutation(EVERY_ROLE, description="Keeps points, stock and code for a checkout; lets go by itself.")
    async def hold(self, info: Info, input: HoldInput) -> HoldPayload:  # noqa: A002
        """Keep something for a checkout."""
        context = info.context
        reward = input.reward if isinstance(input.reward, str) else None
        outcome = await order.hold(
            context,
            key=input.key,
            member=key_or_none(input.member),
            reward=key_of("Reward", reward, context.programme().key) if reward is not None else None,
            points=input.points if isinstance(input.points, int) else None,
            ttl_seconds=input.ttl_seconds,
        )
        return HoldPayload.of(outcome, context)

    @mutation(EVERY_ROLE, description="Lets a hold go before its time.")
    async def release(self, info: Info, input: ReleaseInput) -> HoldPayload:  # noqa: A002
        """Let a hold go."""
        member, hold = parts_of("Hold", input.hold, 2)
        outcome = await order.release(info.context, key=input.key, member=member, hold=hold)
        return HoldPayload.of(outcome, info.context)

    @mutation(MANAGERS, description="Adds or changes an offer, a reward or a content, without a release.")
    async def save_catalogue_item(self, info: Info, input: SaveCatalogueItemInput) -> CatalogueItemPayload:  # noqa: A002
        """Store an offer, a reward or a content."""
        context = info.context
        stored = await catalogue.save(context, key=input.key, kind=input.kind, definition=input.definition)
        return CatalogueItemPayload.of(stored, context)

    @mutation(MANAGERS, description="Takes an offer, a reward or a content out of the catalogue.")
    async def retire_catalogue_item(self, info: Info, input: RetireCatalogueItemInput) -> CatalogueItemPayload:  # noqa: A002
        """Retire an offer, a reward or a content."""
        context = info.context
        stored = await catalogue.retire(context, key=input.key, kind=input.kind, item=input.item)
        return CatalogueItemPayload.of(stored, context)

    @mutation(MANAGERS, description="A short code by which one tablet is enrolled.")
    async def invite_device(self, info: Info, input: InviteDeviceInput) -> DevicePayload:  # noqa: A002
        """Invite a tablet."""
        outcome = await device.invite(info.context, key=input.key, name=input.name, store=input.given_store())
        if isinstance(outcome, Refusal):
            return DevicePayload.of(outcome)
        invited, code, replayed = outcome
        return DevicePayload.of((invited, replayed), code)

    @mutation(PUBLIC, description="Turns a short code into a tablet's token; needs no token itself.")
    async def enrol_device(self, info: Info, input: EnrolDeviceInput) -> EnrolDevicePayload:  # noqa: A002
        """Enrol a tablet."""
        return EnrolDevicePayload.of(await device.enrol(info.context, key=input.key, code=input.code), info.context)

    @mutation(MANAGERS, description="Takes a tablet's token away, at once.")
    async def revoke_device(self, info: Info, input: RevokeDeviceInput) -> DevicePayload:  # noqa: A002
        """Revoke a tablet."""
        [id_] = parts_of("Device", input.device, 1)
        return DevicePayload.of(await device.revoke(info.context, key=input.key, device=id_))

    @mutation(KIOSKS, description="A shopper begins at a tablet. By the tablet's own token; ends the session before.")
    async def open_session(self, info: Info, input: OpenSessionInput) -> SessionPayload:  # noqa: A002
        """Begin a session."""
        opened = await kiosk_session.open_session(info.context, key=input.key, by=input.by.to_key())
        return SessionPayload.of(opened)

    @mutation(KIOSKS, description="With the digits that the app shows, for a session by phone or e-mail.")
    async def confirm_session(self, info: Info, input: ConfirmSessionInput) -> SessionPayload:  # noqa: A002
        """Confirm a session."""
        confirmed = await kiosk_session.confirm_session(info.context, key=input.key, digits=input.digits)
        return SessionPayload.of(confirmed)

    @mutation(KIOSKS, description="The shopper leaves; the session's token is worth nothing from then on.")
    async def end_session(self, info: Info, input: EndSessionInput) -> SessionPayload:  # noqa: A002
        """End a session."""
        return SessionPayload.of(await kiosk_session.end_session(info.context, key=input.key))

    @mutation(STAFF)
    async def adjust_points(self, info: Info, input: AdjustPointsInput) -> AdjustPointsPayload:  # noqa: A002
        """Give points, or take some away, for a reason."""
        outcome = await adjustment.adjust(
            info.context, key=input.key, member=input.member.to_key(), points=input.points, reason=input.reason
        )
        return AdjustPointsPayload.of(outcome, info.context)
