"""Eligibility: why a member may not order a reward, apart from its price and stock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.kernel.window import next_open_span
from loyalty.model.member import Member
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from loyalty.rules.availability import Obstacle, Visit, is_limit_reached, obstacles
from loyalty.rules.segmentation import SegmentationInput


@dataclass(frozen=True, slots=True)
class Ineligibility:
    """One reason why a member may not order a reward, for refusals and for the catalogue."""

    code: RefusalCode
    reason: str
    params: Mapping[str, str | int]
    path: tuple[str, ...] = ("reward",)

    def refusal(self) -> Refusal:
        """Return the reason as the refusal of an order."""
        return Refusal(self.code, self.reason, self.path, self.params)


def _missing(code: RefusalCode, reason: str, *path: str, **params: str | int) -> Ineligibility:
    return Ineligibility(code, reason, params, path or ("reward",))


def ineligibilities(
    reward: Reward,
    member: Member,
    programme: Programme,
    segmentation: SegmentationInput,
    now: datetime,
    *,
    channel: Channel | None = None,
    for_relative: bool = False,
    held: int = 0,
) -> list[Ineligibility]:
    """Return why a member may not order a reward, apart from its price and stock; empty if it may.

    `held` is the number of orders that count against the limit besides those that were placed.
    """
    if reward.is_open_to_all and not for_relative:  # most are: a page of rewards calls this for each
        return []
    visit = Visit(now, now.astimezone(programme.zone), channel, segmentation=segmentation)
    found = [
        _missing_of(obstacle, reward, programme, now)
        for obstacle in obstacles(visit, window=reward.window, channels=reward.channels, audience=reward.audience)
    ]
    if for_relative and not programme.tier(segmentation.tier).may_order_for_relatives:
        found.append(_missing(RefusalCode.NOT_ELIGIBLE, "relative_tier", "recipient"))
    limit = reward.limit
    key = reward.limit_key(for_relative=for_relative)
    if is_limit_reached(limit, key, member, now, programme.zone, held=held) and limit:
        found.append(
            _missing(RefusalCode.LIMIT_REACHED, "reward_limit", orders=limit.orders, period=limit.period.value)
        )
    return found


def _missing_of(obstacle: Obstacle, reward: Reward, programme: Programme, now: datetime) -> Ineligibility:
    """Return an obstacle as the reward's refusal."""
    match obstacle:
        case Obstacle.TIER:
            tiers = [tier.key for tier in programme.tiers if tier.key in reward.audience.tiers]
            return _missing(RefusalCode.NOT_ELIGIBLE, "reward_tier", tier=tiers[0] if tiers else "")
        case Obstacle.AUDIENCE:
            return _missing(RefusalCode.NOT_ELIGIBLE, "reward_audience")
        case Obstacle.CHANNEL:
            channels = ", ".join(sorted(reward.channels))
            return _missing(RefusalCode.NOT_ELIGIBLE, "reward_channel", "channel", channels=channels)
        case Obstacle.OVER:
            return _missing(RefusalCode.EXPIRED, "reward_over")
    span = next_open_span(reward.window, now, programme.zone) if reward.window is not None else None
    opens = span[0].astimezone(programme.zone).isoformat(timespec="minutes") if span else ""
    return _missing(RefusalCode.NOT_ELIGIBLE, "reward_window", opens=opens)
