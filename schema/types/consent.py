"""Consents: what a member agreed to or refused, when and where."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.model import consent as domain
from schema.wire.access import REACHED, field
from schema.wire.enums import Channel, ConsentPurpose, ContactChannel


@strawberry.type
class Consent:
    """A member's answer for one use of its personal data."""

    purpose: ConsentPurpose = field(REACHED, "The use of personal data that the member was asked about.")
    channel: ContactChannel | None = field(
        REACHED, "The means of contact that the answer is limited to; null if it is about the purpose as a whole."
    )
    granted: bool = field(REACHED, "True if the member agreed, false if it refused or withdrew.")
    changed_at: datetime = field(REACHED, "When the member gave this answer, in UTC.")
    via: Channel = field(REACHED, "The channel on which the member gave this answer.")

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
