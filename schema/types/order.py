"""Orders of rewards, and holds."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.model import hold as domain_hold
from loyalty.model import order as domain
from loyalty.model.programme import Programme
from resolvers import voucher as vouchers
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.operation_error import BadInput
from resolvers.core.personal_data import masked_name
from schema.types.member_key import given
from schema.types.programme import Money
from schema.types.reward import Reward
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import OrderState
from schema.wire.ids import global_id, order_cursor, parts_of
from schema.wire.info import Info
from schema.wire.input_field import optional
from schema.wire.node import Node
from schema.wire.page import Connection


@strawberry.type
class OrderStep:
    """A state that an order has had."""

    state: OrderState = field(REACHED, "The state that the order changed to.")
    at: datetime = field(REACHED, "When it changed, in UTC.")
    note: str | None = field(REACHED, "Note for the member; null if there is none.")


@strawberry.type
class Voucher:
    """What the shopper shows in the store to collect or use an order."""

    code: str = field(REACHED, "Text to type or to show as a QR code: three groups of four characters.")
    expires_at: datetime | None = field(REACHED, "From when it cannot be used, in UTC; null if it does not expire.")
    used_at: datetime | None = field(REACHED, "When it was used, in UTC; null if it was not.")
    used_at_store: str | None = field(
        REACHED, "Key of the store where it was used; null if it was not, or if the till named no store."
    )
    worth: Money | None = field(
        REACHED, "What the pieces that were not returned are worth at the till; null if the reward says nothing of it."
    )

    @classmethod
    def of(cls, order: domain.Order, code: str, programme: Programme) -> Self:
        """Return the voucher of an order."""
        use, worth = order.voucher_use, order.voucher_worth
        pieces = order.quantity - order.returned
        return cls(
            code=code,
            expires_at=order.voucher_expires_at,
            used_at=order.used_at,
            used_at_store=use.store if use is not None else None,
            worth=Money(amount=worth * pieces, currency=programme.currency) if worth is not None else None,
        )


@strawberry.type
class Order(Node):
    """A member's order of a reward, or a reward that an offer or a purchase gave."""

    number: str = field(REACHED, "Order number for people: three groups of four characters, such as 7K2M-0QZT-4H9D.")
    state: OrderState = field(REACHED, "The present state.")
    reward: Reward = field(REACHED, "The reward as it was ordered; its stock and dates are those of today's catalogue.")
    quantity: int = field(REACHED, "Number of pieces that were ordered, returned ones included.")
    returned: int = field(REACHED, "Number of pieces that came back.")
    points: int = field(REACHED, "Points that all pieces cost together; 0 for a gift.")
    placed_at: datetime = field(REACHED, "When the order was placed, in UTC.")
    recipient: str | None = field(
        REACHED,
        "Name of the relative who receives the reward, masked for the kiosk role. Null if the member keeps it.",
    )
    code: str | None = field(
        REACHED,
        "Code of the pool, for the member alone, once the order is fulfilled or delivered. Null before that, for "
        "other roles, and for a reward without codes.",
    )
    appointment: datetime | None = field(REACHED, "Booked time of a service, in UTC; null for other rewards.")
    tracking_url: str | None = field(REACHED, "Web address to track the parcel; null if there is none.")
    history: list[OrderStep] = field(REACHED, "All states so far, oldest first.")
    order: strawberry.Private[domain.Order]
    is_presented: strawberry.Private[bool] = False

    @resolver(REACHED)
    def voucher(self, info: Info) -> Voucher | None:
        """What the shopper shows in the store, as text and as a QR code of it, from placing on.

        Null for an order that is sent or has a `code`, once it cannot be used any more (it stays after its use), and
        for roles that may not see it: the member, agents and managers see it; a till sees it if it found the order by
        this code, and services and tills see used ones; a kiosk sees none.
        """
        context = info.context
        code = vouchers.code_of(context, self.order, is_presented=self.is_presented)
        return Voucher.of(self.order, code, context.programme()) if code is not None else None

    @classmethod
    def of(cls, order: domain.Order, context: Context, locale: str, *, is_presented: bool = False) -> Self:
        """Return an order in one language; `is_presented`: the actor found it by its voucher code."""
        programme, actor = context.programme(), context.require_actor()
        is_own = actor.role is Role.MEMBER and actor.member == order.member
        recipient = order.recipient.name if order.recipient is not None else None
        if actor.role is Role.KIOSK:
            recipient = masked_name(recipient)
        return cls(
            id=strawberry.ID(global_id("Order", order.id)),
            number=order.number,
            state=order.state,
            reward=Reward.of(order.reward, programme, locale, context.channel, context.now()),
            quantity=order.quantity,
            returned=order.returned,
            points=order.points,
            placed_at=order.placed_at,
            recipient=recipient,
            code=order.code if is_own and order.code_is_revealed else None,
            appointment=order.appointment,
            tracking_url=order.tracking_url,
            history=[OrderStep(state=step.state, at=step.at, note=step.note) for step in order.history],
            order=order,
            is_presented=is_presented,
        )


@strawberry.input(one_of=True)
class OrderKey:
    """Identifies an order by exactly one of its keys. Case, spaces and dashes of numbers and codes are ignored."""

    id: strawberry.ID | None = optional("Global id of the order.")
    number: str | None = optional("Order number (`Order.number`).")
    code: str | None = optional("Code of its voucher (`Voucher.code`), typed or scanned.")

    def to_key(self) -> tuple[str, str]:
        """Return the kind and value of the one key that was sent; GraphQL has checked that it is exactly one."""
        for kind in ("id", "number", "code"):
            value = given(getattr(self, kind))
            if value is not None:
                return kind, parts_of("Order", value, 1)[0] if kind == "id" else value
        raise BadInput("id_invalid")


@strawberry.type
class OrderEdge:
    """An order and its position in the list."""

    node: Order = field(REACHED, "The order at this position.")
    key: strawberry.Private[str]

    @resolver(REACHED)
    def cursor(self) -> str:
        """Opaque position; pass it as `after` to read the older orders that follow."""
        return order_cursor(self.node.placed_at, self.key)


@strawberry.type
class OrderConnection(Connection[OrderEdge]):
    """A page of a member's orders, newest first."""


@strawberry.type
class Hold:
    """Points, and the piece and code of a reward, reserved for a checkout until `expiresAt`."""

    id: strawberry.ID = field(REACHED, "Opaque id, which `placeOrder` and `release` take.")
    points: int = field(REACHED, "Points that it reserves.")
    expires_at: datetime = field(REACHED, "When the hold ends and everything is available again, in UTC.")
    reward: Reward | None = field(REACHED, "The reward that is reserved; null for a hold of points only.")

    @classmethod
    def of(cls, hold: domain_hold.Hold, member: str, context: Context, locale: str) -> Self:
        """Return a hold of a member."""
        programme: Programme = context.programme()
        reward = programme.catalogue.rewards.get(hold.reward) if hold.reward is not None else None
        shown = Reward.of(reward, programme, locale, context.channel, context.now()) if reward is not None else None
        return cls(
            id=strawberry.ID(global_id("Hold", member, hold.id)),
            points=hold.points,
            expires_at=hold.expires_at,
            reward=shown,
        )
