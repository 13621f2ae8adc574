"""The profile of a member."""

from datetime import date
from typing import Self

import strawberry

from loyalty.model import member as domain
from resolvers import consent as consents
from resolvers.core.actor import Role
from resolvers.core.personal_data import masked_email, masked_name, masked_phone
from schema.types.consent import Consent
from schema.wire.access import field, only, resolver
from schema.wire.enums import ContactChannel
from schema.wire.info import Info

PERSONAL = only(Role.MEMBER, Role.KIOSK, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class Profile:
    """A member's personal data. Not for the till role; masked for the kiosk role, because others see its screen."""

    first_name: str | None = field(PERSONAL, "Given name; null if unknown. For the kiosk role the first letter only.")
    last_name: str | None = field(PERSONAL, "Family name; null if unknown. For the kiosk role the first letter only.")
    email: str | None = field(PERSONAL, "E-mail address as it was written; null if unknown. Masked for the kiosk role.")
    phone: str | None = field(
        PERSONAL, "Phone number as it was written; null if unknown. For the kiosk role the last two digits only."
    )
    birth_date: date | None = field(PERSONAL, "Date of birth; null if unknown, and for the kiosk role.")
    locale: str = field(PERSONAL, "Language in which the member is addressed, as a BCP 47 tag such as `fr` or `ar-MA`.")
    preferences: list[str] = field(
        PERSONAL, "Categories and brands that the member chose as preferences, such as `category:COFFEE`."
    )
    time_zone: str | None = field(PERSONAL, "Time zone of the member, such as `Europe/Paris`; null: the programme's.")
    nickname: str | None = field(
        PERSONAL, "Name by which the member wants to be called; null if unknown. For the kiosk role the first letter."
    )
    preferred_contact: ContactChannel | None = field(
        PERSONAL, "How the member prefers to be contacted; null if it did not say."
    )
    member: strawberry.Private[domain.Member]

    @resolver(PERSONAL)
    def completion(self) -> float:
        """Share of the five personal fields (names, e-mail, phone, date of birth) that are filled in, 0 to 1."""
        return self.member.profile.completion

    @resolver(PERSONAL)
    def consents(self) -> list[Consent]:
        """The member's present answers; a question without an answer is not in the list."""
        return [Consent.of(consent) for consent in self.member.profile.consents]

    @resolver(PERSONAL)
    async def consent_history(self, info: Info) -> list[Consent]:
        """Every change of the member's consents, newest first."""
        return [Consent.of(consent) for consent in await consents.history(info.context, self.member.id)]

    @classmethod
    def of(cls, member: domain.Member, *, masked: bool) -> Self:
        """Return a member's profile; `masked` for a screen that others can see."""
        profile = member.profile
        return cls(
            member=member,
            first_name=masked_name(profile.first_name) if masked else profile.first_name,
            last_name=masked_name(profile.last_name) if masked else profile.last_name,
            email=masked_email(profile.email) if masked else profile.email,
            phone=masked_phone(profile.phone) if masked else profile.phone,
            birth_date=None if masked else profile.birth_date,
            locale=profile.locale,
            preferences=list(profile.preferences),
            time_zone=profile.time_zone,
            nickname=masked_name(profile.nickname) if masked else profile.nickname,
            preferred_contact=profile.preferred_contact,
        )
