"""The steps of an order after it is placed: cancelled, advanced, returned, exchanged, by the roles in TRANSITIONS.

Restored points go to the lots that they came from. A refund may reverse points that were spent already; then the
balance goes below zero, or the brand writes them off. Points that an order or a hold from before such a write-off
restores make up for it first. So purchases, orders, refunds and cancellations give the same result in any order.
"""

from dataclasses import dataclass, replace

from loyalty.commands.allocation import allocate, insufficient_points, needs_of_rewards, reward_of, segmentation_input
from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.place_order import PlaceOrder, new_order
from loyalty.commands.registry import Members, handles
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.facts import Needs, combined
from loyalty.model.ledger import Cause, LotKey
from loyalty.model.notice import NoticeKind
from loyalty.model.order import TRANSITIONS, Order, OrderState, OrderStep, points_to_return
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from loyalty.model.supply import CodeState, CodeTransition, CounterKey
from loyalty.rules.eligibility import ineligibilities


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel an order before it is on its way."""

    order: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class AdvanceOrder:
    """Move an order to its next state.

    `quantity` is how many pieces are returned with RETURNED (None: all that are out); `exchange_for` is the reward that
    replaces it with EXCHANGED, the same or another.
    """

    order: str
    state: OrderState
    cause: Cause
    note: str | None = None
    tracking_url: str | None = None
    quantity: int | None = None
    exchange_for: str | None = None


def _needs_of_cancel(command: CancelOrder, _members: Members, _programme: Programme) -> Needs:
    return Needs(orders=frozenset({command.order}))


@handles(CancelOrder, operation="cancel-order", needs=_needs_of_cancel)
def cancel(command: CancelOrder, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to cancel an order: its points, piece, code and appointment are restored."""
    order = _order_of(builder, command.order)
    if isinstance(order, Refusal):
        return order
    refusal = _step_refusal(order, OrderState.CANCELLED, command.cause.role)
    if refusal is not None:
        return refusal
    order = _stepped(order, OrderState.CANCELLED, builder, command.cause.role, command.cause.reason)
    order = _return_pieces(order, order.quantity - order.returned, builder)
    builder.orders[order.id] = order
    return builder.close(command.cause)


def _needs_of_advance(command: AdvanceOrder, _members: Members, programme: Programme) -> Needs:
    rewards = (command.exchange_for,) if command.exchange_for is not None else ()
    return combined([Needs(orders=frozenset({command.order})), needs_of_rewards(rewards, programme)])


@handles(AdvanceOrder, operation="advance-order", needs=_needs_of_advance)
def advance(command: AdvanceOrder, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to move an order to its next state."""
    order = _order_of(builder, command.order)
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
        order = _returned(command, order, builder)
    elif state is OrderState.EXCHANGED:
        exchanged = _exchanged(command, order, builder)
        if isinstance(exchanged, Refusal):
            return exchanged
        order = exchanged
    else:
        order = _stepped(order, state, builder, role, command.note)
    builder.orders[order.id] = order
    return builder.close(command.cause)


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


def _returned(command: AdvanceOrder, order: Order, builder: DecisionBuilder) -> Order:
    """Return pieces. While some are still out, the order keeps its state."""
    out = order.quantity - order.returned
    pieces = command.quantity if command.quantity is not None else out
    stays = order.state_before_request if order.state is OrderState.RETURN_REQUESTED else order.state
    order = _stepped(order, OrderState.RETURNED, builder, command.cause.role, command.note)
    order = _return_pieces(order, pieces, builder)
    return order if pieces == out else replace(order, state=stays)


def _exchanged(command: AdvanceOrder, order: Order, builder: DecisionBuilder) -> Order | Refusal:
    """Replace an order by another one: points, pieces and limits of both change together."""
    reward = reward_of(builder.programme, command.exchange_for or "")
    if isinstance(reward, Refusal):
        return replace(reward, path=("exchangeFor",))
    out = order.quantity - order.returned
    same = reward.key == order.reward.key
    one_each = reward.pool is not None or (reward.limit is not None and not same)
    if reward.appointments is not None or (one_each and out > 1):
        return Refusal(RefusalCode.INVALID, "exchange_impossible", ("exchangeFor",))
    order = _stepped(order, OrderState.EXCHANGED, builder, command.cause.role, command.note)
    if same:
        back = replace(_supplies_back(order, out, builder), points_returned=order.points, lots=())
        following = _replace_same(reward, command, order, builder)
    else:
        back = _return_pieces(order, out, builder, spends_on_order=True)
        following = _replace_other(reward, command, order, builder)
    if isinstance(following, Refusal):
        return replace(following, path=("exchangeFor",))
    builder.orders[following.id] = following
    return replace(back, exchanged_for=following.id)


def _replacement_order(reward: Reward, command: AdvanceOrder, order: Order) -> PlaceOrder:
    """Return the order that replaces the pieces that are out."""
    out = order.quantity - order.returned
    return PlaceOrder(reward.key, out, order.channel, command.cause, recipient=order.recipient, delivery=order.delivery)


def _replace_same(reward: Reward, command: AdvanceOrder, order: Order, builder: DecisionBuilder) -> Order | Refusal:
    """Place the same order again: its points stay spent, whatever the reward costs now.

    It counts in the first order's span of the limit: no debt, expired lot or limit since then prevents it.
    """
    again, unlimited = _replacement_order(reward, command, order), replace(reward, limit=None)
    allocation = allocate(reward, again.quantity, None, builder)
    if isinstance(allocation, Refusal):
        return allocation
    points = order.points - order.points_returned
    origin = f"order/{order.id}"
    following = new_order(builder, unlimited, again, allocation, points=points, lots=order.lots, origin=origin)
    return replace(
        following,
        limit_key=order.limit_key,
        limit_span=order.limit_span,
        placed_version=order.placed_version,
    )


def _replace_other(reward: Reward, command: AdvanceOrder, order: Order, builder: DecisionBuilder) -> Order | Refusal:
    """Place an order of another reward; the points restored from the first one can pay for it."""
    segmentation = segmentation_input(builder, reward.audience)
    relative = order.recipient is not None
    found = ineligibilities(reward, builder.member, builder.programme, segmentation, builder.now, for_relative=relative)
    if found:
        return found[0].refusal()
    again = _replacement_order(reward, command, order)
    allocation = allocate(reward, again.quantity, None, builder)
    if isinstance(allocation, Refusal):
        return allocation
    points = reward.points * again.quantity
    refusal = insufficient_points(builder, points, "exchangeFor")
    if refusal is not None:
        return refusal
    lots = builder.burn(points, channel=order.channel, reward=reward.key)
    return new_order(builder, reward, again, allocation, points=points, lots=lots, origin=f"order/{order.id}")


def _order_of(builder: DecisionBuilder, key: str) -> Order | Refusal:
    order = builder.facts.orders.get(key)
    if order is None or order.member != builder.member.id:
        return Refusal(RefusalCode.NOT_FOUND, "order_not_found", ("order",))
    return order


def _step_refusal(order: Order, state: OrderState, role: str) -> Refusal | None:
    """Return why a role may not move an order to a state, or None."""
    allowed = TRANSITIONS[order.state].get(state)
    if allowed is not None and role in allowed:
        return None
    params: dict[str, str | int] = {"state": order.state.value, "asked": state.value}
    if allowed is not None:
        return Refusal(RefusalCode.NOT_ELIGIBLE, "order_step_role", ("order",), {**params, "role": role})
    if state is OrderState.CANCELLED:
        return Refusal(RefusalCode.CONFLICT, "order_not_cancellable", ("order",), params)
    following = ", ".join(step.value for step, roles in TRANSITIONS[order.state].items() if role in roles)
    return Refusal(
        RefusalCode.CONFLICT,
        "order_step" if following else "order_over",
        ("state",),
        {**params, "following": following},
    )


def _stepped(order: Order, state: OrderState, builder: DecisionBuilder, role: str, note: str | None = None) -> Order:
    step = OrderStep(state, builder.now, role, note)
    builder.notice(NoticeKind(f"order_{state.value.lower()}"), reward=order.reward.key, order=order.number)
    return replace(order, state=state, history=(*order.history, step))


def cancel_granted(order: Order, builder: DecisionBuilder, cause: Cause) -> None:
    """Cancel an order that was given for no points, because what it was given for is undone."""
    order = _stepped(order, OrderState.CANCELLED, builder, cause.role, cause.reason)
    builder.orders[order.id] = _supplies_back(order, order.quantity - order.returned, builder)


def _return_pieces(order: Order, pieces: int, builder: DecisionBuilder, *, spends_on_order: bool = False) -> Order:
    """Restore what `pieces` of an order took; `spends_on_order`: their points can pay for an order in this decision."""
    returned = order.returned + pieces
    points = points_to_return(order, returned) - order.points_returned
    parts, left = _last_parts(order.lots, points)
    builder.reverse_burn(
        parts,
        since=order.placed_version,
        channel=Channel.SYSTEM,
        reward=order.reward.key,
        spends_on_order=spends_on_order,
    )
    if returned == order.quantity and order.limit_span:
        builder.count_order(order.limit_key, order.limit_span, -1)
    return replace(_supplies_back(order, pieces, builder), points_returned=order.points_returned + points, lots=left)


def _supplies_back(order: Order, pieces: int, builder: DecisionBuilder) -> Order:
    """Restore what `pieces` of an order took of the shared supply. A code that was shown is never issued again."""
    kept: list[tuple[CounterKey, int]] = []
    for counter, taken in order.took:
        back = min(pieces, taken)
        builder.counter_changes[counter] -= back
        if taken - back:
            kept.append((counter, taken - back))
    if order.pool is not None and order.code is not None:
        after = CodeState.VOID if order.code_is_revealed else CodeState.FREE
        builder.code_moves.append(CodeTransition(order.pool, order.code, CodeState.ISSUED, after, None))
    return replace(
        order,
        returned=order.returned + pieces,
        took=tuple(kept),
        code=order.code if order.code_is_revealed else None,
    )


def _last_parts(
    lots: tuple[tuple[LotKey, int], ...], points: int
) -> tuple[list[tuple[LotKey, int]], tuple[tuple[LotKey, int], ...]]:
    """Split `points` off the end of an order's lots: those that expire last are restored first."""
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
