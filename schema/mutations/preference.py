"""Mutations of preferences: inputs, payloads, rights and fields."""

import strawberry

from resolvers import preference
from schema.mutations.payload import MemberPayload
from schema.types.member_key import MemberKey, key_or_none
from schema.wire.access import EVERY_ROLE, mutation
from schema.wire.info import Info


@strawberry.input
class SetPreferencesInput:
    """What a member says to like, in place of what it said before."""

    key: str
    topics: list[str] = strawberry.field(description="Categories and brands: `category:COFFEE`, `brand:Private`.")
    member: MemberKey | None = strawberry.UNSET


@strawberry.type
class PreferencesPayload(MemberPayload):
    """The member with what it likes."""


@strawberry.type
class PreferenceMutation:
    """The mutations of preferences."""

    @mutation(EVERY_ROLE, description="What the member says to like; offers and rewards about it move up.")
    async def set_preferences(self, info: Info, input: SetPreferencesInput) -> PreferencesPayload:  # noqa: A002
        """Keep what a member likes."""
        context = info.context
        outcome = await preference.set_preferences(
            context, key=input.key, member=key_or_none(input.member), topics=tuple(input.topics)
        )
        return PreferencesPayload.of(outcome)
