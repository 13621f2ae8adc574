"""A shop: everything that happens to members in tests, through the real resolvers, at a time that the test sets."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal
from loyalty.model.event import Event, Purchase, PurchaseLine
from models.commits.request import Committed, Outcome
from resolvers import adjustment
from resolvers import enrol as enrolment
from resolvers import event as events
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context, Services
from resolvers.core.member import MemberKey
from resolvers.enrol import Newcomer
from resolvers.event import Told

NOON = datetime(2026, 6, 15, 16, 0, tzinfo=UTC)


@dataclass
class Clock:
    """The time, as a test sets it."""

    moment: datetime = NOON

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **parts: float) -> None:
        self.moment += timedelta(**parts)


@dataclass
class Shop:
    """Acts on one programme of one set of services."""

    services: Services
    clock: Clock
    programme: str = "grocer"
    keys: Any = field(default_factory=lambda: count(1))

    def context(self, role: Role = Role.TILL, *, member: str | None = None, subject: str | None = None) -> Context:
        """Return the context of an actor."""
        actor = Actor(role, self.programme, subject or member or role.value, datetime.max.replace(tzinfo=UTC), member)
        return Context(self.services, actor)

    def key(self) -> str:
        """Return a key that was not used before."""
        return f"key-{next(self.keys)}"

    async def enrol(self, **about: Any) -> Committed:
        """Enrol somebody, and expect that it works."""
        told = {"key": self.key(), "channel": Channel.STORE, **about}
        return committed(await enrolment.enrol(self.context(), Newcomer(**told)))

    async def member(self, **about: Any) -> str:
        """Enrol somebody; return the member's id."""
        return (await self.enrol(**about)).snapshot.member.id

    def purchase_event(self, total: str, *lines: tuple[str, str], **about: Any) -> Event:
        """Return a purchase; `lines` are (sku, amount)."""
        receipt = tuple(PurchaseLine(sku, Decimal(1), Decimal(amount)) for sku, amount in lines)
        told: dict[str, Any] = {
            "key": self.key(),
            "sender": "",
            "type": "purchase",
            "occurred_at": self.clock(),
            "channel": Channel.STORE,
            "purchase": Purchase(Decimal(total), "USD", receipt),
            **about,
        }
        return Event(**told)

    async def record(self, member: str, event: Event, *, subject: str | None = None) -> Outcome:
        """Record an event of a member."""
        return await events.record(self.context(subject=subject), Told(event, MemberKey("id", member)))

    async def buy(self, member: str, total: str, *lines: tuple[str, str], **about: Any) -> Committed:
        """Record a purchase, and expect that it is counted."""
        return committed(await self.record(member, self.purchase_event(total, *lines, **about)))

    async def refund(self, member: str, bought: str, **about: Any) -> Outcome:
        """Refund all of a purchase, by its key."""
        event = self.purchase_event("0", type="refund", purchase=None, refund_of=bought, **about)
        return await self.record(member, event)

    async def adjust(self, member: str, points: int, reason: str = "a reason") -> Outcome:
        """Adjust a member's points as an agent."""
        context = self.context(Role.AGENT)
        return await adjustment.adjust(
            context, key=self.key(), member=MemberKey("id", member), points=points, reason=reason
        )


def committed(outcome: Outcome) -> Committed:
    """Return what was committed; fail the test where it was refused."""
    assert isinstance(outcome, Committed), outcome
    return outcome


def refused(outcome: Outcome) -> Refusal:
    """Return the refusal; fail the test where there was none."""
    assert isinstance(outcome, Refusal), outcome
    return outcome
