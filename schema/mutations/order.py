"""Mutations of orders: inputs, payloads, rights and fields."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from loyalty.model.order import Delivery, Recipient
from models.commits.request import Outcome
from resolvers import order
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.order import OrderInput, OrderStepInput
from schema.mutations.payload import MEMBER, REPLAYED, USER_ERRORS, committed_or_refused, orders_of
from schema.types.member import Member
from schema.types.member_key import MemberKey, given, key_or_none
from schema.types.order import Order
from schema.wire.access import EVERY_ROLE, REACHED, field, mutation, only
from schema.wire.enums import Channel, OrderState
from schema.wire.error import UserError
from schema.wire.ids import key_of, parts_of
from schema.wire.info import Info
from schema.wire.input_field import ACTED_FOR, KEY, optional, required


@strawberry.input
class RecipientInput:
    """A relative who receives the reward."""

    name: str = required("Name, 1 to 200 characters.")
    email: str | None = optional("E-mail address.")
    phone: str | None = optional("Phone number.")
    message: str | None = optional("Message from the member, up to 500 characters.")

    def to_recipient(self) -> Recipient:
        """Return the domain's recipient."""
        return Recipient(**{name: given(value) for name, value in vars(self).items()})


@strawberry.input
class DeliveryInput:
    """The address that a reward is sent to, or the store where it is collected. Each text: up to 200 characters."""

    name: str = required("Name of the addressee.")
    line1: str = required("Street and number.")
    postal_code: str = required("Postal code.")
    city: str = required("Town or city.")
    country: str = required("ISO 3166-1 code of two letters, such as FR.")
    line2: str | None = optional("Second line of the address, such as a floor or building.")
    store: str | None = optional("Key of the store where the reward is collected.")

    def to_delivery(self) -> Delivery:
        """Return the domain's delivery."""
        return Delivery(**{name: given(value) for name, value in vars(self).items()})


@strawberry.input
class PlaceOrderInput:
    """A reward to order for a member."""

    key: str = required(KEY)
    reward: strawberry.ID = required("Id of the reward.")
    channel: Channel = required("Where the member orders.")
    quantity: int = strawberry.field(
        default=1, description="Number of pieces, 1 to 100; 1 for codes, appointments and rewards with a limit."
    )
    member: MemberKey | None = optional(ACTED_FOR)
    hold: strawberry.ID | None = optional(
        "Id of the hold that reserved the points or the reward; the order uses it up."
    )
    recipient: RecipientInput | None = optional("A relative who receives it. Only some tiers may give rewards away.")
    appointment: datetime | None = optional(
        "Start of one of the reward's `appointments`: required for a service by appointment, refused for other rewards."
    )
    delivery: DeliveryInput | None = optional("Where to send it, or the store where it is collected.")

    def to_checkout(self, programme: str) -> OrderInput:
        """Return the order as the caller sent it."""
        hold, recipient, delivery = given(self.hold), given(self.recipient), given(self.delivery)
        return OrderInput(
            key=self.key,
            reward=key_of("Reward", self.reward, programme),
            channel=self.channel,
            quantity=self.quantity,
            member=key_or_none(self.member),
            hold=parts_of("Hold", hold, 2)[1] if hold is not None else None,
            recipient=recipient.to_recipient() if recipient is not None else None,
            appointment=given(self.appointment),
            delivery=delivery.to_delivery() if delivery is not None else None,
        )


@strawberry.input
class CancelOrderInput:
    """An order to cancel."""

    key: str = required(KEY)
    order: strawberry.ID = required("Id of the order.")
    reason: str | None = optional("Why, in up to 500 characters; stays in the order's history.")


@strawberry.input
class AdvanceOrderInput:
    """The next state of an order."""

    key: str = required(KEY)
    order: strawberry.ID = required("Id of the order.")
    state: OrderState = required("The new state, which must be allowed after the present one. Not CANCELLED.")
    note: str | None = optional("Note for the member, up to 500 characters.")
    tracking_url: str | None = optional("Web address to track the parcel, up to 500 characters.")
    quantity: int | None = optional("With RETURNED: number of pieces that came back. Left out: all that are still out.")
    exchange_for: strawberry.ID | None = optional(
        "With EXCHANGED: id of the reward given instead. Left out: the same reward again."
    )

    def to_step(self, programme: str) -> OrderStepInput:
        """Return the step as the caller sent it."""
        exchange_for = given(self.exchange_for)
        return OrderStepInput(
            key=self.key,
            order=parts_of("Order", self.order, 1)[0],
            state=self.state,
            note=given(self.note),
            tracking_url=given(self.tracking_url),
            quantity=given(self.quantity),
            exchange_for=key_of("Reward", exchange_for, programme) if exchange_for is not None else None,
        )


CANCELLERS = only(Role.MEMBER, Role.AGENT, Role.MANAGER, Role.SERVICE)
ADVANCERS = only(Role.MEMBER, Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class OrderPayload:
    """Result of a change of an order."""

    order: Order | None = field(REACHED, "The order after the change; null if the call was refused.")
    replacement: Order | None = field(REACHED, "With EXCHANGED: the order that replaces it; null for other changes.")
    member: Member | None = field(REACHED, MEMBER)
    replayed: bool = field(REACHED, REPLAYED)
    user_errors: list[UserError] = field(REACHED, USER_ERRORS)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the payload of a new order, or of a change of one."""
        result = committed_or_refused(outcome)
        if isinstance(result, Refusal):
            errors = [UserError.of(result)]
            return cls(order=None, replacement=None, member=None, replayed=False, user_errors=errors)
        orders = orders_of(result, context)
        exchanged = {order.exchanged_for for order in result.orders}
        replacements = [order for order, known in zip(orders, result.orders, strict=True) if known.id in exchanged]
        own = [order for order in orders if order not in replacements]
        return cls(
            order=own[0] if own else None,
            replacement=replacements[0] if replacements else None,
            member=Member.of(result.snapshot),
            replayed=result.replayed,
            user_errors=[],
        )


@strawberry.type
class OrderMutation:
    """The mutations of orders."""

    @mutation(EVERY_ROLE)
    async def place_order(self, info: Info, input: PlaceOrderInput) -> OrderPayload:  # noqa: A002
        """Order a reward. Points, piece, code and appointment are taken together, or nothing is."""
        context = info.context
        return OrderPayload.of(await order.place(context, input.to_checkout(context.programme().key)), context)

    @mutation(CANCELLERS)
    async def cancel_order(self, info: Info, input: CancelOrderInput) -> OrderPayload:  # noqa: A002
        """Cancel an order that is not on its way: points, piece, code and appointment are restored."""
        [order_id] = parts_of("Order", input.order, 1)
        reason = input.reason if isinstance(input.reason, str) else None
        return OrderPayload.of(
            await order.cancel(info.context, key=input.key, order=order_id, reason=reason), info.context
        )

    @mutation(ADVANCERS)
    async def advance_order(self, info: Info, input: AdvanceOrderInput) -> OrderPayload:  # noqa: A002
        """Move an order to its next state, for logistics and agents. A member can only request a return."""
        context = info.context
        return OrderPayload.of(await order.advance(context, input.to_step(context.programme().key)), context)
