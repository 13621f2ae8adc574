"""The status of a member: its tier and the progress to the next one."""

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
    """A member's progress to the next tier."""

    tier: Tier = field(REACHED, "The next higher tier.")
    qualifying: int = field(REACHED, "Qualifying points of the present qualification period so far.")
    required: int = field(REACHED, "Qualifying points that the next tier takes in all.")
    missing: int = field(REACHED, "Qualifying points still to earn, 0 or more.")
    ratio: float = field(REACHED, "Progress as a share: `qualifying` of `required`, 0 to 1.")
    before: datetime | None = field(
        REACHED, "When the qualification period ends, in UTC; null if it rolls or never ends."
    )

    @classmethod
    def of(cls, progress: tiers.TierProgress, locale: str) -> Self:
        """Return the progress to a tier, in one language."""
        return cls(
            tier=Tier.of(progress.tier, locale),
            qualifying=progress.points_earned,
            required=progress.points_required,
            missing=progress.points_missing,
            ratio=progress.ratio,
            before=progress.ends_at,
        )


@strawberry.type
class Status:
    """A member's tier, and the progress to the next one."""

    tier: Tier = field(REACHED, "The tier that the member has now.")
    since: datetime = field(REACHED, "When the member reached this tier, in UTC.")
    until: datetime | None = field(
        REACHED, "The member keeps the tier at least until then, in UTC; null if it never ends."
    )
    snapshot: strawberry.Private[Snapshot]
    locale: strawberry.Private[str]

    @resolver(REACHED)
    def next(self, info: Info) -> TierProgress | None:
        """The progress to the next tier; null in the highest tier."""
        context, member = info.context, self.snapshot.member
        at = self.snapshot.as_of or context.now()
        progress = tiers.tier_progress(context.programme(), member.tier_status, member.qualifying_days, now=at)
        return TierProgress.of(progress, self.locale) if progress is not None else None

    @classmethod
    def of(cls, snapshot: Snapshot, programme: ProgrammeRules, locale: str) -> Self:
        """Return the status of a snapshot."""
        tier_status = snapshot.member.tier_status
        return cls(
            tier=Tier.of(programme.tier(tier_status.tier), locale),
            since=tier_status.since,
            until=tier_status.guaranteed_until,
            snapshot=snapshot,
            locale=locale,
        )
