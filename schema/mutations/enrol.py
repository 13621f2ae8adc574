"""Mutations of enrolment: inputs, payloads, rights and fields."""

from datetime import date
from typing import Self

import strawberry

from models.commits.request import Outcome
from resolvers import enrol
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.member import may_see
from resolvers.enrol import EnrolmentInput
from schema.mutations.payload import MemberPayload
from schema.types.member_key import given
from schema.wire.access import mutation, only
from schema.wire.enums import Channel
from schema.wire.info import Info
from schema.wire.input_field import KEY, optional, required


@strawberry.input
class EnrolInput:
    """A person to enrol as a member. All personal data is optional."""

    key: str = required(KEY)
    channel: Channel = required("Where the person enrols.")
    first_name: str | None = optional("Given name, up to 100 characters.")
    last_name: str | None = optional("Family name, up to 100 characters.")
    email: str | None = optional("E-mail address; no other member may have it.")
    phone: str | None = optional("Phone number, with the country code after a plus; no other member may have it.")
    birth_date: date | None = optional("Date of birth, not in the future.")
    locale: str | None = optional(
        "Language for the member, as a BCP 47 tag such as `fr` or `ar-MA`. Left out: the programme's."
    )
    card: str | None = optional("Text of a card to link, up to 64 characters; no other member may have it.")
    store: str | None = optional("Key of the store where the person enrols, up to 200 characters.")

    def to_newcomer(self) -> EnrolmentInput:
        """Return the data of the new member."""
        return EnrolmentInput(**{name: given(value) for name, value in vars(self).items()})


ENROLLERS = only(Role.KIOSK, Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class EnrolPayload(MemberPayload):
    """Result of `enrol`. A tablet sees the member once, when it enrols it; replayed, as it sees any member."""

    @classmethod
    def for_actor(cls, outcome: Outcome, context: Context) -> Self:
        """Return the payload of an enrolment with what the actor may see of the member."""
        payload = cls.of(outcome)
        member = payload.member
        if payload.replayed and member is not None:
            is_seen = may_see(context.require_actor(), member.snapshot.member.id)
            payload.member = member if is_seen else None
        return payload


@strawberry.type
class EnrolMutation:
    """The mutations of enrolment."""

    @mutation(ENROLLERS)
    async def enrol(self, info: Info, input: EnrolInput) -> EnrolPayload:  # noqa: A002 - Relay's name
        """Enrol a person as a member. A card, e-mail or phone of another member is refused with `ALREADY_EXISTS`."""
        return EnrolPayload.for_actor(await enrol.enrol(info.context, input.to_newcomer()), info.context)
