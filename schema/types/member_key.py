"""The keys by which a caller names a member."""

from typing import Any

import strawberry

from resolvers.core.member import PASS
from resolvers.core.member import MemberKey as Key
from resolvers.core.operation_error import BadInput
from schema.wire.ids import from_global_id
from schema.wire.input_field import optional

NOBODY = ""


def given(value: Any) -> Any:
    """Return the value that was sent; None for a field that was left out."""
    return None if value is strawberry.UNSET else value


@strawberry.input(one_of=True)
class MemberKey:
    """Identifies a member by exactly one of its keys. The kiosk and till roles use `id`, `number`, `card` or `pass`."""

    id: strawberry.ID | None = optional("Global id of the member.")
    number: str | None = optional("Membership number. A member has one.")
    card: str | None = optional("Text of a scanned card, QR code or wallet pass. A member may have several cards.")
    email: str | None = optional("E-mail address, in any letter case.")
    phone: str | None = optional("Phone number; spaces and punctuation are ignored.")
    pass_: str | None = strawberry.field(
        name="pass",
        default=strawberry.UNSET,
        description="Text of the QR code that the member's app shows (`Pass.code`), valid for a minute. The first "
        "caller that sends it may use it for ten minutes, in any operation; every other caller gets CONFLICT. Do not "
        "store it.",
    )

    def to_key(self) -> Key:
        """Return the one key that was sent; GraphQL has checked that it is exactly one."""
        for kind in ("id", "number", "card", "email", "phone", PASS):
            value: Any = self.pass_ if kind == PASS else getattr(self, kind)
            if given(value) is not None:
                return Key(kind, member_id(value) if kind == "id" else value)
        raise BadInput("no_such_member")


def key_or_none(member: MemberKey | None) -> Key | None:
    """Return the key of the named member; None if none is named."""
    named = given(member)
    return named.to_key() if named is not None else None


def member_id(text: str) -> str:
    """Return the member id in a global id; NOBODY if it is the id of something else."""
    try:
        kind, parts = from_global_id(text)
    except BadInput:
        return NOBODY
    return parts[0] if kind == "Member" and len(parts) == 1 else NOBODY
