"""Requests as resolvers send them to a committer, each with a new idempotency key and its content digest."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

from bson import ObjectId

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.enrol import Enrol
from loyalty.commands.record_event import RecordEvent
from loyalty.commands.registry import Command
from loyalty.commands.settle import Settle
from loyalty.kernel.channel import Channel
from loyalty.kernel.digest import content_digest
from loyalty.kernel.membership_number import number_from
from loyalty.model.event import Event, Purchase, PurchaseLine
from loyalty.model.ledger import Cause
from loyalty.model.member import Profile
from loyalty.model.programme import Programme
from models.commits.committer import Committer
from models.commits.request import Request
from support.clock import Clock
from support.outcome import committed


@dataclass
class RequestFactory:
    """Creates the requests of one test, for one or several committers: keys and membership numbers are unique."""

    programme: Programme
    clock: Clock
    counter: Iterator[int] = field(default_factory=lambda: count(1))

    def key(self) -> str:
        """Return a new idempotency key."""
        return f"key-{next(self.counter)}"

    def _request(self, command: Command, member: str, digest: str | None, programme: Programme | None) -> Request:
        return Request(command, member, programme or self.programme, self.clock(), digest)

    def enrol(
        self,
        *,
        key: str | None = None,
        number: str | None = None,
        card: str | None = None,
        email: str | None = None,
        phone: str | None = None,
        first_name: str | None = None,
        programme: Programme | None = None,
    ) -> Request:
        """Return an enrolment with a new member id and number."""
        member = str(ObjectId())
        command = Enrol(
            member=member,
            number=number or number_from(next(self.counter)),
            profile=Profile("en", first_name=first_name, email=email, phone=phone),
            card=card,
            channel=Channel.STORE,
            store=None,
            occurred_at=self.clock(),
            cause=Cause("enrol", "till", "till", key or self.key()),
        )
        digest = content_digest({"email": email, "phone": phone, "card": card})
        return self._request(command, member, digest, programme)

    def event(
        self,
        member: str,
        type_: str,
        *,
        key: str | None = None,
        sender: str = "till",
        programme: Programme | None = None,
        **about: Any,
    ) -> Request:
        """Return an event."""
        fields: dict[str, Any] = {"occurred_at": self.clock(), "channel": Channel.STORE, **about}
        event = Event(key=key or self.key(), sender=sender, type=type_, **fields)
        purchase = event.purchase
        digest = content_digest(
            {
                "member": member,
                "type": type_,
                "refund_of": event.refund_of,
                "store": event.store,
                "total": purchase.total if purchase else None,
                "lines": [[line.sku, line.amount] for line in purchase.lines] if purchase else [],
            }
        )
        cause = Cause("event", "till", sender, event.key)
        return self._request(RecordEvent(event, cause), member, digest, programme)

    def buy(self, member: str, total: str, *lines: tuple[str, str], **about: Any) -> Request:
        """Return a purchase; `lines` are (sku, amount)."""
        receipt = tuple(PurchaseLine(sku, Decimal(1), Decimal(amount)) for sku, amount in lines)
        return self.event(member, "purchase", purchase=Purchase(Decimal(total), "USD", receipt), **about)

    def refund(self, member: str, bought: str, *, total: str | None = None, **about: Any) -> Request:
        """Return a refund of the purchase with the key `bought`: of all of it, or of `total`."""
        purchase = Purchase(Decimal(total), "USD") if total is not None else None
        return self.event(member, "refund", refund_of=bought, purchase=purchase, **about)

    def adjust(self, member: str, points: int, *, key: str | None = None) -> Request:
        """Return an adjustment."""
        cause = Cause("adjust", "agent", "agent", key or self.key(), "a reason")
        digest = content_digest({"member": member, "points": points})
        return self._request(AdjustPoints(points, cause), member, digest, None)

    def settle(self, member: str) -> Request:
        """Return a settlement by the system."""
        return self._request(Settle(Cause("settle", "system", "system", "")), member, None, None)

    async def member(self, committer: Committer, **about: Any) -> str:
        """Enrol a member; return the member's id."""
        return committed(await committer.commit(self.enrol(**about))).snapshot.member.id
