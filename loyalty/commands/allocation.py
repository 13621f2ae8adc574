"""Allocation: what orders and holds take of the shared supply of pieces, codes and appointments."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.facts import Needs
from loyalty.model.offer import Audience
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from loyalty.model.supply import CodeState, CounterKey
from loyalty.rules.segmentation import SegmentationInput


@dataclass(frozen=True, slots=True)
class Allocation:
    """What an order or a hold takes of the shared supply."""

    counters: tuple[CounterKey, ...]
    code: str | None


def allocate(
    reward: Reward, quantity: int, appointment: datetime | None, builder: DecisionBuilder
) -> Allocation | Refusal:
    """Return what an order takes, or what is out of stock; what the decision has taken already counts."""
    counters: tuple[CounterKey, ...] = ()
    code: str | None = None
    if reward.stock is not None:
        left = max(0, reward.stock - builder.counter(reward.stock_counter_key))
        if left < quantity:
            path = ("reward",) if left == 0 else ("quantity",)
            return Refusal(RefusalCode.OUT_OF_STOCK, "out_of_stock" if left == 0 else "too_few", path, {"left": left})
        counters += (reward.stock_counter_key,) * quantity
    if appointment is not None and reward.appointments is not None:
        slot = reward.slot_counter_key(appointment)
        if builder.counter(slot) >= reward.appointments.capacity:
            return Refusal(RefusalCode.OUT_OF_STOCK, "appointment_taken", ("appointment",))
        counters += (slot,)
    if reward.pool is not None:
        code = free_code(reward.pool, builder)
        if code is None:
            return Refusal(RefusalCode.OUT_OF_STOCK, "codes_gone", ("reward",))
    return Allocation(counters, code)


def free_code(pool: str, builder: DecisionBuilder) -> str | None:
    """Return a free code of a pool: first one that the decision itself has freed, which may be the last."""
    moved = builder.moved_codes(pool)
    freed = next((code for code, after in moved.items() if after is CodeState.FREE), None)
    return freed if freed is not None else builder.facts.free_code(pool, excluding=moved)


def segmentation_input(builder: DecisionBuilder, audience: Audience) -> SegmentationInput:
    """Return the member as an audience sees it; with its mailing lists if the audience names some."""
    lists = builder.facts.lists_of(builder.member.id) if audience.lists else frozenset[str]()
    return SegmentationInput(builder.member, builder.programme, lists, builder.now)


def reward_of(programme: Programme, key: str) -> Reward | Refusal:
    """Return the reward of a key, or that it does not exist."""
    reward = programme.catalogue.rewards.get(key)
    return reward if reward is not None else Refusal(RefusalCode.NOT_FOUND, "reward_not_found", ("reward",))


def insufficient_points(builder: DecisionBuilder, requested: int, path: str) -> Refusal | None:
    """Return that a member has fewer points to spend than `requested`, or None."""
    available = builder.member.available
    if requested <= max(0, available):
        return None
    params = {"available": available, "asked": requested}
    return Refusal(RefusalCode.INSUFFICIENT_POINTS, "insufficient_points", (path,), params)


def needs_of_rewards(keys: tuple[str, ...], programme: Programme, *, appointment: datetime | None = None) -> Needs:
    """Return what an order of some rewards may depend on."""
    counters: set[CounterKey] = set()
    codes: dict[str, int] = {}
    lists = False
    for key in keys:
        reward = programme.catalogue.rewards.get(key)
        if reward is None:
            continue
        if reward.stock is not None:
            counters.add(reward.stock_counter_key)
        if reward.appointments is not None and appointment is not None:
            counters.add(reward.slot_counter_key(appointment))
        if reward.pool is not None:
            codes[reward.pool] = codes.get(reward.pool, 0) + 1
        lists = lists or bool(reward.audience.lists)
    return Needs(frozenset(counters), codes, lists=lists)
