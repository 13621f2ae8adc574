"""Adjusting points: staff give or deduct points, with a reason."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.commands.decision_builder import BALANCE_MAX, Draft
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.ledger import Cause
from loyalty.model.member import Member
from loyalty.model.programme import Programme


@dataclass(frozen=True, slots=True)
class AdjustPoints:
    """Give points or take some away, for a reason that a person answers for."""

    points: int
    cause: Cause


def adjust_points(command: AdjustPoints, member: Member, programme: Programme, now: datetime) -> Decision | Refusal:
    """Return the decision to give or deduct points."""
    if command.points == 0:
        return Refusal(RefusalCode.INVALID, "adjustment_zero", ("points",))
    if not (command.cause.reason or "").strip():
        return Refusal(RefusalCode.INVALID, "reason_missing", ("reason",))
    draft = Draft(member, programme, now)
    if draft.member.lifetime + command.points > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("points",), {"max": BALANCE_MAX})
    if command.points < 0 and draft.member.available + command.points < 0:
        params = {"available": draft.member.available, "asked": -command.points}
        return Refusal(RefusalCode.INSUFFICIENT_POINTS, "insufficient_points", ("points",), params)
    draft.adjust(command.points)
    return draft.close(command.cause)
