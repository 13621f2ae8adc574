"""Mutations of consents: inputs, payloads, rights and fields."""

import strawberry

from resolvers import consent
from resolvers.consent import Said
from resolvers.core.actor import Role
from schema.mutations.payload import MemberPayload
from schema.types.member_key import MemberKey, given, key_or_none
from schema.wire.access import mutation, only
from schema.wire.enums import ConsentPurpose, ContactChannel
from schema.wire.info import Info


@strawberry.input
class ConsentInput:
    """What a member says of one purpose."""

    purpose: ConsentPurpose
    granted: bool
    channel: ContactChannel | None = strawberry.field(
        default=strawberry.UNSET, description="Left out: of the purpose as such."
    )


@strawberry.input
class SetConsentsInput:
    """What a member agrees to and refuses; what is not named stays as it is."""

    key: str
    consents: list[ConsentInput]
    member: MemberKey | None = strawberry.UNSET

    def said(self) -> tuple[Said, ...]:
        """Return what is said, in order."""
        return tuple((one.purpose, given(one.channel), one.granted) for one in self.consents)


CONSENTERS = only(Role.MEMBER, Role.KIOSK, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class ConsentsPayload(MemberPayload):
    """The member with what it agreed to."""


@strawberry.type
class ConsentMutation:
    """The mutations of consents."""

    @mutation(CONSENTERS, description="What the member agrees to, by purpose and channel of contact.")
    async def set_consents(self, info: Info, input: SetConsentsInput) -> ConsentsPayload:  # noqa: A002
        """Keep what a member agrees to."""
        outcome = await consent.set_consents(
            info.context, key=input.key, member=key_or_none(input.member), consents=input.said()
        )
        return ConsentsPayload.of(outcome)
