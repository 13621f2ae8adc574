"""The shop on the corner: a shop whose members order, hold and use offers, and whose answers tests look at."""

from dataclasses import dataclass
from typing import Any

from loyalty.kernel.channel import Channel
from loyalty.model.order import Order, OrderState
from models.commits.request import Outcome
from resolvers import offer as offers
from resolvers import order as orders
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey
from resolvers.offer import Redeemed
from resolvers.order import Checkout, Step
from support.shop import Shop, committed


@dataclass
class Corner(Shop):
    """Acts on offers, rewards, orders and holds."""

    async def earn(self, points: int, **about: Any) -> str:
        """Enrol somebody who has so many points; return the member's id."""
        member = await self.member(**about)
        if points:
            await self.buy(member, f"{points}.00")
        return member

    async def order(
        self,
        member: str | MemberKey | None,
        reward: str,
        *,
        role: Role = Role.TILL,
        of: str | None = None,
        **about: Any,
    ) -> Outcome:
        """Order a reward for a member; `of` is the member that asks."""
        named = MemberKey("id", member) if isinstance(member, str) else member
        told: dict[str, Any] = {"key": self.key(), "channel": Channel.STORE, **about}
        return await orders.place(self.context(role, member=of), Checkout(reward=reward, member=named, **told))

    async def place(self, member: str | MemberKey, reward: str, **about: Any) -> Order:
        """Order a reward for a member, and expect that it works."""
        return committed(await self.order(member, reward, **about)).orders[0]

    async def cancel(self, order: str, *, role: Role = Role.AGENT, member: str | None = None, **about: Any) -> Outcome:
        """Cancel an order."""
        told: dict[str, Any] = {"key": self.key(), "reason": None, **about}
        return await orders.cancel(self.context(role, member=member), order=order, **told)

    async def advance(
        self, order: str, state: OrderState, *, role: Role = Role.AGENT, member: str | None = None, **about: Any
    ) -> Outcome:
        """Move an order on."""
        told: dict[str, Any] = {"key": self.key(), **about}
        return await orders.advance(self.context(role, member=member), Step(order=order, state=state, **told))

    async def hold(self, member: str, reward: str | None = None, **about: Any) -> Outcome:
        """Keep a reward or points for a member."""
        told: dict[str, Any] = {"key": self.key(), "points": None, "ttl_seconds": 300, **about}
        return await orders.hold(self.context(), member=MemberKey("id", member), reward=reward, **told)

    async def release(self, member: str, hold: str, *, role: Role = Role.TILL, of: str | None = None) -> Outcome:
        """Let a hold of a member go; `of` is the member that asks."""
        return await orders.release(self.context(role, member=of), key=self.key(), member=member, hold=hold)

    async def activate(self, member: str, offer: str, *, key: str | None = None) -> Outcome:
        """Take an offer up, as the member."""
        context = self.context(Role.MEMBER, member=member)
        return await offers.activate(context, key=key or self.key(), member=None, offer=offer)

    async def redeem(
        self, member: str | None = None, *, role: Role = Role.TILL, of: str | None = None, **about: Any
    ) -> Outcome:
        """Use an offer at the till; `of` is the member that asks."""
        named = MemberKey("id", member) if member is not None else None
        told: dict[str, Any] = {"key": self.key(), "channel": Channel.STORE, "member": named, **about}
        return await offers.redeem(self.context(role, member=of), Redeemed(**told))
