"""Eligibility: why a member may not order a reward, apart from its price and stock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.kernel.window import is_open, is_over, next_span
from loyalty.model.member import Member
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from loyalty.rules.segmentation import MemberShopper


@dataclass(frozen=True, slots=True)
class Missing:
    """One reason why a member may not order a reward, for refusals and for the catalogue."""

    code: RefusalCode
    reason: str
    params: Mapping[str, str | int]
    path: tuple[str, ...] = ("reward",)

    def refusal(self) -> Refusal:
        """Return the reason as the refusal of an order."""
        return Refusal(self.code, self.reason, self.path, self.params)


def _missing(code: RefusalCode, reason: str, *path: str, **params: str | int) -> Missing:
    return Missing(code, reason, params, path or ("reward",))


def missing(
    reward: Reward,
    member: Member,
    programme: Programme,
    shopper: MemberShopper,
    now: datetime,
    *,
    channel: Channel | None = None,
    for_relative: bool = False,
) -> list[Missing]:
    """Return why a member may not order a reward, apart from its price and stock; empty if it may."""
    found: list[Missing] = []
    if reward.audience.tiers and shopper.tier not in reward.audience.tiers:
        tiers = [tier for tier in programme.tiers if tier.key in reward.audience.tiers]
        found.append(_missing(RefusalCode.NOT_ELIGIBLE, "reward_tier", tier=tiers[0].key if tiers else ""))
    elif not reward.audience.fits(shopper):
        found.append(_missing(RefusalCode.NOT_ELIGIBLE, "reward_audience"))
    if reward.channels and channel is not None and channel not in reward.channels:
        channels = ", ".join(sorted(reward.channels))
        found.append(_missing(RefusalCode.NOT_ELIGIBLE, "reward_channel", "channel", channels=channels))
    if reward.window is not None and is_over(reward.window, now, programme.zone):
        found.append(_missing(RefusalCode.EXPIRED, "reward_over"))
    elif reward.window is not None and not is_open(reward.window, now, programme.zone):
        span = next_span(reward.window, now, programme.zone)
        opens = span[0].astimezone(programme.zone).isoformat(timespec="minutes") if span else ""
        found.append(_missing(RefusalCode.NOT_ELIGIBLE, "reward_window", opens=opens))
    if for_relative and not programme.tier(shopper.tier).relatives:
        found.append(_missing(RefusalCode.NOT_ELIGIBLE, "relative_tier", "recipient"))
    if reward.limit is not None:
        counted = member.ordered.get(reward.limit_key(for_relative=for_relative))
        # Most members have no order to count; this saves computing the period.
        orders = counted.get(reward.limit_span(now, programme.zone), 0) if counted else 0
        if orders >= reward.limit.orders:
            params = {"orders": reward.limit.orders, "period": reward.limit.period.value}
            found.append(Missing(RefusalCode.LIMIT_REACHED, "reward_limit", params))
    return found
