"""Holding: points, a piece and a code are kept for a checkout, all of them or none."""

from dataclasses import dataclass
from datetime import timedelta

from loyalty.commands.allocation import Taken, insufficient, reward_of, shopper_for, take
from loyalty.commands.decision_builder import Draft
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.facts import Facts
from loyalty.model.hold import HOLDS_MAX, TTL_SECONDS_MAX, Hold
from loyalty.model.ledger import Cause
from loyalty.model.member import Member
from loyalty.model.order import derived_id, seed_of
from loyalty.model.reward import Reward
from loyalty.model.supply import CodeMove, CodeState
from loyalty.rules.eligibility import missing


@dataclass(frozen=True, slots=True)
class HoldPoints:
    """Keep points for a checkout, or all that a reward takes."""

    reward: str | None
    points: int | None
    ttl_seconds: int
    channel: Channel
    cause: Cause


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    """Let a hold go before its time."""

    hold: str
    cause: Cause


def hold(command: HoldPoints, draft: Draft, facts: Facts) -> Decision | Refusal:
    """Return the decision to keep points, a piece and a code for a checkout."""
    refusal = _hold_input_refusal(command, draft.member)
    if refusal is not None:
        return refusal
    reward: Reward | None = None
    taken = Taken((), None)
    if command.reward is not None:
        found = reward_of(draft.programme, command.reward)
        if isinstance(found, Refusal):
            return found
        took = _keep(found, command, draft, facts)
        if isinstance(took, Refusal):
            return took
        reward, taken = found, took
    points = command.points if command.points is not None else (reward.points if reward is not None else 0)
    refusal = insufficient(draft, points, "points" if command.points is not None else "reward")
    if refusal is not None:
        return refusal
    hold_id = derived_id(seed_of(draft.programme.key, command.cause))
    kept = Hold(
        id=hold_id,
        points=points,
        expires_at=draft.now + timedelta(seconds=command.ttl_seconds),
        lots=(),
        reward=reward.key if reward is not None else None,
        took=taken.counters,
        pool=reward.pool if reward is not None else None,
        code=taken.code,
    )
    draft.hold(kept, channel=command.channel)
    if kept.pool is not None and kept.code is not None:
        draft.codes.append(CodeMove(kept.pool, kept.code, CodeState.FREE, CodeState.HELD, f"hold/{hold_id}"))
    return draft.close(command.cause, hold=draft.member.holds[-1])


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


def _keep(reward: Reward, command: HoldPoints, draft: Draft, facts: Facts) -> Taken | Refusal:
    """Return what a hold takes of a reward, or why the member cannot have it."""
    shopper = shopper_for(draft, reward.audience, facts)
    found = missing(reward, draft.member, draft.programme, shopper, draft.now, channel=command.channel)
    return found[0].refusal() if found else take(reward, 1, None, draft, facts)


def release(command: ReleaseHold, draft: Draft) -> Decision | Refusal:
    """Return the decision to let a hold go."""
    found = hold_of(draft.member, command.hold, "hold")
    if isinstance(found, Refusal):
        return found
    draft.release(found)
    return draft.close(command.cause, hold=found)


def hold_of(member: Member, hold: str, path: str) -> Hold | Refusal:
    """Return a member's hold, or why it is not there (any more); `path` is where the caller named it."""
    found = next((kept for kept in member.holds if kept.id == hold), None)
    if found is not None:
        return found
    if hold in member.lapsed:
        return Refusal(RefusalCode.EXPIRED, "hold_lapsed", (path,))
    return Refusal(RefusalCode.NOT_FOUND, "hold_not_found", (path,))
