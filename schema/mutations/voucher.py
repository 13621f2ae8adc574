"""Mutation of vouchers: its input, rights and field."""

from datetime import datetime

import strawberry

from resolvers import voucher
from resolvers.core.actor import Role
from resolvers.voucher import VoucherInput
from schema.mutations.order import OrderPayload
from schema.types.member_key import given
from schema.wire.access import mutation, only
from schema.wire.enums import Channel
from schema.wire.info import Info
from schema.wire.input_field import KEY, optional, required

TILLS = only(Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.input
class RedeemVoucherInput:
    """The use of an order's voucher."""

    key: str = required(KEY)
    code: str = required("Scanned or typed code (`Voucher.code`); case, spaces and dashes are ignored.")
    channel: Channel = required("Where it is used.")
    store: str | None = optional(
        "Key of the store, up to 200 characters; required for an order that is collected in a certain store."
    )
    occurred_at: datetime | None = optional(
        "When it was used, for a till that was offline, at most 7 days ago. Left out: now."
    )

    def to_use(self) -> VoucherInput:
        """Return the use as the till reports it."""
        return VoucherInput(self.key, self.code, self.channel, given(self.store), given(self.occurred_at))


@strawberry.type
class VoucherMutation:
    """The mutation of vouchers."""

    @mutation(TILLS)
    async def redeem_voucher(self, info: Info, input: RedeemVoucherInput) -> OrderPayload:  # noqa: A002
        """Use the voucher of an order at a till, once: the order is fulfilled. A second use says when and where."""
        context = info.context
        return OrderPayload.of(await voucher.redeem(context, input.to_use()), context)
