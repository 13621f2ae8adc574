"""Parses the catalogue: its sections in a programme file, and single definitions from the API or an import."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError

from loyalty.kernel.digest import content_digest
from loyalty.model.catalogue import Catalogue, Content, code_lookup_key
from loyalty.model.offer import Offer
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from models.definitions.author_error import DefinitionError, InvalidDefinition
from models.definitions.names_in_scope import NoSourceLines, Scope
from models.definitions.offer_file import OfferShape, read_offer
from models.definitions.reward_file import InstantRewardShape, RewardShape, read_instant_reward, read_reward
from models.definitions.shared_shapes import Image, Key, LocalizedText, Shape, error_message, error_path
from models.definitions.yaml_lines import Path

DEFINITION_BYTES_MAX = 100_000
CatalogueItem = Offer | Reward | Content


class ItemKind(StrEnum):
    """The kinds of item that a manager can change without a release."""

    OFFER = "offer"
    REWARD = "reward"
    CONTENT = "content"


class ContentShape(Shape):
    """One content."""

    key: Key
    title: LocalizedText
    body: LocalizedText
    image: Image | None = None


class CatalogueShape(Shape):
    """The catalogue's sections of a programme file."""

    offers: list[OfferShape] = Field(default=[], max_length=1000)
    rewards: list[RewardShape] = Field(default=[], max_length=1000)
    instant_rewards: list[InstantRewardShape] = Field(default=[], max_length=100)
    contents: list[ContentShape] = Field(default=[], max_length=1000)


def read_content(path: Path, shape: ContentShape, scope: Scope) -> Content:
    """Return the content at `path`."""
    title, body = scope.text((*path, "title"), shape.title), scope.text((*path, "body"), shape.body)
    return Content(shape.key, title, body, shape.image)


def read_catalogue(shape: CatalogueShape, scope: Scope) -> Catalogue:
    """Return the catalogue of a file; errors are added to `scope.faults`."""
    for section in ("offers", "rewards", "instant_rewards", "contents"):
        scope.check_unique((section,), (item.key for item in getattr(shape, section)))
    rewards = [read_reward(("rewards", index), item, scope) for index, item in enumerate(shape.rewards)]
    scope.rewards = {reward.key: reward for reward in rewards}
    offers = [read_offer(("offers", index), item, scope) for index, item in enumerate(shape.offers)]
    _unique_codes(offers, scope)
    return Catalogue(
        offers,
        rewards,
        [read_content(("contents", index), item, scope) for index, item in enumerate(shape.contents)],
        [read_instant_reward(("instant_rewards", i), item, scope) for i, item in enumerate(shape.instant_rewards)],
    )


def _unique_codes(offers: list[Offer], scope: Scope) -> None:
    """Report each code that an earlier offer of the file already uses."""
    owners: dict[str, str] = {}
    for index, offer in enumerate(offers):
        name = code_lookup_key(offer)
        if name is None or offer.code is None:
            continue
        if name in owners:
            path = ("offers", index, "code", offer.code.kind.value)
            scope.fault(path, f"offer {owners[name]!r} already uses code {offer.code.text!r}; choose another code")
        owners.setdefault(name, offer.key)


_SHAPES: Mapping[ItemKind, type[OfferShape | RewardShape | ContentShape]] = {
    ItemKind.OFFER: OfferShape,
    ItemKind.REWARD: RewardShape,
    ItemKind.CONTENT: ContentShape,
}


@dataclass(frozen=True, slots=True)
class Definition:
    """One parsed definition. `content` is its normal form, as stored.

    `faults` are unknown tiers, segments and rewards, and missing or unsupported locales.
    """

    kind: ItemKind
    item: CatalogueItem
    content: dict[str, Any]
    faults: tuple[DefinitionError, ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 digest of the normal form: two ways of writing the same definition have the same digest."""
        return content_digest({"kind": self.kind.value, "definition": self.content})


def _scope(programme: Programme, rewards: Mapping[str, Reward]) -> Scope:
    return Scope(
        NoSourceLines(),
        locale=programme.locale,
        zone=programme.zone,
        budget_unit=programme.budget_unit,
        tiers=frozenset(tier.key for tier in programme.tiers),
        segments=programme.segments,
        rewards=rewards,
    )


def _read(path: Path, shape: Shape, scope: Scope) -> CatalogueItem:
    if isinstance(shape, OfferShape):
        return read_offer(path, shape, scope)
    if isinstance(shape, RewardShape):
        return read_reward(path, shape, scope)
    if isinstance(shape, ContentShape):
        return read_content(path, shape, scope)
    raise TypeError(f"{type(shape).__name__} is not a definition shape")


def parse_definition(
    kind: ItemKind,
    definition: Mapping[str, Any],
    programme: Programme,
    *,
    path: Path = (),
    rewards: Mapping[str, Reward] | None = None,
) -> Definition:
    """Return the parsed definition. `rewards` are those it may refer to; None means the programme's.

    Raises:
        InvalidDefinition: it does not have the shape of its kind, or is too large; places begin with `path`.
    """
    try:
        shape = _SHAPES[kind].model_validate(definition)
    except ValidationError as error:
        faults = [
            NoSourceLines().fault((*path, *error_path(dict(found))), error_message(dict(found)))
            for found in error.errors()
        ]
        raise InvalidDefinition(faults) from error
    normal_form = shape.model_dump_json(exclude_defaults=True)
    if len(normal_form.encode()) > DEFINITION_BYTES_MAX:
        fault = NoSourceLines().fault(
            path, f"the definition is larger than {DEFINITION_BYTES_MAX} bytes; shorten its texts"
        )
        raise InvalidDefinition([fault])
    scope = _scope(programme, programme.catalogue.rewards if rewards is None else rewards)
    item = _read(path, shape, scope)
    content = shape.model_dump(mode="json", exclude_defaults=True)
    return Definition(kind, item, content, tuple(scope.faults))


def read_definition(kind: ItemKind, definition: Mapping[str, Any], programme: Programme) -> CatalogueItem:
    """Return the offer, the reward or the content that a definition describes.

    Raises:
        InvalidDefinition: lists every error found, each with its place and the fix.
    """
    defined = parse_definition(kind, definition, programme)
    if defined.faults:
        raise InvalidDefinition(list(defined.faults))
    return defined.item


def parse_stored(kind: ItemKind, content: Mapping[str, Any], programme: Programme, *, version: int) -> CatalogueItem:
    """Return the item of a stored definition; it may refer to tiers, segments and rewards that no longer exist.

    Raises:
        ValueError: it does not have the shape of its kind, or a text lacks the programme's default locale.
    """
    shape = _SHAPES[kind].model_validate(content)
    scope = Scope(
        NoSourceLines(),
        locale=programme.locale,
        zone=programme.zone,
        budget_unit=programme.budget_unit,
        tiers=(),
        segments=(),
        is_stored=True,
    )
    item = _read((), shape, scope)
    texts = [item.title, item.body] if isinstance(item, Content) else [item.title, item.description]
    if any(programme.locale not in text.by_locale for text in texts):
        raise ValueError(f"{item.key} has no text in the programme's default locale {programme.locale}")
    return replace(item, version=version) if isinstance(item, Content) else item
