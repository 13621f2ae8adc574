"""The status of a member: its tier and the way to the next one."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.model.programme import Programme as ProgrammeRules
from loyalty.rules import tier as tiers
from models.mongo.snapshot import Snapshot
from schema.types.programme import Tier
from schema.wire.access import REACHED, field, resolver
from schema.wire.info import Info


@strawberry.type
class TierProgress:
    """The way to the next tier."""

    tier: Tier = field(REACHED)
    qualifying: int = field(REACHED, description="Points earned in the qualification period so far.")
    required: int = field(REACHED)
    missing: int = field(REACHED)
    ratio: float = field(REACHED, description="How much of the way is done, 0 to 1.")
    before: datetime | None = field(REACHED, description="When the period ends; null where it rolls or never ends.")

    @classmethod
    def of(cls, way: tiers.Progress, locale: str) -> Self:
        """Return the way to a tier in one language."""
        return cls(
            tier=Tier.of(way.tier, locale),
            qualifying=way.qualifying,
            required=way.required,
            missing=way.missing,
            ratio=way.ratio,
            before=way.before,
        )


@strawberry.type
class Status:
    """A member's tier, and the way to the next one, which is worked out for who asks for it."""

    tier: Tier = field(REACHED)
    since: datetime = field(REACHED)
    until: datetime | None = field(REACHED, description="Kept at least so long; null where it has no end.")
    snapshot: strawberry.Private[Snapshot]
    locale: strawberry.Private[str]

    @resolver(REACHED, description="Null at the top.")
    def next(self, info: Info) -> TierProgress | None:
        """Return the way to the next tier, now."""
        context, member = info.context, self.snapshot.member
        at = self.snapshot.as_of or context.now()
        way = tiers.progress(context.programme(), member.standing, member.qualifying, now=at)
        return TierProgress.of(way, self.locale) if way is not None else None

    @classmethod
    def of(cls, snapshot: Snapshot, programme: ProgrammeRules, locale: str) -> Self:
        """Return the status of a snapshot."""
        standing = snapshot.member.standing
        return cls(
            tier=Tier.of(programme.tier(standing.tier), locale),
            since=standing.since,
            until=standing.until,
            snapshot=snapshot,
            locale=locale,
        )
