"""Calls the resolvers of offers, rewards, orders and holds."""

from dataclasses import dataclass
from typing import Any

from loyalty.kernel.channel import Channel
from loyalty.model.order import Order, OrderState
from models.commits.request import Outcome
from resolvers import offer as offers
from resolvers import order as orders
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey
from resolvers.offer import RedemptionInput, ReleaseInput
from resolvers.order import OrderInput, OrderStepInput
from support.outcome import committed
from support.clients.resolver_client import ResolverClient


@dataclass
class CatalogueClient(ResolverClient):
    """A ResolverClient that also uses offers, orders and holds. `of` is the member who calls."""

    async def earn(self, points: int, **about: Any) -> str:
        """Enrol a member with this many points; return the member's id."""
        member = await self.member(**about)
        if points:
            await self.buy(member, f"{points}.00")
        return member

    async def try_order(
        self,
        member: str | MemberKey | None,
        reward: str,
        *,
        role: Role = Role.TILL,
        of: str | None = None,
        **about: Any,
    ) -> Outcome:
        """Order a reward for a member; return the outcome."""
        named = MemberKey("id", member) if isinstance(member, str) else member
        fields: dict[str, Any] = {"key": self.key(), "channel": Channel.STORE, **about}
        return await orders.place(self.context(role, member=of), OrderInput(reward=reward, member=named, **fields))

    async def order(self, member: str | MemberKey, reward: str, **about: Any) -> Order:
        """Order a reward for a member; fail the test if it is refused."""
        return committed(await self.try_order(member, reward, **about)).orders[0]

    async def cancel(self, order: str, *, role: Role = Role.AGENT, member: str | None = None, **about: Any) -> Outcome:
        """Cancel an order."""
        fields: dict[str, Any] = {"key": self.key(), "reason": None, **about}
        return await orders.cancel(self.context(role, member=member), order=order, **fields)

    async def advance(
        self, order: str, state: OrderState, *, role: Role = Role.AGENT, member: str | None = None, **about: Any
    ) -> Outcome:
        """Advance an order to a state."""
        fields: dict[str, Any] = {"key": self.key(), **about}
        return await orders.advance(
            self.context(role, member=member), OrderStepInput(order=order, state=state, **fields)
        )

    async def hold(self, member: str, reward: str | None = None, **about: Any) -> Outcome:
        """Hold a reward or points for a member."""
        fields: dict[str, Any] = {"key": self.key(), "points": None, "ttl_seconds": 300, **about}
        return await orders.hold(self.context(), member=MemberKey("id", member), reward=reward, **fields)

    async def release(self, member: str, hold: str, *, role: Role = Role.TILL, of: str | None = None) -> Outcome:
        """Release a hold of a member."""
        return await orders.release(self.context(role, member=of), key=self.key(), member=member, hold=hold)

    async def activate(self, member: str, offer: str, *, key: str | None = None) -> Outcome:
        """Activate an offer as the member."""
        context = self.context(Role.MEMBER, member=member)
        return await offers.activate(context, key=key or self.key(), member=None, offer=offer)

    async def redeem(
        self, member: str | None = None, *, role: Role = Role.TILL, of: str | None = None, **about: Any
    ) -> Outcome:
        """Redeem an offer at the till."""
        named = MemberKey("id", member) if member is not None else None
        fields: dict[str, Any] = {"key": self.key(), "channel": Channel.STORE, "member": named, **about}
        return await offers.redeem(self.context(role, member=of), RedemptionInput(**fields))

    async def release_offer(
        self, member: str | None = None, *, role: Role = Role.TILL, of: str | None = None, **about: Any
    ) -> Outcome:
        """Release the use of an offer at the till."""
        named = MemberKey("id", member) if member is not None else None
        fields: dict[str, Any] = {"key": self.key(), "channel": Channel.STORE, "member": named, **about}
        return await offers.release(self.context(role, member=of), ReleaseInput(**fields))
