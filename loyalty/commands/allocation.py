"""What orders and holds take of what members share: pieces, codes and appointments, as far as they are there."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.commands.decision_builder import Draft
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.facts import Facts, Needs
from loyalty.model.offer import Audience
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from loyalty.model.supply import CodeState, CounterKey
from loyalty.rules.segmentation import MemberShopper


@dataclass(frozen=True, slots=True)
class Taken:
    """What an order or a hold takes of what is shared."""

    counters: tuple[CounterKey, ...]
    code: str | None


def take(reward: Reward, quantity: int, appointment: datetime | None, draft: Draft, facts: Facts) -> Taken | Refusal:
    """Return what ordering takes, or why it is not there any more; what the draft has taken already counts."""
    counters: tuple[CounterKey, ...] = ()
    code: str | None = None
    if reward.stock is not None:
        left = max(0, reward.stock - facts.taken_of(reward.stock_counter) - draft.taken[reward.stock_counter])
        if left < quantity:
            path = ("reward",) if left == 0 else ("quantity",)
            return Refusal(RefusalCode.OUT_OF_STOCK, "out_of_stock" if left == 0 else "too_few", path, {"left": left})
        counters += (reward.stock_counter,) * quantity
    if appointment is not None and reward.appointments is not None:
        slot = reward.slot_counter(appointment)
        if facts.taken_of(slot) + draft.taken[slot] >= reward.appointments.capacity:
            return Refusal(RefusalCode.OUT_OF_STOCK, "appointment_taken", ("appointment",))
        counters += (slot,)
    if reward.pool is not None:
        code = free_code(reward.pool, draft, facts)
        if code is None:
            return Refusal(RefusalCode.OUT_OF_STOCK, "codes_gone", ("reward",))
    return Taken(counters, code)


def free_code(pool: str, draft: Draft, facts: Facts) -> str | None:
    """Return a code of a pool that nobody has: first what the draft itself has let go, for it may be the last one."""
    moved = {move.code: move.after for move in draft.codes if move.pool == pool}
    freed = next((code for code, after in moved.items() if after is CodeState.FREE), None)
    return freed if freed is not None else facts.free_code(pool, but=moved)


def shopper_for(draft: Draft, audience: Audience, facts: Facts) -> MemberShopper:
    """Return the member as an audience sees it; the lists are asked for only where the audience names some."""
    lists = facts.member_lists() if audience.lists else frozenset[str]()
    return MemberShopper(draft.member, draft.programme, lists, draft.now)


def reward_of(programme: Programme, key: str) -> Reward | Refusal:
    """Return the reward of a key, or that there is none."""
    reward = programme.catalogue.rewards.get(key)
    return reward if reward is not None else Refusal(RefusalCode.NOT_FOUND, "reward_not_found", ("reward",))


def insufficient(draft: Draft, asked: int, path: str) -> Refusal | None:
    """Return that a member has fewer points to spend than are asked, or None."""
    available = draft.member.available
    if asked <= max(0, available):
        return None
    params = {"available": available, "asked": asked}
    return Refusal(RefusalCode.INSUFFICIENT_POINTS, "insufficient_points", (path,), params)


def needs_of_rewards(keys: tuple[str, ...], programme: Programme, *, appointment: datetime | None = None) -> Needs:
    """Return what ordering some rewards may depend on."""
    counters: set[CounterKey] = set()
    codes: dict[str, int] = {}
    lists = False
    for key in keys:
        reward = programme.catalogue.rewards.get(key)
        if reward is None:
            continue
        if reward.stock is not None:
            counters.add(reward.stock_counter)
        if reward.appointments is not None and appointment is not None:
            counters.add(reward.slot_counter(appointment))
        if reward.pool is not None:
            codes[reward.pool] = codes.get(reward.pool, 0) + 1
        lists = lists or bool(reward.audience.lists)
    return Needs(frozenset(counters), codes, lists=lists)
