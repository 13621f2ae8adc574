"""Programmes and their tiers."""

import dataclasses
from decimal import Decimal
from typing import Self

import strawberry

from loyalty.model import programme as domain
from schema.wire.access import REACHED, field
from schema.wire.ids import global_id
from schema.wire.type_cache import Made


@strawberry.type
class Tier:
    """A status level."""

    key: str = field(REACHED)
    name: str = field(REACHED)
    rank: int = field(REACHED)
    threshold: int = field(REACHED, description="Qualifying points that reach it within the qualification period.")
    benefits: list[str] = field(REACHED)
    kept: strawberry.Private[dict[object, object]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, tier: domain.Tier, locale: str) -> Self:
        """Return a tier in one language; made once, for a tier never changes."""
        return _TIERS.of(cls._made, tier, None, locale)

    @classmethod
    def _made(cls, tier: domain.Tier, _whole: None, locale: str) -> Self:
        return cls(
            key=tier.key,
            name=tier.name.in_locale(locale),
            rank=tier.rank,
            threshold=tier.threshold,
            benefits=[benefit.in_locale(locale) for benefit in tier.benefits],
        )


_TIERS = Made()


@strawberry.type
class Money:
    """An amount of money, exactly."""

    amount: Decimal = field(REACHED)
    currency: str = field(REACHED)


@strawberry.type(description="What a brand looks like. White text can be read on both colours.")
class Brand:
    """The colours of a brand, as CSS takes them."""

    colour: str = field(REACHED, description="Of buttons and marks, such as #0B3D2E.")
    accent: str = field(REACHED, description="What goes with it.")


@strawberry.type
class Programme:
    """A brand's loyalty programme, in the version that runs."""

    id: strawberry.ID = field(REACHED)
    name: str = field(REACHED)
    version: int = field(REACHED)
    currency: str = field(REACHED)
    tiers: list[Tier] = field(REACHED)
    brand: Brand = field(REACHED)

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
