"""What a programme offers, as it is written: the catalogue's sections of a file, and one definition by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError

from loyalty.kernel.digest import content_digest
from loyalty.model.catalogue import Catalogue, Content, code_name
from loyalty.model.offer import Offer
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from models.definitions.author_error import Fault, InvalidDefinition
from models.definitions.names_in_scope import NoLines, Scope
from models.definitions.offer_file import OfferShape, read_offer
from models.definitions.reward_file import InstantRewardShape, RewardShape, read_instant_reward, read_reward
from models.definitions.shared_shapes import Image, Key, Shape, Words, hint, place
from models.definitions.yaml_lines import Path

DEFINITION_BYTES_MAX = 100_000
Item = Offer | Reward | Content


class Kind(StrEnum):
    """What can be changed without a release."""

    OFFER = "offer"
    REWARD = "reward"
    CONTENT = "content"


class ContentShape(Shape):
    """One content."""

    key: Key
    title: Words
    body: Words
    image: Image | None = None


class CatalogueShape(Shape):
    """The sections of a programme file that are its catalogue."""

    offers: list[OfferShape] = Field(default=[], max_length=1000)
    rewards: list[RewardShape] = Field(default=[], max_length=1000)
    instant_rewards: list[InstantRewardShape] = Field(default=[], max_length=100)
    contents: list[ContentShape] = Field(default=[], max_length=1000)


def read_content(path: Path, shape: ContentShape, scope: Scope) -> Content:
    """Return the content at `path`."""
    title, body = scope.text((*path, "title"), shape.title), scope.text((*path, "body"), shape.body)
    return Content(shape.key, title, body, shape.image)


def read_catalogue(shape: CatalogueShape, scope: Scope) -> Catalogue:
    """Return the catalogue of a file; what does not fit together becomes faults of the scope."""
    for section in ("offers", "rewards", "instant_rewards", "contents"):
        scope.unique((section,), (item.key for item in getattr(shape, section)))
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
    """Note each code by which another offer is found already."""
    owners: dict[str, str] = {}
    for index, offer in enumerate(offers):
        name = code_name(offer)
        if name is None or offer.code is None:
            continue
        if name in owners:
            path = ("offers", index, "code", offer.code.kind.value)
            scope.fault(path, f"{offer.code.text!r} is the code of {owners[name]!r} already; choose another")
        owners.setdefault(name, offer.key)


_SHAPES: Mapping[Kind, type[OfferShape | RewardShape | ContentShape]] = {
    Kind.OFFER: OfferShape,
    Kind.REWARD: RewardShape,
    Kind.CONTENT: ContentShape,
}


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition as it was read. `content` is what it says, in the one form in which it is stored.

    `faults` tell what it names and there is not, and what its texts lack.
    """

    kind: Kind
    item: Item
    content: dict[str, Any]
    faults: tuple[Fault, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of what it says: however it was written, the same says the same."""
        return content_digest({"kind": self.kind.value, "definition": self.content})


def _scope(programme: Programme, rewards: Mapping[str, Reward]) -> Scope:
    return Scope(
        NoLines(),
        locale=programme.locale,
        zone=programme.zone,
        tiers=frozenset(tier.key for tier in programme.tiers),
        segments=programme.segments,
        rewards=rewards,
    )


def _read(path: Path, shape: Shape, scope: Scope) -> Item:
    if isinstance(shape, OfferShape):
        return read_offer(path, shape, scope)
    if isinstance(shape, RewardShape):
        return read_reward(path, shape, scope)
    if isinstance(shape, ContentShape):
        return read_content(path, shape, scope)
    raise TypeError(f"{type(shape).__name__} is no shape of a definition")


def define(
    kind: Kind,
    definition: Mapping[str, Any],
    programme: Programme,
    *,
    path: Path = (),
    rewards: Mapping[str, Reward] | None = None,
) -> Definition:
    """Return what a definition says. `rewards` are those that it may give, the programme's where none are told.

    Raises:
        InvalidDefinition: it does not have the shape of its kind; places begin with `path`.
    """
    try:
        shape = _SHAPES[kind].model_validate(definition)
    except ValidationError as error:
        faults = [NoLines().fault((*path, *place(dict(found))), hint(dict(found))) for found in error.errors()]
        raise InvalidDefinition(faults) from error
    told = shape.model_dump_json(exclude_defaults=True)
    if len(told.encode()) > DEFINITION_BYTES_MAX:
        fault = NoLines().fault(path, f"is larger than {DEFINITION_BYTES_MAX} bytes; shorten its texts")
        raise InvalidDefinition([fault])
    scope = _scope(programme, programme.catalogue.rewards if rewards is None else rewards)
    item = _read(path, shape, scope)
    content = shape.model_dump(mode="json", exclude_defaults=True)
    return Definition(kind, item, content, tuple(scope.faults))


def read_definition(kind: Kind, definition: Mapping[str, Any], programme: Programme) -> Item:
    """Return the offer, the reward or the content that a definition describes.

    Raises:
        InvalidDefinition: with every fault found, each with its place and what to do.
    """
    defined = define(kind, definition, programme)
    if defined.faults:
        raise InvalidDefinition(list(defined.faults))
    return defined.item


def revive(kind: Kind, content: Mapping[str, Any], programme: Programme, *, version: int) -> Item:
    """Return what was stored at a time when it was right, whatever it names that the programme has no more.

    Raises:
        ValueError: it does not have the shape of its kind, or a text lacks the programme's own locale.
    """
    shape = _SHAPES[kind].model_validate(content)
    scope = Scope(NoLines(), locale=programme.locale, zone=programme.zone, tiers=(), segments=())
    item = _read((), shape, scope)
    texts = [item.title, item.body] if isinstance(item, Content) else [item.title, item.description]
    if any(programme.locale not in text.by_locale for text in texts):
        raise ValueError(f"{item.key} has no text in {programme.locale}")
    return replace(item, version=version) if isinstance(item, Content) else item
