"""Mutations of sessions at a tablet: inputs, payloads, rights and fields."""

from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from resolvers.core.actor import Role
from resolvers.core.member import PASS
from resolvers.core.member import MemberKey as Key
from resolvers.core.operation_error import BadInput
from resolvers.tablets import session as kiosk_session
from resolvers.tablets.session import SessionView
from schema.mutations.payload import REPLAYED, USER_ERRORS
from schema.types.kiosk_session import KioskSession
from schema.types.member_key import given
from schema.wire.access import REACHED, field, mutation, only
from schema.wire.error import UserError
from schema.wire.info import Info
from schema.wire.input_field import optional, required


@strawberry.input(one_of=True)
class SessionKey:
    """Identifies the shopper at the tablet by exactly one key."""

    pass_: str | None = strawberry.field(
        name="pass",
        default=strawberry.UNSET,
        description="Text of the QR code that the member's app shows (`Pass.code`).",
    )
    card: str | None = optional("Text of the scanned card.")
    number: str | None = optional("Membership number.")
    phone: str | None = optional("Phone number; the session must then be confirmed with `confirmSession`.")
    email: str | None = optional("E-mail address; the session must then be confirmed with `confirmSession`.")

    def to_key(self) -> Key:
        """Return the one key that was sent; GraphQL has checked that it is exactly one."""
        for kind in (PASS, "card", "number", "phone", "email"):
            value = given(self.pass_ if kind == PASS else getattr(self, kind))
            if value is not None:
                return Key(kind, value)
        raise BadInput("no_such_member")


@strawberry.input
class OpenSessionInput:
    """A shopper who starts at the tablet."""

    key: str = required(
        "Idempotency key that the tablet chooses: 1 to 200 characters. A call with the same key and content returns "
        "the open session and its token again, with `replayed: true`; other content is refused with `KEY_REUSED`."
    )
    by: SessionKey = required("Who the shopper is.")


@strawberry.input
class ConfirmSessionInput:
    """The six digits that the member's app shows now."""

    key: str = required(
        "Key that the tablet chooses: 1 to 200 characters. A call for a confirmed session changes nothing and returns "
        "`replayed: true`, whatever the key."
    )
    digits: str = required("`Pass.digits`. 5 wrong attempts per member, or 20 per tablet, block for 15 minutes.")


@strawberry.input
class EndSessionInput:
    """A shopper who leaves the tablet."""

    key: str = required("Key that the tablet chooses: 1 to 200 characters. The call can be repeated safely.")


KIOSKS = only(Role.KIOSK)


@strawberry.type
class SessionPayload:
    """Result of a change of a session."""

    session: KioskSession | None = field(REACHED, "The session after the change; null if the call was refused.")
    token: str | None = field(
        REACHED,
        "With `openSession`: bearer token for all that the shopper reads and does at the tablet, valid until the "
        "session ends. Null for the other mutations and if the call was refused.",
    )
    replayed: bool = field(REACHED, REPLAYED)
    user_errors: list[UserError] = field(REACHED, USER_ERRORS)

    @classmethod
    def of(cls, outcome: SessionView | Refusal) -> Self:
        """Return the payload of a change of a session."""
        if isinstance(outcome, Refusal):
            return cls(session=None, token=None, replayed=False, user_errors=[UserError.of(outcome)])
        session = KioskSession.of(outcome)
        return cls(session=session, token=outcome.token, replayed=outcome.replayed, user_errors=[])


@strawberry.type
class SessionMutation:
    """The mutations of sessions at a tablet."""

    @mutation(KIOSKS)
    async def open_session(self, info: Info, input: OpenSessionInput) -> SessionPayload:  # noqa: A002
        """Open a shopper's session, with the tablet's own token. It ends the tablet's previous session."""
        opened = await kiosk_session.open_session(info.context, key=input.key, by=input.by.to_key())
        return SessionPayload.of(opened)

    @mutation(KIOSKS)
    async def confirm_session(self, info: Info, input: ConfirmSessionInput) -> SessionPayload:  # noqa: A002
        """Confirm a session that was opened by phone or e-mail, with the session's token."""
        confirmed = await kiosk_session.confirm_session(info.context, key=input.key, digits=input.digits)
        return SessionPayload.of(confirmed)

    @mutation(KIOSKS)
    async def end_session(self, info: Info, input: EndSessionInput) -> SessionPayload:  # noqa: A002
        """End the session of the token, which is no longer valid from then on."""
        return SessionPayload.of(await kiosk_session.end_session(info.context, key=input.key))
