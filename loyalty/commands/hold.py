"""Holds: points, a piece and a code are reserved for a checkout, all of them or none."""

from dataclasses import dataclass
from datetime import timedelta

from loyalty.commands.allocation import (
    Allocation,
    allocate,
    insufficient_points,
    needs_of_rewards,
    reward_of,
    segmentation_input,
)
from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.registry import Members, handles
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.facts import Needs
from loyalty.model.hold import HOLDS_MAX, TTL_SECONDS_MAX, Hold
from loyalty.model.ledger import Cause
from loyalty.model.member import Member
from loyalty.model.order import id_from_seed, idempotency_seed
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from loyalty.model.supply import CodeState, CodeTransition
from loyalty.rules.eligibility import ineligibilities


@dataclass(frozen=True, slots=True)
class HoldPoints:
    """Reserve points for a checkout, or everything that a reward takes."""

    reward: str | None
    points: int | None
    ttl_seconds: int
    channel: Channel
    cause: Cause


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    """Release a hold before it lapses."""

    hold: str
    cause: Cause


def _needs(command: HoldPoints, _members: Members, programme: Programme) -> Needs:
    return needs_of_rewards((command.reward,) if command.reward is not None else (), programme)


@handles(HoldPoints, operation="hold", needs=_needs)
def hold(command: HoldPoints, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to reserve points, a piece and a code for a checkout."""
    refusal = _hold_input_refusal(command, builder.member)
    if refusal is not None:
        return refusal
    reward: Reward | None = None
    allocation = Allocation((), None)
    if command.reward is not None:
        found = reward_of(builder.programme, command.reward)
        if isinstance(found, Refusal):
            return found
        took = _reserve(found, command, builder)
        if isinstance(took, Refusal):
            return took
        reward, allocation = found, took
    points = command.points if command.points is not None else (reward.points if reward is not None else 0)
    refusal = insufficient_points(builder, points, "points" if command.points is not None else "reward")
    if refusal is not None:
        return refusal
    hold_id = id_from_seed(idempotency_seed(builder.programme.key, command.cause))
    reserved = Hold(
        id=hold_id,
        points=points,
        expires_at=builder.now + timedelta(seconds=command.ttl_seconds),
        lots=(),
        reward=reward.key if reward is not None else None,
        took=allocation.counters,
        pool=reward.pool if reward is not None else None,
        code=allocation.code,
    )
    builder.hold(reserved, channel=command.channel)
    if reserved.pool is not None and reserved.code is not None:
        builder.code_moves.append(
            CodeTransition(reserved.pool, reserved.code, CodeState.FREE, CodeState.HELD, f"hold/{hold_id}")
        )
    return builder.close(command.cause, hold=builder.member.holds[-1])


def _hold_input_refusal(command: HoldPoints, member: Member) -> Refusal | None:
    if not 1 <= command.ttl_seconds <= TTL_SECONDS_MAX:
        return Refusal(RefusalCode.INVALID, "hold_ttl", ("ttlSeconds",), {"max": TTL_SECONDS_MAX})
    if len(member.holds) >= HOLDS_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "holds_max", ("member",), {"max": HOLDS_MAX})
    if command.reward is None and command.points is None:
        return Refusal(RefusalCode.INVALID, "hold_nothing", ("points",))
    if command.points is not None and command.points < (0 if command.reward is not None else 1):
        return Refusal(RefusalCode.INVALID, "hold_points", ("points",))
    return None


def _reserve(reward: Reward, command: HoldPoints, builder: DecisionBuilder) -> Allocation | Refusal:
    """Return what a hold takes of a reward, or why the member cannot have it. Each open hold stands for an order."""
    segmentation = segmentation_input(builder, reward.audience)
    member = builder.member
    held = sum(1 for one in member.holds if one.reward == reward.key)
    found = ineligibilities(
        reward, member, builder.programme, segmentation, builder.now, channel=command.channel, held=held
    )
    return found[0].refusal() if found else allocate(reward, 1, None, builder)


@handles(ReleaseHold, operation="release-hold")
def release(command: ReleaseHold, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to release a hold."""
    found = hold_of(builder.member, command.hold, "hold")
    if isinstance(found, Refusal):
        return found
    builder.release(found)
    return builder.close(command.cause, hold=found)


def hold_of(member: Member, hold: str, path: str) -> Hold | Refusal:
    """Return a member's hold, or that it lapsed or never existed; `path` is the input field that names it."""
    found = next((one for one in member.holds if one.id == hold), None)
    if found is not None:
        return found
    if hold in member.expired_holds:
        return Refusal(RefusalCode.EXPIRED, "hold_lapsed", (path,))
    return Refusal(RefusalCode.NOT_FOUND, "hold_not_found", (path,))
