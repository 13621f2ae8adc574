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
from resolvers.order import Checkout, Step
from schema.mutations.payload import committed_or_refused, orders_of
from schema.types.member import Member
from schema.types.member_key import MemberKey, given, key_or_none
from schema.types.order import Order
from schema.wire.access import EVERY_ROLE, REACHED, field, mutation, only
from schema.wire.enums import Channel, OrderState
from schema.wire.error import UserError
from schema.wire.ids import key_of, parts_of
from schema.wire.info import Info


@strawberry.input
class RecipientInput:
    """A relative whom the reward is for."""

    name: str
    email: str | None = strawberry.UNSET
    phone: str | None = strawberry.UNSET
    message: str | None = strawberry.UNSET

    def to_recipient(self) -> Recipient:
        """Return the domain's recipient."""
        return Recipient(**{name: given(value) for name, value in vars(self).items()})


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
        return Delivery(**{name: given(value) for name, value in vars(self).items()})


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
        hold, recipient, delivery = given(self.hold), given(self.recipient), given(self.delivery)
        return Checkout(
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
        exchange_for = given(self.exchange_for)
        return Step(
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
    """The order as it stands now."""

    order: Order | None = field(REACHED)
    replacement: Order | None = field(REACHED, description="With EXCHANGED: the order placed in its stead.")
    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the answer to an order, or to a step of one."""
        result = committed_or_refused(outcome)
        if isinstance(result, Refusal):
            errors = [UserError.of(result)]
            return cls(order=None, replacement=None, member=None, replayed=False, user_errors=errors)
        told = orders_of(result, context)
        exchanged = {order.exchanged_for for order in result.orders}
        replacements = [order for order, known in zip(told, result.orders, strict=True) if known.id in exchanged]
        own = [order for order in told if order not in replacements]
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
