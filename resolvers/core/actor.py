"""Describes the caller: a role within one programme, from a token."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """The roles of actors. A closed list: a token with another role is refused."""

    MEMBER = "member"
    KIOSK = "kiosk"
    TILL = "till"
    AGENT = "agent"
    MANAGER = "manager"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of an operation. Idempotency keys are unique per `subject`; sockets close at `expires_at`.

    `member` is the member of the token: set for role member, and for a tablet while a shopper's session is confirmed.
    `device` is an enrolled tablet, `session` the shopper's session there, `is_proven` whether the tablet has seen the
    member's app. A brand's own kiosk back end has none of them.
    """

    role: Role
    programme: str
    subject: str
    expires_at: datetime
    member: str | None = None
    device: str | None = None
    session: str | None = None
    is_proven: bool = False
