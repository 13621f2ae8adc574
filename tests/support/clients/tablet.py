"""A tablet in a store that calls the resolvers."""

from dataclasses import dataclass
from typing import Any

from loyalty.kernel.refusal import Refusal
from models.tablets.device_store import Device
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context
from resolvers.core.member import MemberKey
from resolvers.tablets import device as devices
from resolvers.tablets import session as sessions
from resolvers.tablets.issued_tokens import TokenKind, issue_token
from resolvers.tablets.session import Pass, SessionView, actor_of_token
from support.clients.resolver_client import ResolverClient


@dataclass
class Tablet:
    """An enrolled tablet of the client's programme."""

    resolver_client: ResolverClient
    device: Device

    @classmethod
    async def enrolled(cls, resolver_client: ResolverClient, name: str = "Entrance") -> "Tablet":
        """Invite and enrol a tablet."""
        manager = resolver_client.context(Role.MANAGER)
        invited = await devices.invite(manager, key=resolver_client.key(), name=name, store=None)
        assert not isinstance(invited, Refusal)
        _, code, _ = invited
        enrolled = await devices.enrol(Context(resolver_client.services, None), key=resolver_client.key(), code=code)
        assert not isinstance(enrolled, Refusal)
        return cls(resolver_client, enrolled[0])

    @property
    def token(self) -> str:
        return issue_token(TokenKind.DEVICE, self.device.id, secret=self.resolver_client.services.code_secret)

    async def actor(self, token: str | None = None) -> Actor:
        """Return the actor of `token`, by default the tablet's own."""
        return await actor_of_token(self.resolver_client.services, token or self.token)

    async def context(self, token: str | None = None) -> Context:
        return Context(self.resolver_client.services, await self.actor(token))

    async def open(self, kind: str, value: str, *, key: str | None = None) -> SessionView | Refusal:
        """Open a session."""
        return await sessions.open_session(
            await self.context(), key=key or self.resolver_client.key(), by=MemberKey(kind, value)
        )

    async def opened(self, kind: str, value: str, **about: Any) -> SessionView:
        """Open a session; fail the test if it is refused."""
        found = await self.open(kind, value, **about)
        assert isinstance(found, SessionView)
        return found

    async def refused(self, kind: str, value: str, **about: Any) -> Refusal:
        """Try to open a session; fail the test unless it is refused."""
        found = await self.open(kind, value, **about)
        assert isinstance(found, Refusal)
        return found


def member_pass(resolver_client: ResolverClient, member: str) -> Pass:
    """Return the pass that the member's app shows now."""
    return sessions.issue_pass(resolver_client.context(Role.MEMBER, member=member))
