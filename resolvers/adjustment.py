"""Adjusting points: a person gives or takes, answers for it with a reason, and the ledger keeps both."""

from loyalty.decide import AdjustPoints
from loyalty.digest import content_digest
from loyalty.ledger import Cause
from loyalty.refusal import Refusal, RefusalCode
from models.request import Outcome, Request
from resolvers.context import Context
from resolvers.keys import key_refusal
from resolvers.member import MemberKey, commit, find

OPERATION = "adjust"
REASON_LENGTH_MAX = 500


async def adjust(context: Context, *, key: str, member: MemberKey, points: int, reason: str) -> Outcome:
    """Give points to a member, or take available ones away; the reason and the actor stay in the ledger."""
    actor, programme, now = context.require_actor(), context.programme(), context.now()
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    if len(reason) > REASON_LENGTH_MAX:
        return Refusal(RefusalCode.INVALID, "text_too_long", ("reason",), {"max": REASON_LENGTH_MAX})
    found = await find(context, member)
    if found is None:
        return Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))
    reason = reason.strip()
    command = AdjustPoints(points, Cause(OPERATION, actor.role, actor.subject, key, reason))
    digest = content_digest({"member": found, "points": points, "reason": reason})
    return await commit(context, Request(command, found, programme, now, digest))
