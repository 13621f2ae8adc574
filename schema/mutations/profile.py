"""Mutations of profiles: inputs, payloads, rights and fields."""

from datetime import date
from typing import Any

import strawberry
from strawberry.scalars import JSON

from resolvers import profile
from resolvers.core.actor import Role
from schema.mutations.payload import MemberPayload
from schema.types.member_key import MemberKey, key_or_none
from schema.wire.access import mutation, only
from schema.wire.enums import ContactChannel
from schema.wire.info import Info
from schema.wire.input_field import ACTED_FOR, KEY, optional, required

CARD = "Text of the card: letter case, spaces, dashes and the script of its digits do not matter."


@strawberry.input
class UpdateProfileInput:
    """Corrections of a member's personal data. What is left out stays; null or a blank text clears a field."""

    key: str = required(KEY)
    member: MemberKey | None = optional(ACTED_FOR)
    first_name: str | None = optional("Given name, up to 100 characters.")
    last_name: str | None = optional("Family name, up to 100 characters.")
    email: str | None = optional("E-mail address; no other member may have it. The earlier one becomes free.")
    phone: str | None = optional(
        "Phone number, in any script and punctuation; no other member may have it. Without a country code it is of the "
        "programme's country. The earlier one becomes free."
    )
    birth_date: date | None = optional("Date of birth, not in the future.")
    locale: str | None = optional("Language for the member, as a BCP 47 tag such as `fr`. Null: the programme's.")
    time_zone: str | None = optional("Time zone of the member, as an IANA name such as `Europe/Paris`.")
    nickname: str | None = optional("Name by which the member wants to be called, up to 100 characters.")
    preferred_contact: ContactChannel | None = optional("How the member prefers to be contacted.")
    attributes: JSON | None = optional(
        "An object with attributes that the programme declares, up to 10,000 bytes; the others stay, and null removes "
        "one. Null instead of an object removes all."
    )

    def typed(self) -> dict[str, Any]:
        """Return the fields that were sent, by name."""
        sent = {name: value for name, value in vars(self).items() if value is not strawberry.UNSET}
        return {name: value for name, value in sent.items() if name not in {"key", "member"}}


@strawberry.input
class AddCardInput:
    """A card to link to a member."""

    key: str = required(KEY)
    card: str = required(f"{CARD} Up to 64 characters; no other member may have it.")
    member: MemberKey | None = optional(ACTED_FOR)


@strawberry.input
class RemoveCardInput:
    """A card to unlink from a member."""

    key: str = required(KEY)
    card: str = required(CARD)
    member: MemberKey | None = optional(ACTED_FOR)


CORRECTORS = only(Role.MEMBER, Role.KIOSK, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class ProfilePayload(MemberPayload):
    """Result of `updateProfile`, `addCard` and `removeCard`."""


@strawberry.type
class ProfileMutation:
    """The mutations of profiles."""

    @mutation(CORRECTORS)
    async def update_profile(self, info: Info, input: UpdateProfileInput) -> ProfilePayload:  # noqa: A002
        """Correct a member's personal data: what is sent changes, what is left out stays, null clears.

        An e-mail or phone of another member is refused with `ALREADY_EXISTS`. A tablet needs a confirmed session. The
        first time that all five personal fields are filled in is the event `profile_completed`, which rules may reward.
        """
        outcome = await profile.update_profile(
            info.context, key=input.key, member=key_or_none(input.member), typed=input.typed()
        )
        return ProfilePayload.of(outcome)

    @mutation(CORRECTORS)
    async def add_card(self, info: Info, input: AddCardInput) -> ProfilePayload:  # noqa: A002
        """Link another card to a member, up to 20. A card of another member is refused with `ALREADY_EXISTS`.

        Nothing changes if the member has the card already. A tablet needs a confirmed session.
        """
        return ProfilePayload.of(
            await profile.add_card(info.context, key=input.key, member=key_or_none(input.member), card=input.card)
        )

    @mutation(CORRECTORS)
    async def remove_card(self, info: Info, input: RemoveCardInput) -> ProfilePayload:  # noqa: A002
        """Unlink a card, for example a lost one: it finds nobody from then on, and another member may get it.

        The last card may go too. A card that the member does not have is refused with `NOT_FOUND`. A tablet needs a
        confirmed session.
        """
        return ProfilePayload.of(
            await profile.remove_card(info.context, key=input.key, member=key_or_none(input.member), card=input.card)
        )
