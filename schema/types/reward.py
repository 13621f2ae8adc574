"""Rewards: the catalogue that anybody may look at, and each one as it stands for a member."""

import dataclasses
from datetime import datetime
from typing import Self

import strawberry

from loyalty.kernel.channel import Channel
from loyalty.model import reward as domain
from loyalty.model.order import Ordered
from loyalty.model.programme import Programme
from resolvers import reward as rewards
from resolvers.core.context import Context
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import RewardKind, TextDirection
from schema.wire.ids import global_id, ranked_cursor
from schema.wire.node import Node, PageInfo
from schema.wire.page import page_info, page_size
from schema.wire.text import direction_of, refused
from schema.wire.type_cache import Made

Info = strawberry.Info[Context, None]


@strawberry.type
class Appointment:
    """A time at which a service can be had."""

    at: datetime = field(REACHED)
    left: int = field(REACHED, description="How many members it still has room for.")


@strawberry.type
class Reward(Node):
    """Something that points buy."""

    id: strawberry.ID = field(REACHED)
    key: str = field(REACHED)
    kind: RewardKind = field(REACHED)
    title: str = field(REACHED)
    description: str = field(REACHED)
    direction: TextDirection = field(REACHED, description="How the words of its texts run.")
    image: str | None = field(REACHED)
    category: str = field(REACHED)
    points: int = field(REACHED)
    partner: str | None = field(REACHED)
    available_from: datetime | None = field(
        REACHED, description="When it can be ordered next, where it cannot be ordered now; null for now."
    )
    available_until: datetime | None = field(REACHED, description="Until when it can be ordered; null for always.")
    current: strawberry.Private[domain.Reward | None]
    programme: strawberry.Private[Programme]
    kept: strawberry.Private[dict[object, object]] = dataclasses.field(default_factory=dict)
    kept_eligible: strawberry.Private[dict[object, object]] = dataclasses.field(default_factory=dict)

    @resolver(REACHED, description="What is left; null where there is no limit.")
    async def stock(self, info: Info) -> int | None:
        """Return how many pieces are left."""
        if self.current is None:
            return None
        left = await rewards.stock_left(info.context, self.programme, [self.current])
        return left.get(self.current.key)

    @resolver(REACHED, description="For a service by appointment: the next ones that have room, the earliest first.")
    async def appointments(self, info: Info, first: int | None = 20) -> list[Appointment]:
        """Return the next appointments."""
        if self.current is None:
            return []
        size = page_size(info.context, first)
        free = await rewards.appointments(info.context, self.programme, self.current, first=size)
        return [Appointment(at=at, left=left) for at, left in free]

    @classmethod
    def of(
        cls,
        reward: domain.Reward | Ordered,
        programme: Programme,
        locale: str,
        channel: Channel | None,
        now: datetime,
    ) -> Self:
        """Return a reward in one language; of one that was ordered, what can be had now is told of its successor."""
        current = programme.catalogue.rewards.get(reward.key)
        if current is None or current is not reward or current.window is not None:
            return cls._made(reward, programme, locale, channel, current=current, now=now)
        # Nothing of it depends on the time: made once.
        return _REWARDS.of(cls._always_open, current, programme, locale, channel)

    @classmethod
    def _always_open(cls, reward: domain.Reward, programme: Programme, locale: str, channel: Channel | None) -> Self:
        return cls._made(reward, programme, locale, channel, current=reward)

    @classmethod
    def _made(
        cls,
        reward: domain.Reward | Ordered,
        programme: Programme,
        locale: str,
        channel: Channel | None,
        *,
        current: domain.Reward | None,
        now: datetime | None = None,
    ) -> Self:
        opens, closes = None, None
        if current is not None and now is not None:
            opens, closes = rewards.open_span(current, programme, now)
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


_REWARDS = Made()


@strawberry.type
class RewardEdge:
    """A reward and its place in the list."""

    node: Reward = field(REACHED)

    @resolver(REACHED)
    def cursor(self) -> str:
        """Return the place."""
        return ranked_cursor(self.node.points, self.node.key)


@strawberry.type
class RewardConnection:
    """A page of the catalogue, the cheapest first."""

    edges: list[RewardEdge] = field(REACHED)
    has_more: strawberry.Private[bool]
    is_first: strawberry.Private[bool]

    @resolver(REACHED)
    def page_info(self) -> PageInfo:
        """Return where the page stands in its list."""
        return page_info(self.edges, has_more=self.has_more, is_first=self.is_first)


@strawberry.type(description="A reward as it stands for one member.")
class MemberReward:
    """A reward as it stands for one member."""

    reward: Reward = field(REACHED)
    standing: strawberry.Private[rewards.Standing]
    locale: strawberry.Private[str]
    kept: strawberry.Private[dict[object, object]]

    @resolver(REACHED, description="Whether the member could order it now.")
    def eligible(self) -> bool:
        """Say whether nothing keeps the member from it."""
        return self.standing.eligible

    @resolver(REACHED)
    def missing_points(self) -> int:
        """Return the points to save."""
        return self.standing.missing_points

    @resolver(REACHED, description="What keeps the member from it, besides the points.")
    def reasons(self, info: Info) -> list[str]:
        """Return what keeps the member from it, in words."""
        programme = info.context.programme()
        return [refused(one.reason, one.params, programme, self.locale) for one in self.standing.reasons]

    @classmethod
    def of(
        cls, standing: rewards.Standing, programme: Programme, locale: str, channel: Channel | None, now: datetime
    ) -> Self:
        """Return a reward as it stands for a member."""
        reward = Reward.of(standing.reward, programme, locale, channel, now)
        # To all who can have it now it stands the same.
        kept = reward.kept_eligible if standing.eligible else {}
        return cls(reward=reward, standing=standing, locale=locale, kept=kept)


@strawberry.type
class MemberRewardEdge:
    """A reward and its place in the list."""

    node: MemberReward = field(REACHED)
    score: strawberry.Private[int]

    @resolver(REACHED)
    def cursor(self) -> str:
        """Return the place."""
        return ranked_cursor(self.score, self.node.reward.key)


@strawberry.type
class MemberRewardConnection:
    """A page of a member's rewards, best first."""

    edges: list[MemberRewardEdge] = field(REACHED)
    has_more: strawberry.Private[bool]
    is_first: strawberry.Private[bool]

    @resolver(REACHED)
    def page_info(self) -> PageInfo:
        """Return where the page stands in its list."""
        return page_info(self.edges, has_more=self.has_more, is_first=self.is_first)
