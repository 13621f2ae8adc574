"""Mutations of consents: inputs, payloads, rights and fields."""

import strawberry

from resolvers import consent
from resolvers.consent import ConsentChange
from resolvers.core.actor import Role
from schema.mutations.payload import MemberPayload
from schema.types.member_key import MemberKey, given, key_or_none
from schema.wire.access import mutation, only
from schema.wire.enums import ConsentPurpose, ContactChannel
from schema.wire.info import Info
from schema.wire.input_field import ACTED_FOR, KEY, optional, required


@strawberry.input
class ConsentInput:
    """A member's answer for one purpose."""

    purpose: ConsentPurpose = required("The use of personal data that the answer is about.")
    granted: bool = required("True if the member agrees, false if it refuses or withdraws.")
    channel: ContactChannel | None = optional(
        "The means of contact that the answer is limited to. Left out or null: the purpose as a whole."
    )


@strawberry.input
class SetConsentsInput:
    """A member's answers on consents. Purposes that it leaves out keep their answer."""

    key: str = required(KEY)
    consents: list[ConsentInput] = required("At least one answer; each pair of purpose and channel once.")
    member: MemberKey | None = optional(ACTED_FOR)

    def answers(self) -> tuple[ConsentChange, ...]:
        """Return the answers, in order."""
        return tuple((one.purpose, given(one.channel), one.granted) for one in self.consents)


CONSENTERS = only(Role.MEMBER, Role.KIOSK, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class ConsentsPayload(MemberPayload):
    """Result of `setConsents`."""


@strawberry.type
class ConsentMutation:
    """The mutations of consents."""

    @mutation(CONSENTERS)
    async def set_consents(self, info: Info, input: SetConsentsInput) -> ConsentsPayload:  # noqa: A002
        """Record what the member agrees to or refuses, by purpose and contact channel.

        Every change stays in the ledger.
        """
        outcome = await consent.set_consents(
            info.context, key=input.key, member=key_or_none(input.member), consents=input.answers()
        )
        return ConsentsPayload.of(outcome)
