"""Mutations of holds: inputs, payloads, rights and fields."""

from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from models.commits.request import Outcome
from resolvers import order
from resolvers.core.context import Context
from schema.mutations.payload import committed_or_refused
from schema.types.member import Member
from schema.types.member_key import MemberKey, key_or_none
from schema.types.order import Hold
from schema.wire.access import EVERY_ROLE, REACHED, field, mutation
from schema.wire.error import UserError
from schema.wire.ids import key_of, parts_of
from schema.wire.info import Info
from schema.wire.text import locale_of


@strawberry.input
class HoldInput:
    """What to keep for a checkout: points, or all that a reward takes."""

    key: str
    member: MemberKey | None = strawberry.UNSET
    reward: strawberry.ID | None = strawberry.UNSET
    points: int | None = strawberry.field(
        default=strawberry.UNSET, description="What the reward costs, where it is left out."
    )
    ttl_seconds: int = 300


@strawberry.input
class ReleaseInput:
    """A hold to let go."""

    key: str
    hold: strawberry.ID


@strawberry.type
class HoldPayload:
    """The hold that was made, or let go."""

    hold: Hold | None = field(REACHED)
    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the answer to a hold or its release."""
        result = committed_or_refused(outcome)
        if isinstance(result, Refusal):
            return cls(hold=None, member=None, replayed=False, user_errors=[UserError.of(result)])
        member = result.snapshot.member
        locale = locale_of(context, member)
        return cls(
            hold=Hold.of(result.hold, member.id, context, locale) if result.hold is not None else None,
            member=Member.of(result.snapshot),
            replayed=result.replayed,
            user_errors=[],
        )


@strawberry.type
class HoldMutation:
    """The mutations of holds."""

    @mutation(EVERY_ROLE, description="Keeps points, stock and code for a checkout; lets go by itself.")
    async def hold(self, info: Info, input: HoldInput) -> HoldPayload:  # noqa: A002
        """Keep something for a checkout."""
        context = info.context
        reward = input.reward if isinstance(input.reward, str) else None
        outcome = await order.hold(
            context,
            key=input.key,
            member=key_or_none(input.member),
            reward=key_of("Reward", reward, context.programme().key) if reward is not None else None,
            points=input.points if isinstance(input.points, int) else None,
            ttl_seconds=input.ttl_seconds,
        )
        return HoldPayload.of(outcome, context)

    @mutation(EVERY_ROLE, description="Lets a hold go before its time.")
    async def release(self, info: Info, input: ReleaseInput) -> HoldPayload:  # noqa: A002
        """Let a hold go."""
        member, hold = parts_of("Hold", input.hold, 2)
        outcome = await order.release(info.context, key=input.key, member=member, hold=hold)
        return HoldPayload.of(outcome, info.context)
