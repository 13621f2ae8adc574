"""Consents: what a member agrees to, by purpose and channel of contact."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loyalty.kernel.channel import Channel
from loyalty.kernel.fast_dataclass import quick


class ConsentPurpose(StrEnum):
    """What personal data may be used for, besides running the programme itself."""

    MARKETING = "marketing"
    PERSONALISATION = "personalisation"
    PARTNERS = "partners"


class ContactChannel(StrEnum):
    """How a member is written to."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    MAIL = "mail"


@quick
@dataclass(frozen=True, slots=True)
class Consent:
    """What was said of one purpose, on one channel of contact (None: of the purpose as such), when and where."""

    purpose: ConsentPurpose
    channel: ContactChannel | None
    granted: bool
    changed_at: datetime
    via: Channel

    @property
    def about(self) -> tuple[ConsentPurpose, ContactChannel | None]:
        """What it is about; of each, the latest word counts."""
        return self.purpose, self.channel
