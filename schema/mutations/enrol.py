"""Mutations of enrolment: inputs, payloads, rights and fields."""

from datetime import date

import strawberry

from resolvers import enrol
from resolvers.core.actor import Role
from resolvers.enrol import Newcomer
from schema.mutations.payload import MemberPayload
from schema.types.member_key import given
from schema.wire.access import mutation, only
from schema.wire.enums import Channel
from schema.wire.info import Info


@strawberry.input
class EnrolInput:
    """A new member."""

    key: str
    channel: Channel
    first_name: str | None = strawberry.UNSET
    last_name: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET
    phone: str | None = strawberry.UNSET
    birth_date: date | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET
    card: str | None = strawberry.UNSET
    store: str | None = strawberry.UNSET

    def to_newcomer(self) -> Newcomer:
        """Return what is told of the new member."""
        return Newcomer(**{name: given(value) for name, value in vars(self).items()})


ENROLLERS = only(Role.KIOSK, Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class EnrolPayload(MemberPayload):
    """The new member."""


@strawberry.type
class EnrolMutation:
    """The mutations of enrolment."""

    @mutation(ENROLLERS)
    async def enrol(self, info: Info, input: EnrolInput) -> EnrolPayload:  # noqa: A002 - Relay's name
        """Make somebody a member."""
        return EnrolPayload.of(await enrol.enrol(info.context, input.to_newcomer()))
