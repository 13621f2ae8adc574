"""Orders of rewards, and holds."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.model import hold as domain_hold
from loyalty.model import order as domain
from loyalty.model.programme import Programme
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.personal_data import masked_name
from schema.types.reward import Reward
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import OrderState
from schema.wire.ids import global_id, order_cursor
from schema.wire.node import Node, PageInfo
from schema.wire.page import page_info


@strawberry.type
class OrderStep:
    """One step of an order's history."""

    state: OrderState = field(REACHED)
    at: datetime = field(REACHED)
    note: str | None = field(REACHED)


@strawberry.type
class Order(Node):
    """A reward that a member ordered."""

    id: strawberry.ID = field(REACHED)
    number: str = field(REACHED, description="For people: three groups of four characters.")
    state: OrderState = field(REACHED)
    reward: Reward = field(REACHED)
    quantity: int = field(REACHED)
    returned: int = field(REACHED, description="How many pieces came back.")
    points: int = field(REACHED)
    placed_at: datetime = field(REACHED)
    recipient: str | None = field(REACHED, description="A relative who receives it, where the member gives it away.")
    code: str | None = field(
        REACHED, description="The voucher, for the member alone; present once the order is fulfilled. Null to others."
    )
    appointment: datetime | None = field(REACHED)
    tracking_url: str | None = field(REACHED)
    history: list[OrderStep] = field(REACHED)

    @classmethod
    def of(cls, order: domain.Order, context: Context, locale: str) -> Self:
        """Return an order in one language."""
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
            code=order.code if is_own and order.code_is_shown else None,
            appointment=order.appointment,
            tracking_url=order.tracking_url,
            history=[OrderStep(state=step.state, at=step.at, note=step.note) for step in order.history],
        )


@strawberry.type
class OrderEdge:
    """An order and its place in the list."""

    node: Order = field(REACHED)
    key: strawberry.Private[str]

    @resolver(REACHED)
    def cursor(self) -> str:
        """Return the place."""
        return order_cursor(self.node.placed_at, self.key)


@strawberry.type
class OrderConnection:
    """A page of orders, newest first."""

    edges: list[OrderEdge] = field(REACHED)
    has_more: strawberry.Private[bool]
    is_first: strawberry.Private[bool]

    @resolver(REACHED)
    def page_info(self) -> PageInfo:
        """Return where the page stands in its list."""
        return page_info(self.edges, has_more=self.has_more, is_first=self.is_first)


@strawberry.type
class Hold:
    """Points, and what a reward takes besides, kept for a checkout."""

    id: strawberry.ID = field(REACHED)
    points: int = field(REACHED)
    expires_at: datetime = field(REACHED, description="When it lets go by itself.")
    reward: Reward | None = field(REACHED)

    @classmethod
    def of(cls, hold: domain_hold.Hold, member: str, context: Context, locale: str) -> Self:
        """Return a hold of a member."""
        programme: Programme = context.programme()
        reward = programme.catalogue.rewards.get(hold.reward) if hold.reward is not None else None
        told = Reward.of(reward, programme, locale, context.channel, context.now()) if reward is not None else None
        return cls(
            id=strawberry.ID(global_id("Hold", member, hold.id)),
            points=hold.points,
            expires_at=hold.expires_at,
            reward=told,
        )
