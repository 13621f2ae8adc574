"""Calls the resolvers in this process, at the time of the test's clock."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from loyalty.kernel.channel import Channel
from loyalty.model.event import Event, Purchase, PurchaseLine
from models.commits.request import Committed, Outcome
from resolvers import adjustment
from resolvers import enrol as enrolment
from resolvers import event as events
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context, Services
from resolvers.core.member import MemberKey
from resolvers.enrol import EnrolmentInput
from resolvers.event import EventOfMember
from support.clock import Clock
from support.outcome import committed


@dataclass
class ResolverClient:
    """Enrols members of one programme and records their events; `keys` gives idempotency keys."""

    services: Services
    clock: Clock
    programme: str = "grocer"
    keys: Any = field(default_factory=lambda: count(1))

    def context(self, role: Role = Role.TILL, *, member: str | None = None, subject: str | None = None) -> Context:
        """Return the context of an actor."""
        actor = Actor(role, self.programme, subject or member or role.value, datetime.max.replace(tzinfo=UTC), member)
        return Context(self.services, actor)

    def key(self) -> str:
        """Return a new idempotency key."""
        return f"key-{next(self.keys)}"

    async def enrol(self, **about: Any) -> Committed:
        """Enrol a member; fail the test if it is refused."""
        fields = {"key": self.key(), "channel": Channel.STORE, **about}
        return committed(await enrolment.enrol(self.context(), EnrolmentInput(**fields)))

    async def member(self, **about: Any) -> str:
        """Enrol a member; return the member's id."""
        return (await self.enrol(**about)).snapshot.member.id

    def purchase_event(self, total: str, *lines: tuple[str, str], **about: Any) -> Event:
        """Return a purchase event; `lines` are (sku, amount)."""
        receipt = tuple(PurchaseLine(sku, Decimal(1), Decimal(amount)) for sku, amount in lines)
        fields: dict[str, Any] = {
            "key": self.key(),
            "sender": "",
            "type": "purchase",
            "occurred_at": self.clock(),
            "channel": Channel.STORE,
            "purchase": Purchase(Decimal(total), "USD", receipt),
            **about,
        }
        return Event(**fields)

    async def record(self, member: str, event: Event, *, subject: str | None = None) -> Outcome:
        """Record an event of a member."""
        return await events.record(self.context(subject=subject), EventOfMember(event, MemberKey("id", member)))

    async def buy(self, member: str, total: str, *lines: tuple[str, str], **about: Any) -> Committed:
        """Record a purchase; fail the test if it is refused."""
        return committed(await self.record(member, self.purchase_event(total, *lines, **about)))

    async def refund(self, member: str, bought: str, **about: Any) -> Outcome:
        """Refund a whole purchase; `bought` is its key."""
        event = self.purchase_event("0", type="refund", purchase=None, refund_of=bought, **about)
        return await self.record(member, event)

    async def adjust(self, member: str, points: int, reason: str = "a reason") -> Outcome:
        """Adjust a member's points as an agent."""
        context = self.context(Role.AGENT)
        return await adjustment.adjust(
            context, key=self.key(), member=MemberKey("id", member), points=points, reason=reason
        )
