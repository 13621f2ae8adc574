"""Mutations of the catalogue: inputs, payloads, rights and fields."""

from typing import Self

import strawberry
from strawberry.scalars import JSON

from loyalty.kernel.refusal import Refusal
from loyalty.model import catalogue as domain_catalogue
from loyalty.model import offer as domain_offer
from loyalty.model import reward as domain_reward
from models.programmes.catalogue_store import Stored
from resolvers import catalogue
from resolvers.core.actor import Role
from resolvers.core.context import Context
from schema.types.content import Content
from schema.types.offer import Offer
from schema.types.reward import Reward
from schema.wire.access import REACHED, field, mutation, only
from schema.wire.enums import Kind
from schema.wire.error import UserError
from schema.wire.info import Info
from schema.wire.text import locale_of


@strawberry.input
class SaveCatalogueItemInput:
    """An offer, a reward or a content, in the shape that the programme file's sections have."""

    key: str
    kind: Kind
    definition: JSON = strawberry.field(description='Such as {"key": "spring", "kind": "PERCENT_OFF", ...}.')


@strawberry.input
class RetireCatalogueItemInput:
    """What to take out of the catalogue: `item` is its key there."""

    key: str
    kind: Kind
    item: str


MANAGERS = only(Role.MANAGER)


@strawberry.type
class CatalogueItemPayload:
    """What was stored, in its new version; none of the three for what was retired."""

    offer: Offer | None = field(REACHED)
    reward: Reward | None = field(REACHED)
    content: Content | None = field(REACHED)
    version: int | None = field(REACHED, description="Counts the changes of this offer, reward or content.")
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, stored: Stored | Refusal, context: Context) -> Self:
        """Return the answer to a change of the catalogue."""
        if isinstance(stored, Refusal):
            errors = [UserError.of(stored)]
            return cls(offer=None, reward=None, content=None, version=None, replayed=False, user_errors=errors)
        programme, locale, channel = context.programme(), locale_of(context), context.channel
        item = stored.item if not stored.retired else None
        return cls(
            offer=Offer.of(item, programme, locale, channel) if isinstance(item, domain_offer.Offer) else None,
            reward=Reward.of(item, programme, locale, channel, context.now())
            if isinstance(item, domain_reward.Reward)
            else None,
            content=Content.of(item, programme, locale, channel)
            if isinstance(item, domain_catalogue.Content)
            else None,
            version=stored.version,
            replayed=stored.replayed,
            user_errors=[],
        )


@strawberry.type
class CatalogueMutation:
    """The mutations of the catalogue."""

    @mutation(MANAGERS, description="Adds or changes an offer, a reward or a content, without a release.")
    async def save_catalogue_item(self, info: Info, input: SaveCatalogueItemInput) -> CatalogueItemPayload:  # noqa: A002
        """Store an offer, a reward or a content."""
        context = info.context
        stored = await catalogue.save(context, key=input.key, kind=input.kind, definition=input.definition)
        return CatalogueItemPayload.of(stored, context)

    @mutation(MANAGERS, description="Takes an offer, a reward or a content out of the catalogue.")
    async def retire_catalogue_item(self, info: Info, input: RetireCatalogueItemInput) -> CatalogueItemPayload:  # noqa: A002
        """Retire an offer, a reward or a content."""
        context = info.context
        stored = await catalogue.retire(context, key=input.key, kind=input.kind, item=input.item)
        return CatalogueItemPayload.of(stored, context)
