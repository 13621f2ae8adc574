"""Consents: what a member agreed to, by purpose and contact channel."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loyalty.kernel.channel import Channel
from loyalty.kernel.fast_dataclass import fast_init


class ConsentPurpose(StrEnum):
    """Purposes for which personal data may be used beyond running the programme."""

    MARKETING = "marketing"
    PERSONALISATION = "personalisation"
    PARTNERS = "partners"


class ContactChannel(StrEnum):
    """How a member may be contacted."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    MAIL = "mail"


@fast_init
@dataclass(frozen=True, slots=True)
class Consent:
    """One consent given or refused, for a purpose and a contact channel (None: the purpose as a whole).

    `via` is the channel on which the member decided.
    """

    purpose: ConsentPurpose
    channel: ContactChannel | None
    granted: bool
    changed_at: datetime
    via: Channel

    @property
    def subject(self) -> tuple[ConsentPurpose, ContactChannel | None]:
        """The purpose and contact channel; the latest consent of each pair is in force."""
        return self.purpose, self.channel
