"""Finds orders by what a shopper shows, and redeems vouchers at a till."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from loyalty.commands.redeem_voucher import READY, RedeemVoucher
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.order import Order, OrderState
from loyalty.rules.voucher_code import canonical_code, number_of_voucher, voucher_code
from models.commits.request import Outcome
from resolvers.core.actor import Role
from resolvers.core.command import cause_of, run_command, text_refusal
from resolvers.core.context import Context
from resolvers.core.guessing import guarded_find
from resolvers.core.idempotency_key import key_refusal
from resolvers.core.member import may_see
from resolvers.core.operation_error import Refused
from resolvers.core.reading import read_or_unavailable

TEXT_LENGTH_MAX = 200
# Roles that see each voucher of an order that they may read; a till sees those that it was shown, and used ones.
SEES_VOUCHERS = frozenset({Role.MEMBER, Role.AGENT, Role.MANAGER})
SEES_USED_VOUCHERS = frozenset({Role.TILL, Role.SERVICE})
SHOWN_STATES = READY | {OrderState.SHIPPED}


@dataclass(frozen=True, slots=True)
class VoucherInput:
    """The use of a voucher as a till reports it."""

    key: str
    code: str
    channel: Channel
    store: str | None = None
    occurred_at: datetime | None = None


async def find_by_number(context: Context, typed: str) -> Order | None:
    """Return the order with a number that the actor has access to, or None; raises Refused after wrong ones."""
    return await guarded_find(context, partial(_by_number, context, typed))


async def find_by_code(context: Context, typed: str) -> Order | None:
    """Return the order with a voucher code that the actor has access to, or None; raises Refused after wrong ones."""
    return await guarded_find(context, partial(_by_code, context, typed))


async def _by_number(context: Context, typed: str) -> Order | None:
    number, actor = canonical_code(typed), context.require_actor()
    if number is None:
        return None
    found = await read_or_unavailable(context.services.reader.order_by_number(actor.programme, number))
    return found if found is not None and may_see(actor, found.member) else None


async def _by_code(context: Context, typed: str) -> Order | None:
    code, programme = canonical_code(typed), context.require_actor().programme
    if code is None:
        return None
    number = number_of_voucher(code, programme=programme, secret=context.services.code_secret)
    found = await _by_number(context, number)
    return found if found is not None and found.has_voucher else None


def code_of(context: Context, order: Order, *, is_presented: bool = False) -> str | None:
    """Return the voucher code of an order; None if it has none to show, or if the actor may not see it.

    `is_presented`: the actor found the order by this code.
    """
    role = context.require_actor().role
    is_used = order.used_at is not None
    if not order.has_voucher or not (is_used or order.state in SHOWN_STATES):
        return None
    if role not in SEES_VOUCHERS and not (role in SEES_USED_VOUCHERS and (is_used or is_presented)):
        return None
    return voucher_code(order.number, programme=context.programme().key, secret=context.services.code_secret)


async def redeem(context: Context, request: VoucherInput) -> Outcome:
    """Use the voucher of an order, once."""
    refusal = (
        key_refusal(request.key)
        or text_refusal(request.code, TEXT_LENGTH_MAX, "code")
        or text_refusal(request.store, TEXT_LENGTH_MAX, "store")
    )
    if refusal is not None:
        return refusal
    try:
        found = await find_by_code(context, request.code)
    except Refused as refused:
        return replace(refused.refusal, path=("code",))
    if found is None:
        return Refusal(RefusalCode.NOT_FOUND, "voucher_not_found", ("code",))
    command = RedeemVoucher(
        order=found.id,
        store=request.store,
        channel=request.channel,
        occurred_at=request.occurred_at,
        cause=cause_of(context, RedeemVoucher, request.key),
    )
    content: dict[str, object] = {
        "order": found.id,
        "store": request.store,
        "channel": request.channel,
        "occurred_at": request.occurred_at,
    }
    return await run_command(context, command, found.member, content)
