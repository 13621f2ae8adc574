"""The points of a member."""

from datetime import date
from typing import Self

import strawberry

from loyalty.model import member as domain
from loyalty.model.ledger import Account
from loyalty.model.lot import Lots
from schema.wire.access import REACHED, field, resolver


@strawberry.type
class ExpiringPoints:
    """Points with the last day on which they can be spent."""

    points: int = field(REACHED)
    on: date = field(REACHED)


@strawberry.type
class Points:
    """A member's balances."""

    available: int = field(REACHED)
    pending: int = field(REACHED)
    held: int = field(REACHED)
    lifetime: int = field(REACHED, description="All points ever given, less those that refunds took back.")
    member: strawberry.Private[domain.Member]

    @resolver(REACHED, description="The next to expire first.")
    def expiring(self) -> list[ExpiringPoints]:
        """Return the points of each day on which some expire."""
        by_day = Lots.of(self.member.lots).by_last_day()
        return [ExpiringPoints(points=points, on=day) for day, points in by_day if day is not None]

    @classmethod
    def of(cls, member: domain.Member) -> Self:
        """Return the balances of a member."""
        return cls(
            available=member.available,
            pending=member.balance(Account.PENDING),
            held=member.balance(Account.HELD),
            lifetime=member.lifetime,
            member=member,
        )
