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
    """A shopper, known at a tablet for a while."""

    id: strawberry.ID = field(REACHED)
    greeting: str = field(REACHED, description="A name as a shared screen may show it, such as “L•••”.")
    confirmed: bool = field(
        REACHED, description="False for a session by phone or e-mail until confirmSession: it greets, and earns."
    )
    member: Member | None = field(REACHED, description="Null until confirmed.")
    idle_seconds: int = field(REACHED, description="It ends by itself after so many seconds without a request.")
    ends_at: datetime = field(REACHED, description="It ends at the latest.")

    @classmethod
    def of(cls, opened: sessions.Opened) -> Self:
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
