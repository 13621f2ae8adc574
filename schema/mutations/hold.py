"""Mutations of holds: inputs, payloads, rights and fields."""

from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from models.commits.request import Outcome
from resolvers import order
from resolvers.core.context import Context
from schema.mutations.payload import MEMBER, REPLAYED, USER_ERRORS, committed_or_refused
from schema.types.member import Member
from schema.types.member_key import MemberKey, key_or_none
from schema.types.order import Hold
from schema.wire.access import EVERY_ROLE, REACHED, field, mutation
from schema.wire.error import UserError
from schema.wire.ids import key_of, parts_of
from schema.wire.info import Info
from schema.wire.input_field import ACTED_FOR, KEY, optional, required
from schema.wire.text import locale_of


@strawberry.input
class HoldInput:
    """Points, or a reward, to reserve for a checkout; at least one of `reward` and `points`."""

    key: str = required(KEY)
    member: MemberKey | None = optional(ACTED_FOR)
    reward: strawberry.ID | None = optional("Id of the reward whose piece or code is reserved.")
    points: int | None = optional("Points to reserve. Left out: the price of the reward.")
    ttl_seconds: int = strawberry.field(default=300, description="Seconds until the hold ends, 1 to 3600.")


@strawberry.input
class ReleaseInput:
    """A hold to release."""

    key: str = required(KEY)
    hold: strawberry.ID = required("Id of the hold.")


@strawberry.type
class HoldPayload:
    """Result of `hold` and `release`."""

    hold: Hold | None = field(REACHED, "The hold; null if the call was refused.")
    member: Member | None = field(REACHED, MEMBER)
    replayed: bool = field(REACHED, REPLAYED)
    user_errors: list[UserError] = field(REACHED, USER_ERRORS)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the payload of a hold or its release."""
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

    @mutation(EVERY_ROLE)
    async def hold(self, info: Info, input: HoldInput) -> HoldPayload:  # noqa: A002
        """Reserve points, or a reward with its points, piece and code, for a checkout. At most 20 holds per member.

        A hold of a reward counts against the member's limit of orders of it, as long as it is open.
        """
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

    @mutation(EVERY_ROLE)
    async def release(self, info: Info, input: ReleaseInput) -> HoldPayload:  # noqa: A002
        """End a hold early: all that it reserves is available again."""
        member, hold = parts_of("Hold", input.hold, 2)
        outcome = await order.release(info.context, key=input.key, member=member, hold=hold)
        return HoldPayload.of(outcome, info.context)
