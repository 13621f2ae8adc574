"""Ordering rewards: points, a piece, a code and an appointment are taken together, or none of them is.

What comes back goes to the lots it came from. Two policies meet there: points that a refund asks back may be spent
already, and then the balance goes below zero or the brand writes them off. What an order or a hold of before such a
write-off gives back makes it good first: so buying, ordering, refunding and cancelling end alike in any order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loyalty.calendar import cap_span
from loyalty.decision import Decision
from loyalty.draft import Draft
from loyalty.event import Channel, Event
from loyalty.explanation import Explanation, Reason
from loyalty.hold import HOLDS_MAX, TTL_SECONDS_MAX, Hold
from loyalty.ledger import Cause, LotKey
from loyalty.member import Member
from loyalty.notice import NoticeKind
from loyalty.order import (
    QUANTITY_MAX,
    STEPS,
    Delivery,
    Order,
    Ordered,
    OrderState,
    OrderStep,
    Recipient,
    derived_id,
    order_number,
    points_for,
    seed_of,
)
from loyalty.programme import Programme
from loyalty.refusal import Refusal, RefusalCode
from loyalty.reward import FULFILLED_AT_ONCE, InstantReward, Reward
from loyalty.shopper import MemberShopper
from loyalty.supply import CodeMove, CodeState, CounterKey, Facts, Needs
from loyalty.window import is_open, is_over, next_span

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


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Take an order back before it is on its way."""

    order: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class AdvanceOrder:
    """Move an order to its next state.

    `quantity` is how many pieces come back with RETURNED (None: all that are out); `exchange_for` the reward that is
    given with EXCHANGED in its stead, the same again or another.
    """

    order: str
    state: OrderState
    cause: Cause
    note: str | None = None
    tracking_url: str | None = None
    quantity: int | None = None
    exchange_for: str | None = None


@dataclass(frozen=True, slots=True)
class HoldPoints:
    """Keep points for a checkout, or all that a reward takes."""

    reward: str | None
    points: int | None
    ttl_seconds: int
    channel: Channel
    cause: Cause


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    """Let a hold go before its time."""

    hold: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that keeps a member from a reward; what a refusal says, and what a catalogue shows."""

    code: RefusalCode
    reason: str
    params: Mapping[str, str | int]
    path: tuple[str, ...] = ("reward",)

    def refusal(self) -> Refusal:
        """Return it as the refusal of an order."""
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
    """Return what keeps a member from a reward besides its price and what is left of it; nothing: it may be ordered."""
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
        counted = member.ordered.get(reward.limit_key(for_relative=for_relative), {})
        if counted.get(reward.limit_span(now, programme.zone), 0) >= reward.limit.orders:
            params = {"orders": reward.limit.orders, "period": reward.limit.period.value}
            found.append(Missing(RefusalCode.LIMIT_REACHED, "reward_limit", params))
    return found


@dataclass(frozen=True, slots=True)
class _Taken:
    """What an order or a hold takes of what is shared."""

    counters: tuple[CounterKey, ...]
    code: str | None


def _take(reward: Reward, quantity: int, appointment: datetime | None, draft: Draft, facts: Facts) -> _Taken | Refusal:
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
        code = _free_code(reward.pool, draft, facts)
        if code is None:
            return Refusal(RefusalCode.OUT_OF_STOCK, "codes_gone", ("reward",))
    return _Taken(counters, code)


def _free_code(pool: str, draft: Draft, facts: Facts) -> str | None:
    """Return a code of a pool that nobody has: first what the draft itself has let go, for it may be the last one."""
    moved = {move.code: move.after for move in draft.codes if move.pool == pool}
    freed = next((code for code, after in moved.items() if after is CodeState.FREE), None)
    return freed if freed is not None else facts.free_code(pool, but=moved)


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


def _shopper(draft: Draft, reward: Reward, facts: Facts) -> MemberShopper:
    lists = facts.member_lists() if reward.audience.lists else frozenset[str]()
    return MemberShopper(draft.member, draft.programme, lists, draft.now)


def _reward_of(programme: Programme, key: str) -> Reward | Refusal:
    reward = programme.catalogue.rewards.get(key)
    return reward if reward is not None else Refusal(RefusalCode.NOT_FOUND, "reward_not_found", ("reward",))


def _insufficient(draft: Draft, asked: int, path: str) -> Refusal | None:
    available = draft.member.available
    if asked <= max(0, available):
        return None
    params = {"available": available, "asked": asked}
    return Refusal(RefusalCode.INSUFFICIENT_POINTS, "insufficient_points", (path,), params)


def place(command: PlaceOrder, draft: Draft, facts: Facts) -> Decision | Refusal:
    """Return the decision to order a reward: everything it takes, or a refusal and nothing at all."""
    reward = _reward_of(draft.programme, command.reward)
    if isinstance(reward, Refusal):
        return reward
    refusal = _unplaceable(reward, command, draft, facts)
    if refusal is not None:
        return refusal
    held: Hold | None = None
    if command.hold is not None:
        found = _hold_of(draft.member, command.hold, "hold")
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
    shopper, relative = _shopper(draft, reward, facts), command.recipient is not None
    found = missing(
        reward, draft.member, draft.programme, shopper, draft.now, channel=command.channel, for_relative=relative
    )
    if found:
        return found[0].refusal()
    return _appointment_refusal(reward, command.appointment, draft.now, draft.programme)


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
        taken: _Taken | Refusal = _Taken(held.took, held.code)
    else:
        taken = _take(reward, command.quantity, command.appointment, draft, facts)
    if isinstance(taken, Refusal):
        return taken
    refusal = _insufficient(draft, points, "reward")
    if refusal is not None:
        return refusal
    lots = draft.burn(points, channel=command.channel, reward=reward.key)
    return _new_order(draft, reward, command, taken, points=points, lots=lots, was_held=keeps)


def _new_order(
    draft: Draft,
    reward: Reward,
    command: PlaceOrder,
    taken: _Taken,
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
    reward = _reward_of(draft.programme, key)
    if isinstance(reward, Refusal):
        return reward
    if reward.appointments is not None:
        return Refusal(RefusalCode.INVALID, "appointment_missing", ("reward",))
    taken = _take(reward, 1, None, draft, facts)
    if isinstance(taken, Refusal):
        return taken
    command, unlimited = PlaceOrder(key, 1, Channel.SYSTEM, cause), replace(reward, limit=None)
    order = _new_order(draft, unlimited, command, taken, points=0, lots=(), origin=origin, name=origin)
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
    lists = facts.member_lists() if instant.audience.lists else frozenset[str]()
    if not instant.audience.fits(MemberShopper(draft.member, programme, lists, draft.now)):
        return Reason.AUDIENCE
    if instant.limit is not None:
        counted = draft.member.ordered.get(f"{INSTANT_RULE}{instant.key}", {})
        if counted.get(_instant_span(instant, event, programme), 0) >= instant.limit.orders:
            return Reason.LIMIT
    return None


def _order_of(facts: Facts, draft: Draft, key: str) -> Order | Refusal:
    order = facts.orders.get(key)
    if order is None or order.member != draft.member.id:
        return Refusal(RefusalCode.NOT_FOUND, "order_not_found", ("order",))
    return order


def _step_refusal(order: Order, state: OrderState, role: str) -> Refusal | None:
    """Return why a role may not move an order to a state, or None."""
    allowed = STEPS[order.state].get(state)
    if allowed is not None and role in allowed:
        return None
    params: dict[str, str | int] = {"state": order.state.value, "asked": state.value}
    if allowed is not None:
        return Refusal(RefusalCode.NOT_ELIGIBLE, "order_step_role", ("order",), {**params, "role": role})
    if state is OrderState.CANCELLED:
        return Refusal(RefusalCode.CONFLICT, "order_not_cancellable", ("order",), params)
    following = ", ".join(step.value for step, roles in STEPS[order.state].items() if role in roles)
    return Refusal(
        RefusalCode.CONFLICT,
        "order_step" if following else "order_over",
        ("state",),
        {**params, "following": following},
    )


def _stepped(order: Order, state: OrderState, draft: Draft, role: str, note: str | None = None) -> Order:
    step = OrderStep(state, draft.now, role, note)
    draft.notice(NoticeKind(f"order_{state.value.lower()}"), reward=order.reward.key, order=order.number)
    return replace(order, state=state, history=(*order.history, step))


def cancel(command: CancelOrder, draft: Draft, facts: Facts) -> Decision | Refusal:
    """Return the decision to cancel an order: its points, its piece, its code and its appointment go back."""
    order = _order_of(facts, draft, command.order)
    if isinstance(order, Refusal):
        return order
    refusal = _step_refusal(order, OrderState.CANCELLED, command.cause.role)
    if refusal is not None:
        return refusal
    order = _stepped(order, OrderState.CANCELLED, draft, command.cause.role, command.cause.reason)
    order = _back(order, order.quantity - order.returned, draft)
    draft.orders[order.id] = order
    return draft.close(command.cause)


def _back(order: Order, pieces: int, draft: Draft, *, pays: bool = False) -> Order:
    """Give back what so many pieces of an order took; with `pays` their points pay for another one next."""
    returned = order.returned + pieces
    points = points_for(order, returned) - order.points_returned
    parts, left = _last_parts(order.lots, points)
    draft.unburn(parts, since=order.placed_version, channel=Channel.SYSTEM, reward=order.reward.key, pays=pays)
    if returned == order.quantity and order.limit_span:
        draft.count_order(order.limit_key, order.limit_span, -1)
    return replace(_supplies_back(order, pieces, draft), points_returned=order.points_returned + points, lots=left)


def _supplies_back(order: Order, pieces: int, draft: Draft) -> Order:
    """Give back what so many pieces of an order took of what is shared. A code that was shown goes to nobody else."""
    kept: list[tuple[CounterKey, int]] = []
    for counter, taken in order.took:
        back = min(pieces, taken)
        draft.taken[counter] -= back
        if taken - back:
            kept.append((counter, taken - back))
    if order.pool is not None and order.code is not None:
        after = CodeState.VOID if order.code_is_shown else CodeState.FREE
        draft.codes.append(CodeMove(order.pool, order.code, CodeState.GIVEN, after, None))
    return replace(
        order,
        returned=order.returned + pieces,
        took=tuple(kept),
        code=order.code if order.code_is_shown else None,
    )


def _last_parts(
    lots: tuple[tuple[LotKey, int], ...], points: int
) -> tuple[list[tuple[LotKey, int]], tuple[tuple[LotKey, int], ...]]:
    """Split off so many points from the end of an order's lots: those that live longest go back first."""
    parts: list[tuple[LotKey, int]] = []
    left = list(lots)
    while points:
        lot, held = left.pop()
        part = min(held, points)
        parts.append((lot, part))
        if held > part:
            left.append((lot, held - part))
        points -= part
    return parts, tuple(left)


def advance(command: AdvanceOrder, draft: Draft, facts: Facts) -> Decision | Refusal:
    """Return the decision to move an order on."""
    order = _order_of(facts, draft, command.order)
    if isinstance(order, Refusal):
        return order
    state, role = command.state, command.cause.role
    if state is OrderState.CANCELLED:
        return Refusal(RefusalCode.INVALID, "order_cancel_instead", ("state",))
    refusal = _step_refusal(order, state, role) or _advance_input_refusal(command, order)
    if refusal is not None:
        return refusal
    if command.tracking_url is not None:
        order = replace(order, tracking_url=command.tracking_url)
    if state is OrderState.RETURNED:
        order = _returned(command, order, draft)
    elif state is OrderState.EXCHANGED:
        exchanged = _exchanged(command, order, draft, facts)
        if isinstance(exchanged, Refusal):
            return exchanged
        order = exchanged
    else:
        order = _stepped(order, state, draft, role, command.note)
    draft.orders[order.id] = order
    return draft.close(command.cause)


def _advance_input_refusal(command: AdvanceOrder, order: Order) -> Refusal | None:
    if command.quantity is not None:
        most = order.quantity - order.returned
        if command.state is not OrderState.RETURNED:
            return Refusal(RefusalCode.INVALID, "order_quantity_unexpected", ("quantity",))
        if not 1 <= command.quantity <= most:
            return Refusal(RefusalCode.INVALID, "order_quantity_range", ("quantity",), {"max": most})
    if command.exchange_for is not None and command.state is not OrderState.EXCHANGED:
        return Refusal(RefusalCode.INVALID, "exchange_unexpected", ("exchangeFor",))
    return None


def _returned(command: AdvanceOrder, order: Order, draft: Draft) -> Order:
    """Take pieces back. While some are still out, the order stays in the state that it was in before."""
    out = order.quantity - order.returned
    pieces = command.quantity if command.quantity is not None else out
    stays = order.before_request if order.state is OrderState.RETURN_REQUESTED else order.state
    order = _stepped(order, OrderState.RETURNED, draft, command.cause.role, command.note)
    order = _back(order, pieces, draft)
    return order if pieces == out else replace(order, state=stays)


def _exchanged(command: AdvanceOrder, order: Order, draft: Draft, facts: Facts) -> Order | Refusal:
    """Take an order back and place another in its stead: points, pieces and limits of both are settled together."""
    reward = _reward_of(draft.programme, command.exchange_for or "")
    if isinstance(reward, Refusal):
        return replace(reward, path=("exchangeFor",))
    out = order.quantity - order.returned
    same = reward.key == order.reward.key
    one_each = reward.pool is not None or (reward.limit is not None and not same)
    if reward.appointments is not None or (one_each and out > 1):
        return Refusal(RefusalCode.INVALID, "exchange_impossible", ("exchangeFor",))
    order = _stepped(order, OrderState.EXCHANGED, draft, command.cause.role, command.note)
    if same:
        back = replace(_supplies_back(order, out, draft), points_returned=order.points, lots=())
        following = _same_again(reward, command, order, draft, facts)
    else:
        back = _back(order, out, draft, pays=True)
        following = _another(reward, command, order, draft, facts)
    if isinstance(following, Refusal):
        return replace(following, path=("exchangeFor",))
    draft.orders[following.id] = following
    return replace(back, exchanged_for=following.id)


def _instead(reward: Reward, command: AdvanceOrder, order: Order) -> PlaceOrder:
    """Return what is ordered in the stead of the pieces of an order that are out."""
    out = order.quantity - order.returned
    return PlaceOrder(reward.key, out, order.channel, command.cause, recipient=order.recipient, delivery=order.delivery)


def _same_again(reward: Reward, command: AdvanceOrder, order: Order, draft: Draft, facts: Facts) -> Order | Refusal:
    """Place an order anew that the member had a right to once: its points stay spent, whatever its price is by now.

    It counts where the first one counted: no debt, expired lot or limit of since then stands in its way.
    """
    again, unlimited = _instead(reward, command, order), replace(reward, limit=None)
    taken = _take(reward, again.quantity, None, draft, facts)
    if isinstance(taken, Refusal):
        return taken
    points = order.points - order.points_returned
    origin = f"order/{order.id}"
    following = _new_order(draft, unlimited, again, taken, points=points, lots=order.lots, origin=origin)
    return replace(
        following,
        limit_key=order.limit_key,
        limit_span=order.limit_span,
        placed_version=order.placed_version,
    )


def _another(reward: Reward, command: AdvanceOrder, order: Order, draft: Draft, facts: Facts) -> Order | Refusal:
    """Place an order of another reward; the points that came back for the first one are there to pay for it."""
    shopper = _shopper(draft, reward, facts)
    relative = order.recipient is not None
    found = missing(reward, draft.member, draft.programme, shopper, draft.now, for_relative=relative)
    if found:
        return found[0].refusal()
    again = _instead(reward, command, order)
    taken = _take(reward, again.quantity, None, draft, facts)
    if isinstance(taken, Refusal):
        return taken
    points = reward.points * again.quantity
    refusal = _insufficient(draft, points, "exchangeFor")
    if refusal is not None:
        return refusal
    lots = draft.burn(points, channel=order.channel, reward=reward.key)
    return _new_order(draft, reward, again, taken, points=points, lots=lots, origin=f"order/{order.id}")


def _hold_of(member: Member, hold: str, path: str) -> Hold | Refusal:
    found = next((kept for kept in member.holds if kept.id == hold), None)
    if found is not None:
        return found
    if hold in member.lapsed:
        return Refusal(RefusalCode.EXPIRED, "hold_lapsed", (path,))
    return Refusal(RefusalCode.NOT_FOUND, "hold_not_found", (path,))


def hold(command: HoldPoints, draft: Draft, facts: Facts) -> Decision | Refusal:
    """Return the decision to keep points, a piece and a code for a checkout."""
    refusal = _hold_input_refusal(command, draft.member)
    if refusal is not None:
        return refusal
    reward: Reward | None = None
    taken = _Taken((), None)
    if command.reward is not None:
        found = _reward_of(draft.programme, command.reward)
        if isinstance(found, Refusal):
            return found
        took = _keep(found, command, draft, facts)
        if isinstance(took, Refusal):
            return took
        reward, taken = found, took
    points = command.points if command.points is not None else (reward.points if reward is not None else 0)
    refusal = _insufficient(draft, points, "points" if command.points is not None else "reward")
    if refusal is not None:
        return refusal
    hold_id = derived_id(seed_of(draft.programme.key, command.cause))
    kept = Hold(
        id=hold_id,
        points=points,
        expires_at=draft.now + timedelta(seconds=command.ttl_seconds),
        lots=(),
        reward=reward.key if reward is not None else None,
        took=taken.counters,
        pool=reward.pool if reward is not None else None,
        code=taken.code,
    )
    draft.hold(kept, channel=command.channel)
    if kept.pool is not None and kept.code is not None:
        draft.codes.append(CodeMove(kept.pool, kept.code, CodeState.FREE, CodeState.HELD, f"hold/{hold_id}"))
    return draft.close(command.cause, hold=draft.member.holds[-1])


def _hold_input_refusal(command: HoldPoints, member: Member) -> Refusal | None:
    if not 1 <= command.ttl_seconds <= TTL_SECONDS_MAX:
        return Refusal(RefusalCode.INVALID, "hold_ttl", ("ttlSeconds",), {"max": TTL_SECONDS_MAX})
    if len(member.holds) >= HOLDS_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "holds_max", ("member",), {"max": HOLDS_MAX})
    if command.reward is None and command.points is None:
        return Refusal(RefusalCode.INVALID, "hold_nothing", ("points",))
    if command.points is not None and command.points < (0 if command.reward is not None else 1):
        return Refusal(RefusalCode.INVALID, "hold_points", ("points",))
    return None


def _keep(reward: Reward, command: HoldPoints, draft: Draft, facts: Facts) -> _Taken | Refusal:
    """Return what a hold takes of a reward, or why the member cannot have it."""
    shopper = _shopper(draft, reward, facts)
    found = missing(reward, draft.member, draft.programme, shopper, draft.now, channel=command.channel)
    return found[0].refusal() if found else _take(reward, 1, None, draft, facts)


def release(command: ReleaseHold, draft: Draft) -> Decision | Refusal:
    """Return the decision to let a hold go."""
    found = _hold_of(draft.member, command.hold, "hold")
    if isinstance(found, Refusal):
        return found
    draft.release(found)
    return draft.close(command.cause, hold=found)


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
