"""Mutations of adjustments: inputs, payloads, rights and fields."""

from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from models.commits.request import Outcome
from resolvers import adjustment
from resolvers.core.context import Context
from schema.mutations.payload import committed_or_refused, entries_of
from schema.types.ledger import LedgerEntry
from schema.types.member import Member
from schema.types.member_key import MemberKey
from schema.wire.access import REACHED, STAFF, field, mutation
from schema.wire.error import UserError
from schema.wire.info import Info


@strawberry.input
class AdjustPointsInput:
    """Points to give or, below zero, to take; somebody answers for it with a reason."""

    key: str
    member: MemberKey
    points: int
    reason: str


@strawberry.type
class AdjustPointsPayload:
    """The adjustment in the ledger."""

    entries: list[LedgerEntry] = field(REACHED)
    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the answer to an adjustment."""
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
        """Give points, or take some away, for a reason."""
        outcome = await adjustment.adjust(
            info.context, key=input.key, member=input.member.to_key(), points=input.points, reason=input.reason
        )
        return AdjustPointsPayload.of(outcome, info.context)
