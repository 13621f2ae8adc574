"""Who asks: a role within one programme, from a token."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What an actor is. A closed list: a token with another role is refused."""

    MEMBER = "member"
    KIOSK = "kiosk"
    TILL = "till"
    AGENT = "agent"
    MANAGER = "manager"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Actor:
    """`subject` is the sender that keys are unique for; `member` is set for role member; `expires_at` ends sockets."""

    role: Role
    programme: str
    subject: str
    expires_at: datetime
    member: str | None = None
