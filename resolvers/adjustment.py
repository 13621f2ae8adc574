"""Adjusts points: staff add or deduct points with a reason, which the ledger stores with the actor."""

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.kernel.refusal import Refusal
from models.commits.request import Outcome
from resolvers.core.command import NOT_FOUND, cause_of, run_command, text_refusal
from resolvers.core.context import Context
from resolvers.core.idempotency_key import key_refusal
from resolvers.core.member import MemberKey, find_permitted_or_refusal

REASON_LENGTH_MAX = 500


async def adjust(context: Context, *, key: str, member: MemberKey, points: int, reason: str) -> Outcome:
    """Add points to a member, or deduct available ones (negative `points`)."""
    refusal = key_refusal(key) or text_refusal(reason, REASON_LENGTH_MAX, "reason")
    if refusal is not None:
        return refusal
    found = await find_permitted_or_refusal(context, member)
    if found is None:
        return NOT_FOUND
    if isinstance(found, Refusal):
        return found
    reason = reason.strip()
    command = AdjustPoints(points, cause_of(context, AdjustPoints, key, reason))
    return await run_command(context, command, found, {"points": points, "reason": reason})
