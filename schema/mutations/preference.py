"""Mutations of preferences: inputs, payloads, rights and fields."""

import strawberry

from resolvers import preference
from schema.mutations.payload import MemberPayload
from schema.types.member_key import MemberKey, key_or_none
from schema.wire.access import EVERY_ROLE, mutation
from schema.wire.info import Info
from schema.wire.input_field import ACTED_FOR, KEY, optional, required


@strawberry.input
class SetPreferencesInput:
    """A member's preferences, which replace its earlier ones."""

    key: str = required(KEY)
    topics: list[str] = required(
        "Categories and brands, such as `category:COFFEE` and `brand:Private`: up to 50, of up to 100 characters. "
        "Empty: none."
    )
    member: MemberKey | None = optional(ACTED_FOR)


@strawberry.type
class PreferencesPayload(MemberPayload):
    """Result of `setPreferences`."""


@strawberry.type
class PreferenceMutation:
    """The mutations of preferences."""

    @mutation(EVERY_ROLE)
    async def set_preferences(self, info: Info, input: SetPreferencesInput) -> PreferencesPayload:  # noqa: A002
        """Replace the member's preferences; matching offers and rewards move up."""
        context = info.context
        outcome = await preference.set_preferences(
            context, key=input.key, member=key_or_none(input.member), topics=tuple(input.topics)
        )
        return PreferencesPayload.of(outcome)
