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
    """Points that expire on the same day."""

    points: int = field(REACHED, "Available points that expire after this day.")
    on: date = field(REACHED, "Last day on which they can be spent, in the programme's time zone.")


@strawberry.type
class Points:
    """A member's balances, in whole points."""

    available: int = field(REACHED, "Points that can be spent now; below 0 if a refund reversed points already spent.")
    pending: int = field(REACHED, "Points that are earned and cannot be spent yet; not part of `available`.")
    held: int = field(REACHED, "Points that holds reserve for checkouts; not part of `available`.")
    lifetime: int = field(REACHED, "All points ever given, less those that refunds reversed.")
    member: strawberry.Private[domain.Member]

    @resolver(REACHED)
    def expiring(self) -> list[ExpiringPoints]:
        """Points that will expire, by day, the earliest day first; empty if none expire."""
        by_day = Lots.of(self.member.lots).points_by_expiry_day()
        return [ExpiringPoints(points=points, on=day) for day, points in by_day if day is not None]

    @classmethod
    def of(cls, member: domain.Member) -> Self:
        """Return the balances of a member."""
        return cls(
            available=member.available,
            pending=member.balance(Account.PENDING),
            held=member.balance(Account.HELD),
            lifetime=member.lifetime_points,
            member=member,
        )
