"""Mutations of the catalogue: inputs, payloads, rights and fields."""

from typing import Self

import strawberry
from strawberry.scalars import JSON

from loyalty.kernel.refusal import Refusal
from loyalty.model import catalogue as domain_catalogue
from loyalty.model import offer as domain_offer
from loyalty.model import reward as domain_reward
from models.programmes.catalogue_store import StoredItem
from resolvers import catalogue
from resolvers.core.actor import Role
from resolvers.core.context import Context
from schema.mutations.payload import REPLAYED, USER_ERRORS
from schema.types.content import Content
from schema.types.offer import Offer
from schema.types.reward import Reward
from schema.wire.access import REACHED, field, mutation, only
from schema.wire.enums import ItemKind
from schema.wire.error import UserError
from schema.wire.info import Info
from schema.wire.input_field import KEY, required
from schema.wire.text import locale_of


@strawberry.input
class SaveCatalogueItemInput:
    """An offer, a reward or a content to add or change."""

    key: str = required(KEY)
    kind: ItemKind = required("What the definition is of.")
    definition: JSON = required(
        "The item as an object, with the fields that its section of the programme file has, such as "
        '{"key": "spring", "kind": "PERCENT_OFF", ...}. An item with the same `key` gets a new version.'
    )


@strawberry.input
class RetireCatalogueItemInput:
    """An offer, a reward or a content to remove from the catalogue."""

    key: str = required(KEY)
    kind: ItemKind = required("What to remove.")
    item: str = required("Key of the item in the catalogue. Items of the programme file cannot be removed here.")


MANAGERS = only(Role.MANAGER)


@strawberry.type
class CatalogueItemPayload:
    """Result of a change of the catalogue: one of `offer`, `reward` and `content` is set, none after a removal."""

    offer: Offer | None = field(REACHED, "The stored offer; null if it is another kind of item, removed or refused.")
    reward: Reward | None = field(REACHED, "The stored reward; null if it is another kind of item, removed or refused.")
    content: Content | None = field(REACHED, "The stored content; null if it is another kind, removed or refused.")
    version: int | None = field(REACHED, "Number of changes of this item so far; null if the call was refused.")
    replayed: bool = field(REACHED, REPLAYED)
    user_errors: list[UserError] = field(REACHED, USER_ERRORS)

    @classmethod
    def of(cls, stored: StoredItem | Refusal, context: Context) -> Self:
        """Return the payload of a change of the catalogue."""
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

    @mutation(MANAGERS)
    async def save_catalogue_item(self, info: Info, input: SaveCatalogueItemInput) -> CatalogueItemPayload:  # noqa: A002
        """Add or change an offer, a reward or a content without a release. For managers."""
        context = info.context
        stored = await catalogue.save(context, key=input.key, kind=input.kind, definition=input.definition)
        return CatalogueItemPayload.of(stored, context)

    @mutation(MANAGERS)
    async def retire_catalogue_item(self, info: Info, input: RetireCatalogueItemInput) -> CatalogueItemPayload:  # noqa: A002
        """Remove an offer, a reward or a content from the catalogue. Its versions stay stored. For managers."""
        context = info.context
        stored = await catalogue.retire(context, key=input.key, kind=input.kind, item=input.item)
        return CatalogueItemPayload.of(stored, context)
