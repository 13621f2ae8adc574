"""Programmes and their tiers."""

import dataclasses
from decimal import Decimal
from typing import Annotated, Self

import strawberry

from loyalty.model import programme as domain
from schema.wire.access import REACHED, field, resolver
from schema.wire.ids import global_id
from schema.wire.text import unit_for, wallet_name
from schema.wire.type_cache import TypeCache

POINTS = "points"


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
class Wallet:
    """A kind of points of a programme, under the brand's own name."""

    key: str = field(REACHED, "Key in the programme file; `points` unless the file names its points.")
    name: str = field(REACHED, "Name for the shopper, in the language of the request, such as Stars.")
    spendable: bool = field(REACHED, "Whether they can be spent on rewards.")
    qualifying: bool = field(REACHED, "Whether they count towards the tier.")
    transferable: bool = field(REACHED, "Whether members can give them to others.")
    programme: strawberry.Private[domain.Programme]
    locale: strawberry.Private[str]

    @resolver(REACHED)
    def unit(
        self,
        count: Annotated[int, strawberry.argument(description="How many, for the grammar of the language.")] = 2,
    ) -> str:
        """The word for a number of them, in the language of the request: 1 star, 2 stars."""
        return unit_for(count, self.programme, self.locale)

    @classmethod
    def of(cls, programme: domain.Programme, locale: str) -> Self:
        """Return the one wallet of a programme."""
        wallet = programme.vocabulary.wallet
        return cls(
            key=wallet.key if wallet is not None else POINTS,
            name=wallet_name(programme, locale),
            spendable=True,
            qualifying=True,
            transferable=False,
            programme=programme,
            locale=locale,
        )


@strawberry.type
class Store:
    """A store of the brand."""

    key: str = field(REACHED, "Key that tills and orders refer to.")
    name: str = field(REACHED, "Name for the shopper, in the language of the request.")


@strawberry.type
class Topic:
    """A topic that members can prefer."""

    key: str = field(REACHED, "Key for `setPreferences`, such as `category:TEA`.")
    name: str = field(REACHED, "Name for the shopper, in the language of the request.")


@strawberry.type
class Programme:
    """A brand's loyalty programme, in the version that is in force."""

    id: strawberry.ID = field(REACHED, "Opaque id, unique over all types, for client caches.")
    name: str = field(REACHED, "Name for the shopper.")
    version: int = field(REACHED, "Version of the programme file in force; grows by one with each applied change.")
    currency: str = field(REACHED, "ISO 4217 code of the currency that purchases are in, such as EUR.")
    tiers: list[Tier] = field(REACHED, "All tiers, lowest first.")
    brand: Brand = field(REACHED, "The brand's look.")
    rules: strawberry.Private[domain.Programme]
    locale: strawberry.Private[str]

    @resolver(REACHED)
    def wallets(self) -> list[Wallet]:
        """Its kinds of points; the first is that of `Member.points`."""
        return [Wallet.of(self.rules, self.locale)]

    @resolver(REACHED)
    def stores(self) -> list[Store]:
        """The stores that its file names, in the file's order."""
        named = self.rules.vocabulary.stores
        return [Store(key=key, name=name.in_locale(self.locale)) for key, name in named.items()]

    @resolver(REACHED)
    def topics(self) -> list[Topic]:
        """The topics that its file suggests as preferences, in the file's order."""
        named = self.rules.vocabulary.topics
        return [Topic(key=key, name=name.in_locale(self.locale)) for key, name in named.items()]

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
            rules=programme,
            locale=locale,
        )
