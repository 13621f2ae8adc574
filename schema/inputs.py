"""What callers send, and how it becomes the domain's values."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import strawberry
from strawberry.scalars import JSON

from loyalty import event as domain
from resolvers.enrol import Newcomer
from resolvers.event import Told
from resolvers.fault import BadInput
from resolvers.member import MemberKey as Key
from schema.enums import Channel
from schema.ids import from_global_id

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
class AdjustPointsInput:
    """Points to give or, below zero, to take; somebody answers for it with a reason."""

    key: str
    member: MemberKey
    points: int
    reason: str
