"""Runs commands for a member: the actor's own, or the one that staff, a till or a shared screen names."""

from loyalty.commands.registry import Command, kind_of
from loyalty.kernel.digest import content_digest, sent_only
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.ledger import Cause
from models.commits.request import Outcome, Request
from resolvers.core.context import Context
from resolvers.core.idempotency_key import key_refusal
from resolvers.core.member import MemberKey, commit, find_permitted_or_refusal

NOT_FOUND = Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))


async def member_to_act_for(context: Context, key: MemberKey | None) -> str | Refusal:
    """Return the id of the member that `key` names, or the actor's own if `key` is None.

    Raises:
        Forbidden: the actor has no access to that member.
    """
    actor = context.require_actor()
    if key is None:
        if actor.member is not None:
            return actor.member
        return Refusal(RefusalCode.INVALID, "member_missing", ("member",))
    found = await find_permitted_or_refusal(context, key)
    return found if found is not None else NOT_FOUND


def cause_of(context: Context, command: type[Command], key: str, reason: str | None = None) -> Cause:
    """Return the cause of a command: its operation, the actor, the idempotency key and the reason."""
    actor = context.require_actor()
    return Cause(kind_of(command).operation, actor.role, actor.subject, key, reason)


def staff_id(context: Context) -> str:
    """Return the actor as stored with changes by staff: `role/subject`."""
    actor = context.require_actor()
    return f"{actor.role}/{actor.subject}"


def text_refusal(text: str | None, length_max: int, *path: str) -> Refusal | None:
    """Return a refusal if a text is longer than `length_max` characters, or None."""
    if text is not None and len(text) > length_max:
        return Refusal(RefusalCode.INVALID, "text_too_long", path, {"max": length_max})
    return None


async def run_command(context: Context, command: Command, member: str, content: dict[str, object]) -> Outcome:
    """Commit a command for a member. `content` is the operation's input; a key reused with another one is refused."""
    refusal = key_refusal(command.cause.key)
    if refusal is not None:
        return refusal
    content = {"member": member, **content}
    request = Request(
        command,
        member,
        context.programme(),
        context.now(),
        content_digest(sent_only(content)),
        # Until 0.2.0, digests covered fields that were not sent.
        former_digest=lambda: content_digest(content),
    )
    return await commit(context, request)
