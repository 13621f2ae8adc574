"""What callers send, and how it becomes the domain's values."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import strawberry
from strawberry.scalars import JSON

from loyalty.model import event as domain
from loyalty.model.order import Delivery, Recipient
from resolvers.consent import Said
from resolvers.core.fault import BadInput
from resolvers.core.member import MemberKey as Key
from resolvers.enrol import Newcomer
from resolvers.event import Told
from resolvers.offer import Redeemed
from resolvers.order import Checkout, Step
from resolvers.tablets.session import PASS
from schema.enums import Channel, ConsentPurpose, ContactChannel, Kind, OrderState
from schema.ids import from_global_id, key_of, parts_of

NOBODY = ""


def _given(value: Any) -> Any:
    """Return what was sent; None where a field was left out."""
    return None if value is strawberry.UNSET else value


@strawberry.input(
    one_of=True,
    description="Exactly one way to say which member. `card` is what scanning a card, QR code or wallet pass gives; a "
    "member may have several cards, and one number.",
)
class MemberKey:
    """Which member is meant."""

    id: strawberry.ID | None = strawberry.UNSET
    number: str | None = strawberry.UNSET
    card: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET
    phone: str | None = strawberry.UNSET

    def to_key(self) -> Key:
        """Return the one key that is given; GraphQL has seen to it that it is one."""
        for kind in ("id", "number", "card", "email", "phone"):
            value = getattr(self, kind)
            if _given(value) is not None:
                return Key(kind, member_id(value) if kind == "id" else value)
        raise BadInput("no_such_member")


def key_or_none(member: MemberKey | None) -> Key | None:
    """Return which member is named, None where none is."""
    named = _given(member)
    return named.to_key() if named is not None else None


def member_id(text: str) -> str:
    """Return the member that a global id names; nobody's id where it names something else."""
    try:
        kind, parts = from_global_id(text)
    except BadInput:
        return NOBODY
    return parts[0] if kind == "Member" and len(parts) == 1 else NOBODY


@strawberry.input
class EnrolInput:
    """A new member."""

    key: str
    channel: Channel
    first_name: str | None = strawberry.UNSET
    last_name: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET
    phone: str | None = strawberry.UNSET
    birth_date: date | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET
    card: str | None = strawberry.UNSET
    store: str | None = strawberry.UNSET

    def to_newcomer(self) -> Newcomer:
        """Return what is told of the new member."""
        return Newcomer(**{name: _given(value) for name, value in vars(self).items()})


@strawberry.input
class PurchaseLineInput:
    """One line of a receipt; `amount` is what was paid for all of its quantity."""

    sku: str
    amount: Decimal
    quantity: Decimal = Decimal(1)
    category: str | None = strawberry.UNSET
    brand: str | None = strawberry.UNSET


@strawberry.input
class PurchaseInput:
    """A receipt."""

    total: Decimal
    currency: str
    lines: list[PurchaseLineInput] = strawberry.field(default_factory=list)

    def to_purchase(self) -> domain.Purchase:
        """Return the domain's receipt."""
        lines = tuple(
            domain.PurchaseLine(line.sku, line.quantity, line.amount, _given(line.category), _given(line.brand))
            for line in self.lines
        )
        return domain.Purchase(self.total, self.currency, lines)


@strawberry.input
class RecordEventInput:
    """One engaging event."""

    key: str = strawberry.field(description="Chosen by the sender, unique per sender: a receipt number, an order id.")
    type: str = strawberry.field(description="purchase, refund, visit, review, or any type the programme declares.")
    member: MemberKey
    occurred_at: datetime
    channel: Channel
    store: str | None = strawberry.UNSET
    partner: str | None = strawberry.UNSET
    purchase: PurchaseInput | None = strawberry.UNSET
    refund_of: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="For type refund: the key of the purchase, from the same sender, that this takes back; without "
        "`purchase`, all of it.",
    )
    attributes: JSON | None = strawberry.UNSET

    def to_told(self) -> Told:
        """Return the event and whose it is; the sender is the actor's."""
        purchase, attributes = _given(self.purchase), _given(self.attributes)
        event = domain.Event(
            key=self.key,
            sender="",
            type=self.type,
            occurred_at=self.occurred_at,
            channel=self.channel,
            store=_given(self.store),
            partner=_given(self.partner),
            purchase=purchase.to_purchase() if purchase is not None else None,
            refund_of=_given(self.refund_of),
            attributes=attributes if attributes is not None else {},
        )
        return Told(event, self.member.to_key())


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
        offer = _given(self.offer)
        return Redeemed(
            key=self.key,
            channel=self.channel,
            member=key_or_none(self.member),
            offer=key_of("Offer", offer, programme) if offer is not None else None,
            code=_given(self.code),
            purchase_key=_given(self.purchase_key),
            store=_given(self.store),
            occurred_at=_given(self.occurred_at),
        )


@strawberry.input
class NoteOffersInput:
    """Offers that a member has seen, and those that the member wants no more of."""

    key: str
    member: MemberKey | None = strawberry.UNSET
    seen: list[strawberry.ID] = strawberry.field(default_factory=list)
    refused: list[strawberry.ID] = strawberry.field(default_factory=list)


@strawberry.input
class SetPreferencesInput:
    """What a member says to like, in place of what it said before."""

    key: str
    topics: list[str] = strawberry.field(description="Categories and brands: `category:COFFEE`, `brand:Private`.")
    member: MemberKey | None = strawberry.UNSET


@strawberry.input
class ConsentInput:
    """What a member says of one purpose."""

    purpose: ConsentPurpose
    granted: bool
    channel: ContactChannel | None = strawberry.field(
        default=strawberry.UNSET, description="Left out: of the purpose as such."
    )


@strawberry.input
class SetConsentsInput:
    """What a member agrees to and refuses; what is not named stays as it is."""

    key: str
    consents: list[ConsentInput]
    member: MemberKey | None = strawberry.UNSET

    def said(self) -> tuple[Said, ...]:
        """Return what is said, in order."""
        return tuple((one.purpose, _given(one.channel), one.granted) for one in self.consents)


@strawberry.input
class InviteDeviceInput:
    """A tablet that is to be enrolled."""

    key: str
    name: str
    store: str | None = strawberry.UNSET

    def given_store(self) -> str | None:
        """Return the store, if one is named."""
        return self.store or None


@strawberry.input
class EnrolDeviceInput:
    """The short code that a manager told."""

    key: str
    code: str


@strawberry.input
class RevokeDeviceInput:
    """A tablet whose token is taken away."""

    key: str
    device: strawberry.ID


@strawberry.input(one_of=True, description="Exactly one way to say who stands at the tablet.")
class SessionKey:
    """Who stands at the tablet."""

    pass_: str | None = strawberry.field(
        name="pass", default=strawberry.UNSET, description="What the QR code of the member's app says."
    )
    card: str | None = strawberry.UNSET
    number: str | None = strawberry.UNSET
    phone: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET

    def to_key(self) -> Key:
        """Return the one key that is given; GraphQL has seen to it that it is one."""
        for kind in (PASS, "card", "number", "phone", "email"):
            value = _given(self.pass_ if kind == PASS else getattr(self, kind))
            if value is not None:
                return Key(kind, value)
        raise BadInput("no_such_member")


@strawberry.input
class OpenSessionInput:
    """A shopper begins."""

    key: str
    by: SessionKey


@strawberry.input
class ConfirmSessionInput:
    """The six digits that the member's app shows."""

    key: str
    digits: str


@strawberry.input
class EndSessionInput:
    """The shopper leaves."""

    key: str


@strawberry.input
class RecipientInput:
    """A relative whom the reward is for."""

    name: str
    email: str | None = strawberry.UNSET
    phone: str | None = strawberry.UNSET
    message: str | None = strawberry.UNSET

    def to_recipient(self) -> Recipient:
        """Return the domain's recipient."""
        return Recipient(**{name: _given(value) for name, value in vars(self).items()})


@strawberry.input
class DeliveryInput:
    """Where a reward is sent, or the store that it is kept in; `country` is a code such as FR (ISO 3166-1)."""

    name: str
    line1: str
    postal_code: str
    city: str
    country: str
    line2: str | None = strawberry.UNSET
    store: str | None = strawberry.UNSET

    def to_delivery(self) -> Delivery:
        """Return the domain's delivery."""
        return Delivery(**{name: _given(value) for name, value in vars(self).items()})


@strawberry.input
class PlaceOrderInput:
    """A reward to order."""

    key: str
    reward: strawberry.ID
    channel: Channel
    quantity: int = 1
    member: MemberKey | None = strawberry.UNSET
    hold: strawberry.ID | None = strawberry.UNSET
    recipient: RecipientInput | None = strawberry.UNSET
    appointment: datetime | None = strawberry.UNSET
    delivery: DeliveryInput | None = strawberry.UNSET

    def to_checkout(self, programme: str) -> Checkout:
        """Return the order as it was sent."""
        hold, recipient, delivery = _given(self.hold), _given(self.recipient), _given(self.delivery)
        return Checkout(
            key=self.key,
            reward=key_of("Reward", self.reward, programme),
            channel=self.channel,
            quantity=self.quantity,
            member=key_or_none(self.member),
            hold=parts_of("Hold", hold, 2)[1] if hold is not None else None,
            recipient=recipient.to_recipient() if recipient is not None else None,
            appointment=_given(self.appointment),
            delivery=delivery.to_delivery() if delivery is not None else None,
        )


@strawberry.input
class CancelOrderInput:
    """An order to take back."""

    key: str
    order: strawberry.ID
    reason: str | None = strawberry.UNSET


@strawberry.input
class AdvanceOrderInput:
    """The next step of an order."""

    key: str
    order: strawberry.ID
    state: OrderState
    note: str | None = strawberry.field(default=strawberry.UNSET, description="For the member to read.")
    tracking_url: str | None = strawberry.UNSET
    quantity: int | None = strawberry.field(
        default=strawberry.UNSET, description="With RETURNED: how many pieces came back; all that are out if left out."
    )
    exchange_for: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="With EXCHANGED: the reward given instead; the same again if left out."
    )

    def to_step(self, programme: str) -> Step:
        """Return the step as it was sent."""
        exchange_for = _given(self.exchange_for)
        return Step(
            key=self.key,
            order=parts_of("Order", self.order, 1)[0],
            state=self.state,
            note=_given(self.note),
            tracking_url=_given(self.tracking_url),
            quantity=_given(self.quantity),
            exchange_for=key_of("Reward", exchange_for, programme) if exchange_for is not None else None,
        )


@strawberry.input
class HoldInput:
    """What to keep for a checkout: points, or all that a reward takes."""

    key: str
    member: MemberKey | None = strawberry.UNSET
    reward: strawberry.ID | None = strawberry.UNSET
    points: int | None = strawberry.field(
        default=strawberry.UNSET, description="What the reward costs, where it is left out."
    )
    ttl_seconds: int = 300


@strawberry.input
class ReleaseInput:
    """A hold to let go."""

    key: str
    hold: strawberry.ID


@strawberry.input
class SaveCatalogueItemInput:
    """An offer, a reward or a content, in the shape that the programme file's sections have."""

    key: str
    kind: Kind
    definition: JSON = strawberry.field(description='Such as {"key": "spring", "kind": "PERCENT_OFF", ...}.')


@strawberry.input
class RetireCatalogueItemInput:
    """What to take out of the catalogue: `item` is its key there."""

    key: str
    kind: Kind
    item: str


@strawberry.input
class AdjustPointsInput:
    """Points to give or, below zero, to take; somebody answers for it with a reason."""

    key: str
    member: MemberKey
    points: int
    reason: str
