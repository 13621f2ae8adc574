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
from schema.wire.info import Info

PERSONAL = only(Role.MEMBER, Role.KIOSK, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class Profile:
    """Who a member is. On a shared screen (role kiosk) personal fields come masked."""

    first_name: str | None = field(PERSONAL)
    last_name: str | None = field(PERSONAL)
    email: str | None = field(PERSONAL)
    phone: str | None = field(PERSONAL)
    birth_date: date | None = field(PERSONAL)
    locale: str = field(PERSONAL)
    preferences: list[str] = field(PERSONAL, description="What the member says to like: `category:COFFEE`.")
    member: strawberry.Private[domain.Member]

    @resolver(PERSONAL, description="The share of the personal fields that are filled in, 0 to 1.")
    def completion(self) -> float:
        """Return how complete it is."""
        return self.member.profile.completion

    @resolver(PERSONAL, description="What the member agreed to or refused; what it was never asked is not there.")
    def consents(self) -> list[Consent]:
        """Return what holds now."""
        return [Consent.of(consent) for consent in self.member.profile.consents]

    @resolver(PERSONAL, description="Every change of the member's consents, the newest first.")
    async def consent_history(self, info: Info) -> list[Consent]:
        """Return what the ledger tells."""
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
        )
