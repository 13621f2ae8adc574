"""Programmes and their tiers."""

import dataclasses
from decimal import Decimal
from typing import Self

import strawberry

from loyalty.model import programme as domain
from schema.wire.access import REACHED, field
from schema.wire.ids import global_id
from schema.wire.type_cache import TypeCache


@strawberry.type
class Tier:
    """A level of the programme, which members reach by qualifying points."""

    key: str = field(REACHED, "Key in the programme file, unique among tiers.")
    name: str = field(REACHED, "Name for the shopper, in the language of the request.")
    rank: int = field(REACHED, "Position in the order of tiers: 0 is the one that every member starts in.")
    threshold: int = field(REACHED, "Qualifying points that reach this tier within the qualification period.")
    benefits: list[str] = field(REACHED, "Its benefits, one short line each, in the language of the request.")
    cached: strawberry.Private[dict[object, object]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, tier: domain.Tier, locale: str) -> Self:
        """Return a tier in one language; cached, because a tier never changes."""
        return _TIERS.of(cls._built, tier, None, locale)

    @classmethod
    def _built(cls, tier: domain.Tier, _whole: None, locale: str) -> Self:
        return cls(
            key=tier.key,
            name=tier.name.in_locale(locale),
            rank=tier.rank,
            threshold=tier.threshold,
            benefits=[benefit.in_locale(locale) for benefit in tier.benefits],
        )


_TIERS = TypeCache()


@strawberry.type
class Money:
    """An exact amount of money."""

    amount: Decimal = field(REACHED, "Amount in the currency's main unit, such as 12.50 euros.")
    currency: str = field(REACHED, "ISO 4217 code, such as EUR.")


@strawberry.type
class Brand:
    """The brand's colours, in CSS notation. White text is readable on both."""

    colour: str = field(REACHED, "Colour of buttons and marks, such as #0B3D2E.")
    accent: str = field(REACHED, "Second colour, for highlights beside `colour`.")


@strawberry.type
class Programme:
    """A brand's loyalty programme, in the version that is in force."""

    id: strawberry.ID = field(REACHED, "Opaque id, unique over all types, for client caches.")
    name: str = field(REACHED, "Name for the shopper.")
    version: int = field(REACHED, "Version of the programme file in force; grows by one with each applied change.")
    currency: str = field(REACHED, "ISO 4217 code of the currency that purchases are in, such as EUR.")
    tiers: list[Tier] = field(REACHED, "All tiers, lowest first.")
    brand: Brand = field(REACHED, "The brand's look.")

    @classmethod
    def of(cls, programme: domain.Programme, locale: str) -> Self:
        """Return a programme in one language."""
        return cls(
            id=strawberry.ID(global_id("Programme", programme.key)),
            name=programme.name,
            version=programme.version,
            currency=programme.currency,
            tiers=[Tier.of(tier, locale) for tier in programme.tiers],
            brand=Brand(colour=programme.brand.colour, accent=programme.brand.accent),
        )
