"""Orders: a reward's points, piece, code and appointment are taken together, or none of them is."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loyalty.commands.allocation import (
    Allocation,
    allocate,
    insufficient_points,
    needs_of_rewards,
    reward_of,
    segmentation_input,
)
from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.hold import hold_of
from loyalty.commands.registry import Members, handles
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import INSTANT_RULE, Consequence, Event
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.facts import Needs
from loyalty.model.hold import Hold
from loyalty.model.ledger import Cause, LotKey
from loyalty.model.notice import NoticeKind
from loyalty.model.order import (
    QUANTITY_MAX,
    Delivery,
    Order,
    OrderedReward,
    OrderState,
    OrderStep,
    Recipient,
    id_from_seed,
    idempotency_seed,
    order_number,
)
from loyalty.model.programme import Programme
from loyalty.model.reward import FULFILLED_ON_PLACEMENT, InstantReward, Reward
from loyalty.model.supply import CodeState, CodeTransition, CounterKey
from loyalty.rules.availability import Visit, is_limit_reached, limit_span, obstacles, outcome_of
from loyalty.rules.eligibility import ineligibilities

# An instant reward is for a shopper who has just bought. A till may be offline for a day; later than this gets none.
INSTANT_LATE_MAX = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Order a reward. `hold` is the hold that reserved it for this checkout."""

    reward: str
    quantity: int
    channel: Channel
    cause: Cause
    hold: str | None = None
    recipient: Recipient | None = None
    appointment: datetime | None = None
    delivery: Delivery | None = None


def _needs(command: PlaceOrder, _members: Members, programme: Programme) -> Needs:
    return needs_of_rewards((command.reward,), programme, appointment=command.appointment)


@handles(PlaceOrder, operation="place-order", needs=_needs)
def place(command: PlaceOrder, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to order a reward with everything that it takes."""
    reward = reward_of(builder.programme, command.reward)
    if isinstance(reward, Refusal):
        return reward
    refusal = _unplaceable(reward, command, builder)
    if refusal is not None:
        return refusal
    held: Hold | None = None
    if command.hold is not None:
        found = hold_of(builder.member, command.hold, "hold")
        if isinstance(found, Refusal):
            return found
        held = found
        if held.reward is not None and held.reward != reward.key:
            return Refusal(RefusalCode.CONFLICT, "hold_of_another_reward", ("hold",))
    order = _ordered(builder, reward, command, held)
    if isinstance(order, Refusal):
        return order
    builder.orders[order.id] = order
    return builder.close(command.cause)


def _unplaceable(reward: Reward, command: PlaceOrder, builder: DecisionBuilder) -> Refusal | None:
    if not 1 <= command.quantity <= QUANTITY_MAX:
        return Refusal(RefusalCode.INVALID, "quantity_range", ("quantity",), {"max": QUANTITY_MAX})
    # A limit counts orders: ordering several pieces at once must not get around it.
    if command.quantity > 1 and (reward.pool or reward.appointments or reward.limit):
        return Refusal(RefusalCode.INVALID, "quantity_one", ("quantity",))
    segmentation, relative = segmentation_input(builder, reward.audience), command.recipient is not None
    found = ineligibilities(
        reward,
        builder.member,
        builder.programme,
        segmentation,
        builder.now,
        channel=command.channel,
        for_relative=relative,
    )
    if found:
        return found[0].refusal()
    return _appointment_refusal(reward, command.appointment, builder.now, builder.programme)


def _appointment_refusal(reward: Reward, at: datetime | None, now: datetime, programme: Programme) -> Refusal | None:
    if reward.appointments is None:
        if at is None:
            return None
        return Refusal(RefusalCode.INVALID, "appointment_unexpected", ("appointment",))
    if at is None:
        return Refusal(RefusalCode.INVALID, "appointment_missing", ("appointment",))
    if not reward.appointments.is_bookable(at, now, programme.zone):
        return Refusal(RefusalCode.INVALID, "appointment_invalid", ("appointment",))
    return None


def _ordered(builder: DecisionBuilder, reward: Reward, command: PlaceOrder, held: Hold | None) -> Order | Refusal:
    """Take everything that an order takes, and return the order."""
    points = reward.points * command.quantity
    # The held piece and code pass on to the order, unless the reward has changed or more is ordered than was held.
    keeps = (
        held is not None
        and held.reward == reward.key
        and (command.quantity, command.appointment, held.pool) == (1, None, reward.pool)
    )
    if held is not None:
        builder.release(held, keep_supplies=keeps, spends_on_order=True)
    if keeps and held is not None:
        allocation: Allocation | Refusal = Allocation(held.took, held.code)
    else:
        allocation = allocate(reward, command.quantity, command.appointment, builder)
    if isinstance(allocation, Refusal):
        return allocation
    refusal = insufficient_points(builder, points, "reward")
    if refusal is not None:
        return refusal
    lots = builder.burn(points, channel=command.channel, reward=reward.key)
    return new_order(builder, reward, command, allocation, points=points, lots=lots, was_held=keeps)


def new_order(
    builder: DecisionBuilder,
    reward: Reward,
    command: PlaceOrder,
    allocation: Allocation,
    *,
    points: int,
    lots: tuple[tuple[LotKey, int], ...],
    was_held: bool = False,
    origin: str | None = None,
    name: str = "",
) -> Order:
    """Return a new order, and note what it takes; `name` tells apart the orders that one key creates."""
    seed = idempotency_seed(builder.programme.key, command.cause, name)
    order_id = id_from_seed(seed)
    if not was_held:
        builder.counter_changes.update(allocation.counters)
    if reward.pool is not None and allocation.code is not None:
        before = CodeState.HELD if was_held else CodeState.FREE
        builder.code_moves.append(
            CodeTransition(reward.pool, allocation.code, before, CodeState.ISSUED, f"order/{order_id}")
        )
    relative = command.recipient is not None
    span = reward.limit_period(builder.now, builder.programme.zone)
    if span:
        builder.count_order(reward.limit_key(for_relative=relative), span, 1)
    states = [OrderState.PLACED]
    if reward.kind in FULFILLED_ON_PLACEMENT:
        states.append(OrderState.FULFILLED)
    role = command.cause.role
    order = Order(
        id=order_id,
        number=order_number(seed),
        member=builder.member.id,
        reward=OrderedReward(
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
        placed_at=builder.now,
        channel=command.channel,
        history=tuple(OrderStep(state, builder.now, role) for state in states),
        lots=lots,
        recipient=command.recipient,
        delivery=command.delivery,
        appointment=command.appointment,
        took=_counted(allocation.counters),
        pool=reward.pool,
        code=allocation.code,
        limit_key=reward.limit_key(for_relative=relative) if span else "",
        limit_span=span,
        placed_version=builder.version,
        origin=origin,
    )
    order = _with_voucher(order, reward, builder)
    kind = NoticeKind.ORDER_PLACED if origin is None else NoticeKind.REWARD_GRANTED
    builder.notice(kind, reward=reward.key, order=order.number)
    return order


def _with_voucher(order: Order, reward: Reward, builder: DecisionBuilder) -> Order:
    """Return an order with what its reward says of its voucher, if it has one."""
    if not order.has_voucher:
        return order
    terms = reward.voucher
    return replace(
        order,
        voucher_expires_at=terms.expires_at(order.placed_at, builder.programme.zone),
        voucher_worth=terms.worth,
    )


def _counted(counters: tuple[CounterKey, ...]) -> tuple[tuple[CounterKey, int], ...]:
    return tuple((counter, counters.count(counter)) for counter in dict.fromkeys(counters))


def grant(builder: DecisionBuilder, key: str, *, origin: str, cause: Cause) -> Order | Refusal:
    """Give a reward for no points, because of an offer or a purchase; return its order."""
    reward = reward_of(builder.programme, key)
    if isinstance(reward, Refusal):
        return reward
    if reward.appointments is not None:
        return Refusal(RefusalCode.INVALID, "appointment_missing", ("reward",))
    allocation = allocate(reward, 1, None, builder)
    if isinstance(allocation, Refusal):
        return allocation
    command, unlimited = PlaceOrder(key, 1, Channel.SYSTEM, cause), replace(reward, limit=None)
    order = new_order(builder, unlimited, command, allocation, points=0, lots=(), origin=origin, name=origin)
    builder.orders[order.id] = order
    return order


def grant_instantly(
    event: Event, builder: DecisionBuilder, cause: Cause
) -> tuple[tuple[Consequence, ...], list[Explanation]]:
    """Give the instant rewards that a purchase qualifies for; return them, and an explanation for each there is."""
    given: list[Consequence] = []
    explained: list[Explanation] = []
    for instant in builder.programme.catalogue.instant_rewards:
        rule, span = f"{INSTANT_RULE}{instant.key}", ""
        reason = _not_granted_reason(instant, event, builder)
        if reason is None:
            granted = grant(builder, instant.reward, origin=rule, cause=cause)
            if isinstance(granted, Refusal):
                reason = RuleOutcome.OUT_OF_STOCK
            else:
                reason = RuleOutcome.GRANTED
                if instant.limit is not None:
                    span = limit_span(instant.limit, event.occurred_at, builder.programme.zone)
                    builder.count_order(rule, span, 1)
                given.append(Consequence(rule, order=granted.id, span=span))
        params: dict[str, str | int] = {"reward": instant.reward}
        if reason is RuleOutcome.BELOW_MINIMUM:
            params["minimum"] = f"{instant.minimum_total} {builder.programme.currency}"
        if reason is RuleOutcome.TOO_LATE:
            params["days"] = INSTANT_LATE_MAX.days
        explained.append(Explanation(rule, 0, applied=reason is RuleOutcome.GRANTED, reason=reason, params=params))
    return tuple(given), explained


def _not_granted_reason(instant: InstantReward, event: Event, builder: DecisionBuilder) -> RuleOutcome | None:
    """Return why a purchase does not get an instant reward, or None."""
    zone, at = builder.programme.zone, event.occurred_at
    if event.purchase is None or event.purchase.total < instant.minimum_total:
        return RuleOutcome.BELOW_MINIMUM
    if builder.now - at > INSTANT_LATE_MAX:
        return RuleOutcome.TOO_LATE
    segmentation = segmentation_input(builder, instant.audience)
    visit = Visit(at, at.astimezone(zone), event.channel, event.store, segmentation=segmentation)
    obstacle = next(
        obstacles(
            visit,
            window=instant.window,
            channels=instant.channels,
            stores=instant.stores,
            audience=instant.audience,
        ),
        None,
    )
    if obstacle is not None:
        return outcome_of(obstacle)
    is_over_limit = is_limit_reached(instant.limit, f"{INSTANT_RULE}{instant.key}", builder.member, at, zone)
    return RuleOutcome.LIMIT if is_over_limit else None
