"""Lists rewards: the public catalogue, and a member's rewards, ranked and with their eligibility."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from loyalty.kernel.channel import Channel
from loyalty.kernel.fast_dataclass import fast_init
from loyalty.kernel.refusal import RefusalCode
from loyalty.kernel.window import end_of_window, next_open_span
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from loyalty.model.supply import CounterKey
from loyalty.rules.eligibility import Ineligibility, ineligibilities
from loyalty.rules.ranking import RankedReward, rank_rewards
from loyalty.rules.segmentation import SegmentationInput
from models.mongo.snapshot import Snapshot
from resolvers.core.context import Context
from resolvers.core.operation_error import BadInput
from resolvers.core.reading import read_or_unavailable
from resolvers.personalisation import Personalisation

APPOINTMENTS_SEARCHED_MAX = 500


@fast_init
@dataclass(frozen=True, slots=True)
class RewardAvailability:
    """A reward's availability for a member: the reasons why it cannot be ordered, and the points missing."""

    reward: Reward
    points_missing: int
    reasons: tuple[Ineligibility, ...]

    @property
    def eligible(self) -> bool:
        """Whether the member can order it now."""
        return not self.points_missing and not self.reasons


def public_programme(context: Context, key: str | None) -> Programme:
    """Return the programme whose public catalogue to show: the actor's, or the one named, or the only one.

    Raises:
        BadInput: no programme was named, and none or several run; or the named one does not run.
    """
    if context.actor is not None:
        return context.programme()
    programmes = context.services.programmes
    keys = programmes.keys()
    wanted = key if key is not None else (keys[0] if len(keys) == 1 else None)
    if wanted is None:
        raise BadInput("programme_missing" if keys else "programme_none")
    found = programmes.find(wanted)
    if found is None:
        raise BadInput("programme_unknown", programme=wanted)
    return found


def catalogue_page(
    programme: Programme, *, category: str | None, points_max: int | None, first: int, after: tuple[int, str] | None
) -> tuple[list[Reward], bool]:
    """Return a page of the catalogue in order of points and key, and whether there are more."""
    rewards = sorted(
        (
            reward
            for reward in programme.catalogue.rewards.values()
            if (category is None or reward.category == category)
            and (points_max is None or reward.points <= points_max)
            and (after is None or (reward.points, reward.key) > after)
        ),
        key=lambda reward: (reward.points, reward.key),
    )
    return rewards[:first], len(rewards) > first


async def stock_left(context: Context, programme: Programme, rewards: Iterable[Reward]) -> dict[str, int]:
    """Return the pieces or codes left, by reward key, of each reward that has a stock or a pool."""
    reader, limited = context.services.reader, [*rewards]
    stocks = {reward.stock_counter_key: reward for reward in limited if reward.stock is not None}
    pools = {reward.key: reward.pool for reward in limited if reward.pool is not None}
    taken = await read_or_unavailable(reader.counter_values(programme.key, stocks))
    left = {stocks[key].key: max(0, (stocks[key].stock or 0) - count) for key, count in taken.items()}
    free = await read_or_unavailable(reader.free_codes(programme.key, pools.values()))
    return left | {key: min(free[pool], left.get(key, free[pool])) for key, pool in pools.items()}


def order_window(reward: Reward, programme: Programme, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Return the start and end of the current or next window of a reward; None for no bound, start None if open now."""
    if reward.window is None:
        return None, None
    span = next_open_span(reward.window, now, programme.zone)
    if span is None:
        return None, end_of_window(reward.window, programme.zone)
    opens, closes = span
    return (opens if opens > now else None), closes


async def ranked_page(
    context: Context,
    personalisation: Personalisation,
    *,
    channel: Channel | None,
    category: str | None,
    eligible: bool | None,
    first: int,
    after: tuple[int, str] | None,
) -> tuple[list[tuple[RankedReward, RewardAvailability]], bool]:
    """Return a page of a member's rewards, best first, and whether there are more."""
    programme, now, snapshot = context.programme(), context.now(), personalisation.snapshot
    segmentation, left = await personalisation.segmentation_and_supply()

    available, known = snapshot.member.available, dict[str, RewardAvailability]()

    def availability(reward: Reward) -> RewardAvailability:
        found = known.get(reward.key)
        if found is None:
            found = known[reward.key] = compute(reward)
        return found

    def compute(reward: Reward) -> RewardAvailability:
        if reward.is_unrestricted:
            return RewardAvailability(reward, max(0, reward.points - available), ())
        found = _availability(
            reward, snapshot, programme, segmentation, now=now, is_gone=reward.key in left.out_of_stock
        )
        if reward.pool not in left.empty_pools:
            return found
        return replace(found, reasons=(*found.reasons, Ineligibility(RefusalCode.OUT_OF_STOCK, "codes_gone", {})))

    page, more = rank_rewards(
        programme.catalogue,
        snapshot.member,
        segmentation,
        personalisation.topic_scores,
        channel=channel,
        now=now,
        zone=programme.zone,
        category=category,
        eligible=eligible,
        can_order=lambda reward: not availability(reward).reasons,
        first=first,
        after=after,
    )
    return [(found, availability(found.reward)) for found in page], more


def _availability(
    reward: Reward,
    snapshot: Snapshot,
    programme: Programme,
    segmentation: SegmentationInput,
    *,
    now: datetime,
    is_gone: bool,
) -> RewardAvailability:
    reasons = ineligibilities(reward, snapshot.member, programme, segmentation, now)
    if is_gone:
        reasons.append(Ineligibility(RefusalCode.OUT_OF_STOCK, "out_of_stock", {"left": 0}))
    return RewardAvailability(reward, max(0, reward.points - snapshot.member.available), tuple(reasons))


async def appointments(
    context: Context, programme: Programme, reward: Reward, *, first: int
) -> list[tuple[datetime, int]]:
    """Return the next `first` appointments of a service with free places, each with their number."""
    if reward.appointments is None:
        return []
    upcoming: dict[CounterKey, datetime] = {}
    for at in reward.appointments.upcoming(context.now(), programme.zone):
        upcoming[reward.slot_counter_key(at)] = at
        if len(upcoming) >= APPOINTMENTS_SEARCHED_MAX:
            break
    taken = await read_or_unavailable(context.services.reader.counter_values(programme.key, upcoming))
    capacity = reward.appointments.capacity
    free = [(upcoming[counter], capacity - count) for counter, count in taken.items() if count < capacity]
    return sorted(free)[:first]
