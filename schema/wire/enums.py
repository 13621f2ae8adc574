"""Enumerations of the API; their values are the domain's own, their descriptions are here."""

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any

import strawberry

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import RefusalCode
from loyalty.model.consent import ConsentPurpose, ContactChannel
from loyalty.model.ledger import EntryKind
from loyalty.model.notice import NoticeKind
from loyalty.model.offer import OfferKind, OfferState
from loyalty.model.order import OrderState
from loyalty.model.reward import RewardKind
from models.definitions.catalogue_file import ItemKind
from models.tablets.device_store import DeviceState


class TextDirection(StrEnum):
    """The writing direction of a text: LTR or RTL."""

    LTR = "LTR"
    RTL = "RTL"


def _serve(kind: type[Enum], description: str, values: Mapping[Any, str], *, name: str | None = None) -> None:
    """Serve a domain enumeration, with a description of it and of each of its values."""
    served: Any = strawberry.enum(kind, name=name, description=description)
    for value in served.__strawberry_definition__.values:
        value.description = values[kind(value.value)]


_serve(
    Channel,
    "Where something was done, or where it is shown.",
    {
        Channel.APP: "The brand's mobile app.",
        Channel.WEB: "The brand's website or web shop.",
        Channel.STORE: "The till of a store.",
        Channel.KIOSK: "A tablet in a store.",
        Channel.AGENT: "Customer service.",
        Channel.SOCIAL: "A social network or messenger.",
        Channel.PARTNER: "A partner's shop or system.",
        Channel.SYSTEM: "The programme itself, for example the expiry of points.",
    },
)
_serve(
    ItemKind,
    "The kind of a catalogue item, which managers change without a release.",
    {
        ItemKind.OFFER: "An offer.",
        ItemKind.REWARD: "A reward.",
        ItemKind.CONTENT: "A content: a text of an app, a website or a screen.",
    },
    name="CatalogueKind",
)
_serve(
    ConsentPurpose,
    "The use of personal data that a consent is about, beyond running the programme itself.",
    {
        ConsentPurpose.MARKETING: "News and offers sent to the member.",
        ConsentPurpose.PERSONALISATION: "Offers and rewards ranked, and reasons given, by what the member buys.",
        ConsentPurpose.PARTNERS: "Sharing with the brand's partners.",
    },
)
_serve(
    ContactChannel,
    "The means by which the brand writes to a member.",
    {
        ContactChannel.EMAIL: "E-mail.",
        ContactChannel.SMS: "Text message.",
        ContactChannel.PUSH: "Push notification of the app.",
        ContactChannel.MAIL: "Post.",
    },
)
_serve(
    DeviceState,
    "The state of a tablet.",
    {
        DeviceState.INVITED: "It has a short code and no token yet.",
        DeviceState.ENROLLED: "It has its token.",
        DeviceState.REVOKED: "Its token is no longer valid.",
    },
)
_serve(
    EntryKind,
    "The kind of movement that a ledger entry records.",
    {
        EntryKind.EARN: "An event gave points.",
        EntryKind.CONFIRM: "Pending points became available. Reserved: no operation writes it yet.",
        EntryKind.BURN: "An order of a reward spent points.",
        EntryKind.HOLD: "A hold reserved points for a checkout.",
        EntryKind.RELEASE: "A hold ended, and its points are available again.",
        EntryKind.EXPIRE: "Points expired.",
        EntryKind.ADJUST: "Staff gave or deducted points.",
        EntryKind.REVERSE: "A refund reversed earned points, or a cancelled or returned order restored spent ones.",
        EntryKind.TRANSFER: "Points moved between members. Reserved: no operation writes it yet.",
    },
)
_serve(
    NoticeKind,
    "The kind of thing that happened to a member.",
    {
        NoticeKind.WELCOME: "The member was enrolled. Reserved: no operation writes it yet.",
        NoticeKind.POINTS_EARNED: "An event gave points.",
        NoticeKind.POINTS_TAKEN_BACK: "A refund reversed points.",
        NoticeKind.POINTS_EXPIRED: "Points expired.",
        NoticeKind.POINTS_GIVEN: "Staff gave points.",
        NoticeKind.POINTS_DEDUCTED: "Staff deducted points.",
        NoticeKind.POINTS_HELD: "A hold reserved points for a checkout.",
        NoticeKind.POINTS_RELEASED: "Points of a hold or an order are available again.",
        NoticeKind.TIER_REACHED: "The member rose to a higher tier.",
        NoticeKind.TIER_LOST: "The member fell to a lower tier.",
        NoticeKind.OFFER_ACTIVATED: "The member activated an offer.",
        NoticeKind.OFFER_REDEEMED: "The member used an offer.",
        NoticeKind.OFFER_RETURNED: "A refund restored the use of an offer.",
        NoticeKind.ORDER_PLACED: "The member ordered a reward.",
        NoticeKind.ORDER_CONFIRMED: "The brand accepted an order.",
        NoticeKind.ORDER_PREPARING: "An order is being prepared.",
        NoticeKind.ORDER_SHIPPED: "An order is on its way.",
        NoticeKind.ORDER_DELIVERED: "An order was delivered.",
        NoticeKind.ORDER_FULFILLED: "An order was fulfilled: handed over, performed, or its code shown.",
        NoticeKind.ORDER_CANCELLED: "An order was cancelled, and its points restored.",
        NoticeKind.ORDER_RETURN_REQUESTED: "The return of an order was requested.",
        NoticeKind.ORDER_RETURNED: "An order, or a part of it, was returned.",
        NoticeKind.ORDER_EXCHANGED: "An order was exchanged for another one.",
        NoticeKind.REWARD_GRANTED: "A purchase or an offer gave a reward for no points.",
        NoticeKind.VOUCHER_USED: "The voucher of an order was used in a store.",
        NoticeKind.CONSENT_GIVEN: "The member gave a consent.",
        NoticeKind.CONSENT_WITHDRAWN: "The member refused or withdrew a consent.",
        NoticeKind.PROFILE_CHANGED: "Personal data of the member was changed.",
        NoticeKind.CARD_ADDED: "A card was linked to the member.",
        NoticeKind.CARD_REMOVED: "A card was unlinked from the member.",
    },
)
_serve(
    OfferKind,
    "The kind of benefit that an offer gives.",
    {
        OfferKind.PERCENT_OFF: "A percentage off a purchase: see `percent` and `maximum`.",
        OfferKind.AMOUNT_OFF: "An amount of money off a purchase: see `amount`.",
        OfferKind.FREE_DELIVERY: "Delivery free of charge.",
        OfferKind.MULTIPLIER: "The points of a purchase, multiplied: see `factor`.",
        OfferKind.BONUS_POINTS: "Extra points: see `points`.",
        OfferKind.GIFT: "A reward for no points.",
        OfferKind.EARLY_ACCESS: "Access before others, for example to a sale.",
        OfferKind.INVITATION: "An invitation, for example to an event.",
        OfferKind.SERVICE: "A service free of charge.",
    },
)
_serve(
    OfferState,
    "The state of an offer for one member.",
    {
        OfferState.AVAILABLE: "The member can use it, or activate it first if `needsActivation`.",
        OfferState.ACTIVATED: "The member has activated it and can use it.",
        OfferState.REDEEMED: "The member has used it as often as allowed.",
        OfferState.EXPIRED: "It has ended.",
    },
)
_serve(
    OrderState,
    "The state of an order.",
    {
        OrderState.PLACED: "The member has ordered and paid the points. It can still be cancelled.",
        OrderState.CONFIRMED: "The brand has accepted it. It can still be cancelled.",
        OrderState.PREPARING: "It is being prepared. Only staff can still cancel it.",
        OrderState.SHIPPED: "It is on its way.",
        OrderState.DELIVERED: "It has arrived.",
        OrderState.FULFILLED: (
            "It was handed over or performed, or its code shown. Codes, discounts and donations have this state "
            "from the start."
        ),
        OrderState.CANCELLED: "It was cancelled, and all it took is restored. Final.",
        OrderState.RETURN_REQUESTED: "A return was requested, and staff have not decided yet.",
        OrderState.RETURNED: "All pieces came back, and their points are restored. Final.",
        OrderState.EXCHANGED: "Another order replaced it. Final.",
    },
)
_serve(
    RefusalCode,
    "The reason for a refusal, for programs; `message` is for people.",
    {
        RefusalCode.INVALID: "A field of the input is missing or wrong; `path` names it.",
        RefusalCode.NOT_FOUND: "No object has this id, key or code, or the caller may not see it.",
        RefusalCode.ALREADY_EXISTS: (
            "The card, e-mail, phone or code belongs to another object, or the offer is already activated."
        ),
        RefusalCode.KEY_REUSED: "The idempotency key was used for other content.",
        RefusalCode.INSUFFICIENT_POINTS: "The member has too few available points.",
        RefusalCode.NOT_ELIGIBLE: "Not for this member, on this channel, in this store or at this time.",
        RefusalCode.LIMIT_REACHED: "A limit is used up, for example of uses, of orders or of wrong attempts.",
        RefusalCode.OUT_OF_STOCK: "Too few pieces, codes or places are left.",
        RefusalCode.EXPIRED: "The offer, reward, hold, code or session has ended.",
        RefusalCode.CONFLICT: (
            "The present state does not allow it, such as an order that is closed. In a batch also: the event may not "
            "have been recorded; send it again with the same key."
        ),
    },
    name="UserErrorCode",
)
_serve(
    RewardKind,
    "The kind of thing that a reward is.",
    {
        RewardKind.PHYSICAL: "A product that is sent or handed over.",
        RewardKind.DIGITAL_CODE: "A code, for example of a gift card.",
        RewardKind.DISCOUNT: "Money off a purchase.",
        RewardKind.SERVICE: "A service, by appointment if `appointments` has any.",
        RewardKind.DONATION: "A donation to a good cause.",
        RewardKind.PARTNER: "A reward that a partner gives.",
    },
)
_serve(
    TextDirection,
    "The writing direction of a text, for the `dir` attribute in HTML (in lower case).",
    {TextDirection.LTR: "Left to right.", TextDirection.RTL: "Right to left, for example Arabic."},
)

__all__ = [
    "Channel",
    "ConsentPurpose",
    "ContactChannel",
    "DeviceState",
    "EntryKind",
    "ItemKind",
    "NoticeKind",
    "OfferKind",
    "OfferState",
    "OrderState",
    "RefusalCode",
    "RewardKind",
    "TextDirection",
]
