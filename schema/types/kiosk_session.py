"""A shopper's session at a tablet."""

from datetime import datetime
from typing import Self

import strawberry

from resolvers.tablets import session as sessions
from schema.types.member import Member
from schema.wire.access import REACHED, field
from schema.wire.ids import global_id


@strawberry.type
class KioskSession:
    """A shopper's session at a tablet, for up to 15 minutes. It ends the tablet's previous session."""

    id: strawberry.ID = field(REACHED, "Opaque id, unique over all types, for client caches.")
    greeting: str = field(
        REACHED, "Masked first name for a shared screen, such as “L•••”; empty in the result of `endSession`."
    )
    confirmed: bool = field(
        REACHED, "False for a session by phone or e-mail until `confirmSession`: it can greet and earn points only."
    )
    member: Member | None = field(REACHED, "The shopper's membership; null until the session is confirmed.")
    idle_seconds: int = field(REACHED, "Seconds without a request after which the session ends: 90.")
    ends_at: datetime = field(REACHED, "When the session ends at the latest, in UTC.")

    @classmethod
    def of(cls, opened: sessions.SessionView) -> Self:
        """Return a session."""
        session = opened.session
        return cls(
            id=strawberry.ID(global_id("KioskSession", session.id)),
            greeting=opened.greeting,
            confirmed=session.confirmed,
            member=Member.of(opened.snapshot) if opened.snapshot is not None else None,
            idle_seconds=int(sessions.IDLE.total_seconds()),
            ends_at=session.ends_at,
        )
