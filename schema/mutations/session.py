"""Mutations of sessions at a tablet: inputs, payloads, rights and fields."""

from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from resolvers.core.actor import Role
from resolvers.core.fault import BadInput
from resolvers.core.member import MemberKey as Key
from resolvers.tablets import session as kiosk_session
from resolvers.tablets.session import PASS, Opened
from schema.types.kiosk_session import KioskSession
from schema.types.member_key import given
from schema.wire.access import REACHED, field, mutation, only
from schema.wire.error import UserError
from schema.wire.info import Info


@strawberry.input(one_of=True, description="Exactly one way to say who stands at the tablet.")
class SessionKey:
    """Who stands at the tablet."""

    pass_: str | None = strawberry.field(
        name="pass", default=strawberry.UNSET, description="What the QR code of the member's app says."
    )
    card: str | None = strawberry.UNSET
    number: str | None = strawberry.UNSET
    phone: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET

    def to_key(self) -> Key:
        """Return the one key that is given; GraphQL has seen to it that it is one."""
        for kind in (PASS, "card", "number", "phone", "email"):
            value = given(self.pass_ if kind == PASS else getattr(self, kind))
            if value is not None:
                return Key(kind, value)
        raise BadInput("no_such_member")


@strawberry.input
class OpenSessionInput:
    """A shopper begins."""

    key: str
    by: SessionKey


@strawberry.input
class ConfirmSessionInput:
    """The six digits that the member's app shows."""

    key: str
    digits: str


@strawberry.input
class EndSessionInput:
    """The shopper leaves."""

    key: str


KIOSKS = only(Role.KIOSK)


@strawberry.type
class SessionPayload:
    """The session as it stands now."""

    session: KioskSession | None = field(REACHED)
    token: str | None = field(
        REACHED,
        description="With openSession: the bearer token for all that the shopper sees and does here.",
    )
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Opened | Refusal) -> Self:
        """Return the answer to a change of a session."""
        if isinstance(outcome, Refusal):
            return cls(session=None, token=None, replayed=False, user_errors=[UserError.of(outcome)])
        session = KioskSession.of(outcome)
        return cls(session=session, token=outcome.token, replayed=outcome.replayed, user_errors=[])


@strawberry.type
class SessionMutation:
    """The mutations of sessions at a tablet."""

    @mutation(KIOSKS, description="A shopper begins at a tablet. By the tablet's own token; ends the session before.")
    async def open_session(self, info: Info, input: OpenSessionInput) -> SessionPayload:  # noqa: A002
        """Begin a session."""
        opened = await kiosk_session.open_session(info.context, key=input.key, by=input.by.to_key())
        return SessionPayload.of(opened)

    @mutation(KIOSKS, description="With the digits that the app shows, for a session by phone or e-mail.")
    async def confirm_session(self, info: Info, input: ConfirmSessionInput) -> SessionPayload:  # noqa: A002
        """Confirm a session."""
        confirmed = await kiosk_session.confirm_session(info.context, key=input.key, digits=input.digits)
        return SessionPayload.of(confirmed)

    @mutation(KIOSKS, description="The shopper leaves; the session's token is worth nothing from then on.")
    async def end_session(self, info: Info, input: EndSessionInput) -> SessionPayload:  # noqa: A002
        """End a session."""
        return SessionPayload.of(await kiosk_session.end_session(info.context, key=input.key))
