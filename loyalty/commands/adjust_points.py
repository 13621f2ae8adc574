"""Adjusting points: staff credit or deduct points, with a reason."""

from dataclasses import dataclass

from loyalty.commands.decision_builder import BALANCE_MAX, DecisionBuilder
from loyalty.commands.registry import handles
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.ledger import Cause


@dataclass(frozen=True, slots=True)
class AdjustPoints:
    """Credit points, or deduct them (below zero), for a reason that is recorded."""

    points: int
    cause: Cause


@handles(AdjustPoints, operation="adjust")
def adjust_points(command: AdjustPoints, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to credit or deduct points; a deduction is at most what is available."""
    if command.points == 0:
        return Refusal(RefusalCode.INVALID, "adjustment_zero", ("points",))
    if not (command.cause.reason or "").strip():
        return Refusal(RefusalCode.INVALID, "reason_missing", ("reason",))
    if builder.member.lifetime_points + command.points > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("points",), {"max": BALANCE_MAX})
    if command.points < 0 and builder.member.available + command.points < 0:
        params = {"available": builder.member.available, "asked": -command.points}
        return Refusal(RefusalCode.INSUFFICIENT_POINTS, "insufficient_points", ("points",), params)
    builder.adjust(command.points)
    return builder.close(command.cause)
