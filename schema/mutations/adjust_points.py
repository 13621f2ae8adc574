"""Mutations of adjustments: inputs, payloads, rights and fields."""

from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from models.commits.request import Outcome
from resolvers import adjustment
from resolvers.core.context import Context
from schema.mutations.payload import ENTRIES, MEMBER, REPLAYED, USER_ERRORS, committed_or_refused, entries_of
from schema.types.ledger import LedgerEntry
from schema.types.member import Member
from schema.types.member_key import MemberKey
from schema.wire.access import REACHED, STAFF, field, mutation
from schema.wire.error import UserError
from schema.wire.info import Info
from schema.wire.input_field import KEY, required


@strawberry.input
class AdjustPointsInput:
    """Points to give or deduct, and the reason that the person responsible states."""

    key: str = required(KEY)
    member: MemberKey = required("The member whose points change.")
    points: int = required("Points to give; negative to deduct available points. Not 0.")
    reason: str = required("Why, in up to 500 characters; stays in the ledger with the person's id.")


@strawberry.type
class AdjustPointsPayload:
    """Result of `adjustPoints`."""

    entries: list[LedgerEntry] = field(REACHED, ENTRIES)
    member: Member | None = field(REACHED, MEMBER)
    replayed: bool = field(REACHED, REPLAYED)
    user_errors: list[UserError] = field(REACHED, USER_ERRORS)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the payload of an adjustment."""
        result = committed_or_refused(outcome)
        if isinstance(result, Refusal):
            return cls(entries=[], member=None, replayed=False, user_errors=[UserError.of(result)])
        entries = entries_of(result, context)
        return cls(entries=entries, member=Member.of(result.snapshot), replayed=result.replayed, user_errors=[])


@strawberry.type
class AdjustPointsMutation:
    """The mutations of adjustments."""

    @mutation(STAFF)
    async def adjust_points(self, info: Info, input: AdjustPointsInput) -> AdjustPointsPayload:  # noqa: A002
        """Give a member points, or deduct available ones, for a stated reason. For agents and managers."""
        outcome = await adjustment.adjust(
            info.context, key=input.key, member=input.member.to_key(), points=input.points, reason=input.reason
        )
        return AdjustPointsPayload.of(outcome, info.context)
