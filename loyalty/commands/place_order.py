"""Ordering rewards: points, a piece, a code and an appointment are taken together, or none of them is."""

from dataclasses import dataclass, replace
from datetime import datetime

from loyalty.commands.allocation import Taken, insufficient, reward_of, shopper_for, take
from loyalty.commands.decision_builder import Draft
from loyalty.commands.hold import hold_of
from loyalty.kernel.calendar import cap_span
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.kernel.window import is_open
from loyalty.model.decision import Decision
from loyalty.model.event import Event
from loyalty.model.explanation import Explanation, Reason
from loyalty.model.facts import Facts
from loyalty.model.hold import Hold
from loyalty.model.ledger import Cause, LotKey
from loyalty.model.notice import NoticeKind
from loyalty.model.order import (
    QUANTITY_MAX,
    Delivery,
    Order,
    Ordered,
    OrderState,
    OrderStep,
    Recipient,
    derived_id,
    order_number,
    seed_of,
)
from loyalty.model.programme import Programme
from loyalty.model.reward import FULFILLED_AT_ONCE, InstantReward, Reward
from loyalty.model.supply import CodeMove, CodeState, CounterKey
from loyalty.rules.eligibility import missing

INSTANT_RULE = "instant/"


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Order a reward. `hold` is the hold that kept it for this checkout."""

    reward: str
    quantity: int
    channel: Channel
    cause: Cause
    hold: str | None = None
    recipient: Recipient | None = None
    appointment: datetime | None = None
    delivery: Delivery | None = None


def place(command: PlaceOrder, draft: Draft, facts: Facts) -> Decision | Refusal:
    """Return the decision to order a reward: everything it takes, or a refusal and nothing at all."""
    reward = reward_of(draft.programme, command.reward)
    if isinstance(reward, Refusal):
        return reward
    refusal = _unplaceable(reward, command, draft, facts)
    if refusal is not None:
        return refusal
    held: Hold | None = None
    if command.hold is not None:
        found = hold_of(draft.member, command.hold, "hold")
        if isinstance(found, Refusal):
            return found
        held = found
        if held.reward is not None and held.reward != reward.key:
            return Refusal(RefusalCode.CONFLICT, "hold_of_another_reward", ("hold",))
    order = _ordered(draft, facts, reward, command, held)
    if isinstance(order, Refusal):
        return order
    draft.orders[order.id] = order
    return draft.close(command.cause)


def _unplaceable(reward: Reward, command: PlaceOrder, draft: Draft, facts: Facts) -> Refusal | None:
    if not 1 <= command.quantity <= QUANTITY_MAX:
        return Refusal(RefusalCode.INVALID, "quantity_range", ("quantity",), {"max": QUANTITY_MAX})
    # Under a limit so many orders are so many pieces: nobody gets around it by ordering several at once.
    if command.quantity > 1 and (reward.pool or reward.appointments or reward.limit):
        return Refusal(RefusalCode.INVALID, "quantity_one", ("quantity",))
    shopper, relative = shopper_for(draft, reward.audience, facts), command.recipient is not None
    found = missing(
        reward, draft.member, draft.programme, shopper, draft.now, channel=command.channel, for_relative=relative
    )
    if found:
        return found[0].refusal()
    return _appointment_refusal(reward, command.appointment, draft.now, draft.programme)


def _appointment_refusal(reward: Reward, at: datetime | None, now: datetime, programme: Programme) -> Refusal | None:
    if reward.appointments is None:
        if at is None:
            return None
        return Refusal(RefusalCode.INVALID, "appointment_unexpected", ("appointment",))
    if at is None:
        return Refusal(RefusalCode.INVALID, "appointment_missing", ("appointment",))
    if not reward.appointments.offers(at, now, programme.zone):
        return Refusal(RefusalCode.INVALID, "appointment_invalid", ("appointment",))
    return None


def _ordered(draft: Draft, facts: Facts, reward: Reward, command: PlaceOrder, held: Hold | None) -> Order | Refusal:
    """Take all that an order takes, and return it."""
    points = reward.points * command.quantity
    # What was kept goes on to the order, unless the reward has changed or more of it is ordered than was kept.
    keeps = (
        held is not None
        and held.reward == reward.key
        and (command.quantity, command.appointment, held.pool) == (1, None, reward.pool)
    )
    if held is not None:
        draft.release(held, keeps_supplies=keeps, pays=True)
    if keeps and held is not None:
        taken: Taken | Refusal = Taken(held.took, held.code)
    else:
        taken = take(reward, command.quantity, command.appointment, draft, facts)
    if isinstance(taken, Refusal):
        return taken
    refusal = insufficient(draft, points, "reward")
    if refusal is not None:
        return refusal
    lots = draft.burn(points, channel=command.channel, reward=reward.key)
    return new_order(draft, reward, command, taken, points=points, lots=lots, was_held=keeps)


def new_order(
    draft: Draft,
    reward: Reward,
    command: PlaceOrder,
    taken: Taken,
    *,
    points: int,
    lots: tuple[tuple[LotKey, int], ...],
    was_held: bool = False,
    origin: str | None = None,
    name: str = "",
) -> Order:
    """Return a new order, with what it takes noted; `name` tells apart what one key makes."""
    seed = seed_of(draft.programme.key, command.cause, name)
    order_id = derived_id(seed)
    if not was_held:
        draft.taken.update(taken.counters)
    if reward.pool is not None and taken.code is not None:
        before = CodeState.HELD if was_held else CodeState.FREE
        draft.codes.append(CodeMove(reward.pool, taken.code, before, CodeState.GIVEN, f"order/{order_id}"))
    relative = command.recipient is not None
    span = reward.limit_span(draft.now, draft.programme.zone)
    if span:
        draft.count_order(reward.limit_key(for_relative=relative), span, 1)
    states = [OrderState.PLACED]
    if reward.kind in FULFILLED_AT_ONCE:
        states.append(OrderState.FULFILLED)
    role = command.cause.role
    order = Order(
        id=order_id,
        number=order_number(seed),
        member=draft.member.id,
        reward=Ordered(
            reward.key,
            reward.kind,
            reward.title,
            reward.description,
            reward.category,
            reward.points,
            reward.image,
            reward.partner,
        ),
        quantity=command.quantity,
        points=points,
        state=states[-1],
        placed_at=draft.now,
        channel=command.channel,
        history=tuple(OrderStep(state, draft.now, role) for state in states),
        lots=lots,
        recipient=command.recipient,
        delivery=command.delivery,
        appointment=command.appointment,
        took=_counted(taken.counters),
        pool=reward.pool,
        code=taken.code,
        limit_key=reward.limit_key(for_relative=relative) if span else "",
        limit_span=span,
        placed_version=draft.version,
        origin=origin,
    )
    kind = NoticeKind.ORDER_PLACED if origin is None else NoticeKind.REWARD_GRANTED
    draft.notice(kind, reward=reward.key, order=order.number)
    return order


def _counted(counters: tuple[CounterKey, ...]) -> tuple[tuple[CounterKey, int], ...]:
    return tuple((counter, counters.count(counter)) for counter in dict.fromkeys(counters))


def grant(draft: Draft, facts: Facts, key: str, *, origin: str, cause: Cause) -> Order | Refusal:
    """Give a reward at no points, because of an offer or a purchase; return its order."""
    reward = reward_of(draft.programme, key)
    if isinstance(reward, Refusal):
        return reward
    if reward.appointments is not None:
        return Refusal(RefusalCode.INVALID, "appointment_missing", ("reward",))
    taken = take(reward, 1, None, draft, facts)
    if isinstance(taken, Refusal):
        return taken
    command, unlimited = PlaceOrder(key, 1, Channel.SYSTEM, cause), replace(reward, limit=None)
    order = new_order(draft, unlimited, command, taken, points=0, lots=(), origin=origin, name=origin)
    draft.orders[order.id] = order
    return order


def grant_instantly(event: Event, draft: Draft, facts: Facts, cause: Cause) -> list[Explanation]:
    """Give the instant rewards that a purchase deserves; return an explanation for each one there is."""
    told: list[Explanation] = []
    for instant in draft.programme.catalogue.instant_rewards:
        rule = f"{INSTANT_RULE}{instant.key}"
        reason = _ungranted(instant, event, draft, facts)
        if reason is None:
            granted = grant(draft, facts, instant.reward, origin=rule, cause=cause)
            reason = Reason.OUT_OF_STOCK if isinstance(granted, Refusal) else Reason.GRANTED
        if reason is Reason.GRANTED and instant.limit is not None:
            span = _instant_span(instant, event, draft.programme)
            draft.count_order(rule, span, 1)
        params: dict[str, str | int] = {"reward": instant.reward}
        if reason is Reason.BELOW_MINIMUM:
            params["minimum"] = f"{instant.minimum} {draft.programme.currency}"
        told.append(Explanation(rule, 0, applied=reason is Reason.GRANTED, reason=reason, params=params))
    return told


def _instant_span(instant: InstantReward, event: Event, programme: Programme) -> str:
    if instant.limit is None:
        return ""
    day = event.occurred_at.astimezone(programme.zone).date()
    return cap_span(day, instant.limit.period)


def _ungranted(instant: InstantReward, event: Event, draft: Draft, facts: Facts) -> Reason | None:
    """Return why a purchase is not given an instant reward; None where it is."""
    programme = draft.programme
    if event.purchase is None or event.purchase.total < instant.minimum:
        return Reason.BELOW_MINIMUM
    if instant.channels and event.channel not in instant.channels:
        return Reason.CHANNEL
    if instant.stores and event.store not in instant.stores:
        return Reason.STORE
    if instant.window is not None and not is_open(instant.window, event.occurred_at, programme.zone):
        return Reason.WINDOW
    if not instant.audience.fits(shopper_for(draft, instant.audience, facts)):
        return Reason.AUDIENCE
    if instant.limit is not None:
        counted = draft.member.ordered.get(f"{INSTANT_RULE}{instant.key}", {})
        if counted.get(_instant_span(instant, event, programme), 0) >= instant.limit.orders:
            return Reason.LIMIT
    return None
