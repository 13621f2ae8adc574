"""A tablet in a store, through the real resolvers."""

from dataclasses import dataclass
from typing import Any

from loyalty.kernel.refusal import Refusal
from models.tablets.device_store import Device
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context
from resolvers.core.member import MemberKey
from resolvers.tablets import device as devices
from resolvers.tablets import session as sessions
from resolvers.tablets.issued_tokens import TokenKind, token_of
from resolvers.tablets.session import Opened, Pass, actor_of_token
from support.shop import Shop


@dataclass
class Tablet:
    """An enrolled tablet of a shop's programme."""

    shop: Shop
    device: Device

    @classmethod
    async def enrolled(cls, shop: Shop, name: str = "Entrance") -> "Tablet":
        """Invite and enrol a tablet."""
        manager = shop.context(Role.MANAGER)
        invited = await devices.invite(manager, key=shop.key(), name=name, store=None)
        assert not isinstance(invited, Refusal)
        _, code, _ = invited
        enrolled = await devices.enrol(Context(shop.services, None), key=shop.key(), code=code)
        assert not isinstance(enrolled, Refusal)
        return cls(shop, enrolled[0])

    @property
    def token(self) -> str:
        return token_of(TokenKind.DEVICE, self.device.id, secret=self.shop.services.code_secret)

    async def actor(self, token: str | None = None) -> Actor:
        """Return who the tablet's token, or a session's, stands for."""
        return await actor_of_token(self.shop.services, token or self.token)

    async def context(self, token: str | None = None) -> Context:
        return Context(self.shop.services, await self.actor(token))

    async def open(self, kind: str, value: str, *, key: str | None = None) -> Opened | Refusal:
        """Open a session."""
        return await sessions.open_session(await self.context(), key=key or self.shop.key(), by=MemberKey(kind, value))

    async def opened(self, kind: str, value: str, **about: Any) -> Opened:
        """Open a session, and expect that it is."""
        found = await self.open(kind, value, **about)
        assert isinstance(found, Opened)
        return found

    async def refused(self, kind: str, value: str, **about: Any) -> Refusal:
        """Open a session, and expect that it is refused."""
        found = await self.open(kind, value, **about)
        assert isinstance(found, Refusal)
        return found


def pass_of(shop: Shop, member: str) -> Pass:
    """Return what the member's app shows now."""
    return sessions.issue_pass(shop.context(Role.MEMBER, member=member))
