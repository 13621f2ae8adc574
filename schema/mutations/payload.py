"""Fields and conversions that the payloads of several mutations share."""

from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from models.commits.request import Committed, Outcome
from models.mongo.snapshot import entry_views
from resolvers.core.context import Context
from schema.types.ledger import LedgerEntry
from schema.types.member import Member
from schema.types.order import Order
from schema.wire.access import REACHED, field
from schema.wire.error import UserError
from schema.wire.text import locale_of

MEMBER = "The member after the change; null if the call was refused."
ENTRIES = "Ledger entries that the call wrote; empty if it moved no points or was refused."
REPLAYED = (
    "True if this `key` was used before: the result is that of the first call, and this call changed nothing. False "
    "for a first call and for a refusal."
)
USER_ERRORS = "Why the call was refused; nothing was changed then. Empty on success."


def committed_or_refused(outcome: Outcome) -> Committed | Refusal:
    """Return the outcome of a command that is either committed or refused."""
    if isinstance(outcome, Committed | Refusal):
        return outcome
    raise TypeError("a caller's command is committed or refused")


def entries_of(outcome: Committed, context: Context) -> list[LedgerEntry]:
    """Return the ledger entries that a command wrote."""
    programme, locale = context.programme(), locale_of(context, outcome.snapshot.member)
    return [LedgerEntry(view, programme, locale) for view in entry_views(outcome.record)]


@strawberry.type
class MemberPayload:
    """The member after a change of its own data."""

    member: Member | None = field(REACHED, MEMBER)
    replayed: bool = field(REACHED, REPLAYED)
    user_errors: list[UserError] = field(REACHED, USER_ERRORS)

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Return the payload of a change."""
        result = committed_or_refused(outcome)
        if isinstance(result, Refusal):
            return cls(member=None, replayed=False, user_errors=[UserError.of(result)])
        return cls(member=Member.of(result.snapshot), replayed=result.replayed, user_errors=[])


def orders_of(outcome: Committed, context: Context) -> list[Order]:
    """Return the orders that a command placed or changed."""
    if not outcome.orders:
        return []
    locale = locale_of(context, outcome.snapshot.member)
    return [Order.of(order, context, locale) for order in outcome.orders]
