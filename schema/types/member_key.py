"""The keys by which a caller names a member."""

from typing import Any

import strawberry

from resolvers.core.fault import BadInput
from resolvers.core.member import MemberKey as Key
from schema.wire.ids import from_global_id

NOBODY = ""


def given(value: Any) -> Any:
    """Return what was sent; None where a field was left out."""
    return None if value is strawberry.UNSET else value


@strawberry.input(
    one_of=True,
    description="Exactly one way to say which member. `card` is what scanning a card, QR code or wallet pass gives; a "
    "member may have several cards, and one number.",
)
class MemberKey:
    """Which member is meant."""

    id: strawberry.ID | None = strawberry.UNSET
    number: str | None = strawberry.UNSET
    card: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET
    phone: str | None = strawberry.UNSET

    def to_key(self) -> Key:
        """Return the one key that is given; GraphQL has seen to it that it is one."""
        for kind in ("id", "number", "card", "email", "phone"):
            value = getattr(self, kind)
            if given(value) is not None:
                return Key(kind, member_id(value) if kind == "id" else value)
        raise BadInput("no_such_member")


def key_or_none(member: MemberKey | None) -> Key | None:
    """Return which member is named, None where none is."""
    named = given(member)
    return named.to_key() if named is not None else None


def member_id(text: str) -> str:
    """Return the member that a global id names; nobody's id where it names something else."""
    try:
        kind, parts = from_global_id(text)
    except BadInput:
        return NOBODY
    return parts[0] if kind == "Member" and len(parts) == 1 else NOBODY
