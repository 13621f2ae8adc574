"""The voucher of an order is used at a till, once: the order is then handed over, or its discount taken off."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.registry import Members, handles
from loyalty.kernel.calendar import day_of
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import is_ahead
from loyalty.model.facts import Needs
from loyalty.model.ledger import Cause
from loyalty.model.notice import NoticeKind
from loyalty.model.order import Order, OrderState, OrderStep, VoucherUse
from loyalty.model.programme import Programme

# A till that was offline reports a use for so long; a use that is dated earlier has a wrong clock.
REPORTED_WITHIN = timedelta(days=7)
# The states of an order that can be handed over: one that is SHIPPED is still on its way to the store.
READY = frozenset(
    {OrderState.PLACED, OrderState.CONFIRMED, OrderState.PREPARING, OrderState.DELIVERED, OrderState.FULFILLED}
)


@dataclass(frozen=True, slots=True)
class RedeemVoucher:
    """Use the voucher of an order in a store (None: the till names none). `occurred_at` None: now."""

    order: str
    store: str | None
    channel: Channel
    occurred_at: datetime | None
    cause: Cause


def _needs(command: RedeemVoucher, _members: Members, _programme: Programme) -> Needs:
    return Needs(orders=frozenset({command.order}))


@handles(RedeemVoucher, operation="redeem-voucher", needs=_needs)
def redeem_voucher(command: RedeemVoucher, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to use a voucher: the order is fulfilled, and says when and where."""
    order = builder.facts.orders.get(command.order)
    if order is None or order.member != builder.member.id or not order.has_voucher:
        return Refusal(RefusalCode.NOT_FOUND, "voucher_not_found", ("code",))
    at = command.occurred_at or builder.now
    refusal = (
        _used(order, builder.programme)
        or _not_ready(order, at, builder.programme)
        or _wrong_store(order, command.store)
        or _wrong_time(order, at, builder)
    )
    if refusal is not None:
        return refusal
    order = replace(order, voucher_use=VoucherUse(at, command.store, command.channel))
    if order.state is not OrderState.FULFILLED:
        step = OrderStep(OrderState.FULFILLED, builder.now, command.cause.role)
        order = replace(order, state=OrderState.FULFILLED, history=(*order.history, step))
    builder.orders[order.id] = order
    builder.notice(NoticeKind.VOUCHER_USED, reward=order.reward.key, order=order.number)
    return builder.close(command.cause)


def _used(order: Order, programme: Programme) -> Refusal | None:
    """Return the refusal of a voucher that was used, which says when and where."""
    if order.used_at is None:
        return None
    params: dict[str, str | int] = {"used": order.used_at.astimezone(programme.zone).isoformat(timespec="minutes")}
    store = order.voucher_use.store if order.voucher_use is not None else None
    if store is None:
        return Refusal(RefusalCode.CONFLICT, "voucher_used", ("code",), params)
    return Refusal(RefusalCode.CONFLICT, "voucher_used_in_store", ("code",), {**params, "store": store})


def _not_ready(order: Order, at: datetime, programme: Programme) -> Refusal | None:
    """Return why the order cannot be handed over in its state, or before the day of its appointment."""
    if order.state is OrderState.SHIPPED:
        return Refusal(RefusalCode.NOT_ELIGIBLE, "voucher_on_its_way", ("code",))
    if order.state not in READY:
        return Refusal(RefusalCode.CONFLICT, "voucher_order_state", ("code",), {"state": order.state.value})
    if order.appointment is not None:
        day = day_of(order.appointment, programme.zone)
        if day_of(at, programme.zone) < day:
            return Refusal(RefusalCode.NOT_ELIGIBLE, "voucher_appointment", ("code",), {"day": day.isoformat()})
    return None


def _wrong_store(order: Order, store: str | None) -> Refusal | None:
    wanted = order.delivery.store if order.delivery is not None else None
    if wanted is None or store == wanted:
        return None
    code = RefusalCode.INVALID if store is None else RefusalCode.NOT_ELIGIBLE
    return Refusal(code, "voucher_store", ("store",), {"store": wanted})


def _wrong_time(order: Order, at: datetime, builder: DecisionBuilder) -> Refusal | None:
    """Return why the voucher cannot have been used at a moment: expired, in the future, before the order, long ago."""
    if is_ahead(at, builder.now):
        return Refusal(RefusalCode.INVALID, "occurred_in_future", ("occurredAt",))
    if is_ahead(order.placed_at, at):
        return Refusal(RefusalCode.INVALID, "voucher_before_order", ("occurredAt",))
    if builder.now - at > REPORTED_WITHIN:
        params: dict[str, str | int] = {"days": REPORTED_WITHIN.days}
        return Refusal(RefusalCode.EXPIRED, "voucher_reported_late", ("occurredAt",), params)
    expires_at = order.voucher_expires_at
    if expires_at is not None and at >= expires_at:
        last = day_of(expires_at - timedelta(microseconds=1), builder.programme.zone)
        return Refusal(RefusalCode.EXPIRED, "voucher_expired", ("code",), {"day": last.isoformat()})
    return None
