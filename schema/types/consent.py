"""Consents: what a member agreed to or refused, when and where it said so."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.model import consent as domain
from schema.wire.access import REACHED, field
from schema.wire.enums import Channel, ConsentPurpose, ContactChannel


@strawberry.type
class Consent:
    """What was said of one purpose, on one channel of contact."""

    purpose: ConsentPurpose = field(REACHED)
    channel: ContactChannel | None = field(REACHED, description="Null: of the purpose as such.")
    granted: bool = field(REACHED)
    changed_at: datetime = field(REACHED)
    via: Channel = field(REACHED, description="Where the member said so.")

    @classmethod
    def of(cls, consent: domain.Consent) -> Self:
        """Return a consent."""
        return cls(
            purpose=consent.purpose,
            channel=consent.channel,
            granted=consent.granted,
            changed_at=consent.changed_at,
            via=consent.via,
        )
