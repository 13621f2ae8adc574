"""Rewards: the public catalogue, and the state of each reward for a member."""

import dataclasses
from datetime import datetime
from typing import Annotated, Self

import strawberry

from loyalty.kernel.channel import Channel
from loyalty.model import reward as domain
from loyalty.model.order import OrderedReward
from loyalty.model.programme import Programme
from resolvers import reward as rewards
from resolvers.core.context import Context
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import RewardKind, TextDirection
from schema.wire.ids import global_id, ranked_cursor
from schema.wire.node import Node
from schema.wire.page import Connection, First, page_size
from schema.wire.text import direction_of, refusal_sentence
from schema.wire.type_cache import TypeCache

Info = strawberry.Info[Context, None]
InCategory = Annotated[
    str | None,
    strawberry.argument(description="Only rewards of this category (`Reward.category`); all if left out or empty."),
]


@strawberry.type
class Appointment:
    """A time at which a service can be booked."""

    at: datetime = field(REACHED, "When it starts, in UTC; `placeOrder` takes it as `appointment`.")
    left: int = field(REACHED, "Number of members who can still book it.")


@strawberry.type
class Reward(Node):
    """Something that members order with points."""

    key: str = field(REACHED, "Key in the programme file or catalogue, unique among rewards.")
    kind: RewardKind = field(REACHED, "What it is, which decides how an order of it is fulfilled.")
    title: str = field(REACHED, "Name for the shopper, in the language of the request.")
    description: str = field(REACHED, "What the member gets, in a sentence or two, in the language of the request.")
    direction: TextDirection = field(REACHED, "Writing direction of the texts.")
    image: str | None = field(REACHED, "Address of an image: an https URL or an absolute path. Null if there is none.")
    category: str = field(REACHED, "Category key, for the `category` filter of `rewards`.")
    points: int = field(REACHED, "Points that one piece costs.")
    partner: str | None = field(REACHED, "Key of the partner who gives it; null for the brand's own rewards.")
    available_from: datetime | None = field(
        REACHED, "When it can be ordered next, in UTC; null if it can be ordered now, or never again."
    )
    available_until: datetime | None = field(
        REACHED, "When the present or next period for orders ends, in UTC; null if it has no end."
    )
    current: strawberry.Private[domain.Reward | None]
    programme: strawberry.Private[Programme]
    cached: strawberry.Private[dict[object, object]] = dataclasses.field(default_factory=dict)
    cached_eligible: strawberry.Private[dict[object, object]] = dataclasses.field(default_factory=dict)

    @resolver(REACHED)
    async def stock(self, info: Info) -> int | None:
        """Number of pieces or codes left; null if there is no limit."""
        if self.current is None:
            return None
        left = await rewards.stock_left(info.context, self.programme, [self.current])
        return left.get(self.current.key)

    @resolver(REACHED)
    async def appointments(self, info: Info, first: First = 20) -> list[Appointment]:
        """For a service by appointment: the next times with free places, earliest first. Empty for other rewards."""
        if self.current is None:
            return []
        size = page_size(info.context, first)
        free = await rewards.appointments(info.context, self.programme, self.current, first=size)
        return [Appointment(at=at, left=left) for at, left in free]

    @classmethod
    def of(
        cls,
        reward: domain.Reward | OrderedReward,
        programme: Programme,
        locale: str,
        channel: Channel | None,
        now: datetime,
    ) -> Self:
        """Return a reward in one language. Stock and dates of an ordered one are those of today's catalogue."""
        current = programme.catalogue.rewards.get(reward.key)
        if current is None or current is not reward or current.window is not None:
            return cls._built(reward, programme, locale, channel, current=current, now=now)
        # Nothing of it depends on the time, so it is cached.
        return _REWARDS.of(cls._always_open, current, programme, locale, channel)

    @classmethod
    def _always_open(cls, reward: domain.Reward, programme: Programme, locale: str, channel: Channel | None) -> Self:
        return cls._built(reward, programme, locale, channel, current=reward)

    @classmethod
    def _built(
        cls,
        reward: domain.Reward | OrderedReward,
        programme: Programme,
        locale: str,
        channel: Channel | None,
        *,
        current: domain.Reward | None,
        now: datetime | None = None,
    ) -> Self:
        opens, closes = None, None
        if current is not None and now is not None:
            opens, closes = rewards.order_window(current, programme, now)
        return cls(
            id=strawberry.ID(global_id("Reward", programme.key, reward.key)),
            key=reward.key,
            kind=reward.kind,
            title=reward.title.in_locale(locale, channel),
            description=reward.description.in_locale(locale, channel),
            direction=direction_of(reward.title, locale, channel),
            image=reward.image,
            category=reward.category,
            points=reward.points,
            partner=reward.partner,
            available_from=opens,
            available_until=closes,
            current=current,
            programme=programme,
        )


_REWARDS = TypeCache()


@strawberry.type
class RewardEdge:
    """A reward and its position in the list."""

    node: Reward = field(REACHED, "The reward at this position.")

    @resolver(REACHED)
    def cursor(self) -> str:
        """Opaque position; pass it as `after` to read the rewards that follow."""
        return ranked_cursor(self.node.points, self.node.key)


@strawberry.type
class RewardConnection(Connection[RewardEdge]):
    """A page of the catalogue, cheapest first."""


@strawberry.type
class MemberReward:
    """A reward, and whether one member can order it."""

    reward: Reward = field(REACHED, "The reward itself, the same for all members.")
    availability: strawberry.Private[rewards.RewardAvailability]
    locale: strawberry.Private[str]
    cached: strawberry.Private[dict[object, object]]

    @resolver(REACHED)
    def eligible(self) -> bool:
        """Whether the member can order it now: it has the points, and `reasons` is empty."""
        return self.availability.eligible

    @resolver(REACHED)
    def missing_points(self) -> int:
        """Points that the member still lacks for one piece; 0 if it has enough."""
        return self.availability.points_missing

    @resolver(REACHED)
    def reasons(self, info: Info) -> list[str]:
        """Why the member cannot order it, points apart: one sentence each, in the request's or member's language."""
        programme = info.context.programme()
        return [refusal_sentence(one.reason, one.params, programme, self.locale) for one in self.availability.reasons]

    @classmethod
    def of(
        cls,
        availability: rewards.RewardAvailability,
        programme: Programme,
        locale: str,
        channel: Channel | None,
        now: datetime,
    ) -> Self:
        """Return a reward, and whether a member can order it."""
        reward = Reward.of(availability.reward, programme, locale, channel, now)
        # It is the same for all members who can order it: they share one cache.
        cached = reward.cached_eligible if availability.eligible else {}
        return cls(reward=reward, availability=availability, locale=locale, cached=cached)


@strawberry.type
class MemberRewardEdge:
    """A reward for the member, and its position in the list."""

    node: MemberReward = field(REACHED, "The reward at this position.")
    score: strawberry.Private[int]

    @resolver(REACHED)
    def cursor(self) -> str:
        """Opaque position; pass it as `after` to read the rewards that follow."""
        return ranked_cursor(self.score, self.node.reward.key)


@strawberry.type
class MemberRewardConnection(Connection[MemberRewardEdge]):
    """A page of the rewards for a member, best first."""
