"""For whom an operation acts: the actor itself, or the member that staff, a till or a shared screen names."""

from loyalty.commands.decide import Command
from loyalty.kernel.digest import content_digest
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.ledger import Cause
from models.commits.request import Outcome, Request
from resolvers.core.context import Context
from resolvers.core.idempotency_key import key_refusal
from resolvers.core.member import MemberKey, commit, permitted

NOT_FOUND = Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))


async def subject(context: Context, key: MemberKey | None) -> str | Refusal:
    """Return the id of the member that is acted for: the actor's own where none is named.

    Raises:
        Forbidden: the actor may not look at that member.
    """
    actor = context.require_actor()
    if key is None:
        if actor.member is not None:
            return actor.member
        return Refusal(RefusalCode.INVALID, "member_missing", ("member",))
    found = await permitted(context, key)
    return found if found is not None else NOT_FOUND


def cause_of(context: Context, operation: str, key: str, reason: str | None = None) -> Cause:
    """Return who asks for a change, under which key."""
    actor = context.require_actor()
    return Cause(operation, actor.role, actor.subject, key, reason)


def staff_of(context: Context) -> str:
    """Return who asks, as it is noted of what staff does."""
    actor = context.require_actor()
    return f"{actor.role}/{actor.subject}"


def text_refusal(text: str | None, length_max: int, *path: str) -> Refusal | None:
    """Return that a text is too long, or None."""
    if text is not None and len(text) > length_max:
        return Refusal(RefusalCode.INVALID, "text_too_long", path, {"max": length_max})
    return None


async def act(context: Context, command: Command, member: str, content: dict[str, object]) -> Outcome:
    """Commit a command for a member; `content` is what was asked, which the same key must always ask."""
    refusal = key_refusal(command.cause.key)
    if refusal is not None:
        return refusal
    digest = content_digest({"member": member, **content})
    return await commit(context, Request(command, member, context.programme(), context.now(), digest))
