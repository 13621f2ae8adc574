"""Availability: may this member have this, here and now? One check for rules, offers, rewards and instant rewards.

A thing names some of: a period, a window, channels, stores, partners, an audience, a limit. All that it names must fit;
an empty set fits everything. Obstacles are reported in one order: time, place, audience, limit. Each feature puts
them into its own refusal or explanation.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import day_of, period_name
from loyalty.kernel.channel import Channel
from loyalty.kernel.fast_dataclass import fast_init
from loyalty.kernel.window import Window, day_at, within_hours
from loyalty.model.explanation import RuleOutcome
from loyalty.model.member import Member
from loyalty.model.offer import EVERYBODY, Audience, AudienceInput
from loyalty.model.reward import Limit

ANYWHERE: frozenset[str] = frozenset()
ANY_CHANNEL: frozenset[Channel] = frozenset()


class Obstacle(StrEnum):
    """Why a member cannot have something here and now."""

    OVER = "over"
    NOT_YET = "not_yet"
    WEEKDAY = "weekday"
    HOURS = "hours"
    CHANNEL = "channel"
    STORE = "store"
    PARTNER = "partner"
    TIER = "tier"
    AUDIENCE = "audience"


OF_TIME = frozenset({Obstacle.OVER, Obstacle.NOT_YET, Obstacle.WEEKDAY, Obstacle.HOURS})
OF_AUDIENCE = frozenset({Obstacle.TIER, Obstacle.AUDIENCE})


@fast_init
@dataclass(frozen=True, slots=True)
class Visit:
    """A moment, a place and a member; `local` is the moment in the brand's zone.

    `channel` None: not known, which fits every channel. A store, partner or segmentation None fits only what names
    none, and is for everybody.
    """

    at: datetime
    local: datetime
    channel: Channel | None = None
    store: str | None = None
    partner: str | None = None
    segmentation: AudienceInput | None = None


def obstacles(
    visit: Visit,
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    window: Window | None = None,
    channels: AbstractSet[Channel] = ANY_CHANNEL,
    stores: AbstractSet[str] = ANYWHERE,
    partners: AbstractSet[str] = ANYWHERE,
    audience: Audience = EVERYBODY,
) -> Iterator[Obstacle]:
    """Yield what keeps the member from something, in order; nothing: the member may have it.

    Lazy: `next(obstacles(...), None)` evaluates no more than the first obstacle takes.
    """
    timely = time_obstacle(visit.at, visit.local, starts_at=starts_at, ends_at=ends_at, window=window)
    if timely is not None:
        yield timely
    if not fits_channel(channels, visit.channel):
        yield Obstacle.CHANNEL
    if stores and visit.store not in stores:
        yield Obstacle.STORE
    if partners and visit.partner not in partners:
        yield Obstacle.PARTNER
    if audience is EVERYBODY:
        return
    segmentation = visit.segmentation
    if segmentation is not None and audience.tiers and segmentation.tier not in audience.tiers:
        yield Obstacle.TIER
    elif segmentation is None or not audience.includes(segmentation):
        yield Obstacle.AUDIENCE


def time_obstacle(
    at: datetime,
    local: datetime,
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    window: Window | None = None,
) -> Obstacle | None:
    """Return why something that is on from `starts_at` until `ends_at`, within its window, is not on at a moment."""
    if ends_at is not None and at >= ends_at:
        return Obstacle.OVER
    if starts_at is not None and at < starts_at:
        return Obstacle.NOT_YET
    if window is None:
        return None
    day = day_at(window, local)
    if window.last_day and day > window.last_day:
        return Obstacle.OVER
    if window.first_day and day < window.first_day:
        return Obstacle.NOT_YET
    if window.weekdays and day.isoweekday() not in window.weekdays:
        return Obstacle.WEEKDAY
    if window.hours and not within_hours(local, window.hours):
        return Obstacle.HOURS
    return None


def outcome_of(obstacle: Obstacle) -> RuleOutcome:
    """Return an obstacle as the explanation of an offer or an instant reward that gives nothing."""
    if obstacle in OF_TIME:
        return RuleOutcome.WINDOW
    return RuleOutcome.AUDIENCE if obstacle in OF_AUDIENCE else RuleOutcome(obstacle.value)


def fits_channel(channels: AbstractSet[Channel], channel: Channel | None) -> bool:
    """Say whether something for some channels (none named: for all) is for this one; None, not known, fits."""
    return not channels or channel is None or channel in channels


def is_limit_reached(
    limit: Limit | None, key: str, member: Member, at: datetime, zone: ZoneInfo, *, held: int = 0
) -> bool:
    """Say whether a member has no order left under a limit at a moment; `key` is what its orders count under.

    `held` is the number of orders that its open holds are for.
    """
    if limit is None:
        return False
    counted = member.order_counts.get(key)
    # Most members have ordered none, and spans are expensive to compute.
    return (counted.get(limit_span(limit, at, zone), 0) if counted else 0) + held >= limit.orders


def limit_span(limit: Limit, at: datetime, zone: ZoneInfo) -> str:
    """Return the name of the limit's period that a moment is in."""
    return period_name(day_of(at, zone), limit.period)
