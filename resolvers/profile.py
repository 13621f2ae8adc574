"""Corrects profiles: personal data and cards, for the member itself or by staff."""

from collections.abc import Mapping
from typing import Any

from loyalty.commands.personal.profile import AddCard, RemoveCard, UpdateProfile
from loyalty.commands.registry import Command
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from models.commits.request import Outcome
from resolvers.core.actor import Role
from resolvers.core.command import cause_of, member_to_act_for, run_command
from resolvers.core.context import Context
from resolvers.core.guessing import callers, waiting, withheld
from resolvers.core.idempotency_key import email_content, phone_content
from resolvers.core.member import MemberKey
from resolvers.core.operation_error import Forbidden
from resolvers.core.profile_fields import attributes_refusal, read_fields


async def _member_to_correct(context: Context, key: MemberKey | None) -> str | Refusal:
    """Return the id of the member whose profile the actor corrects.

    Raises:
        Forbidden: the actor has no access to that member, or it is a shared screen without a confirmed session.
    """
    actor = context.require_actor()
    if actor.role is Role.KIOSK and actor.member is None:
        raise Forbidden("session_needed")
    return await member_to_act_for(context, key)


async def update_profile(context: Context, *, key: str, member: MemberKey | None, typed: Mapping[str, Any]) -> Outcome:
    """Change the fields in `typed`, which are named as in Profile; None clears a field.

    Returns `ALREADY_EXISTS` if another member has the e-mail or phone, `INVALID` if a field is invalid.
    """
    found = await _member_to_correct(context, member)
    if isinstance(found, Refusal):
        return found
    refusal = attributes_refusal(typed.get("attributes"))
    if refusal is not None:
        return refusal
    changes = read_fields(typed, context.programme())
    if isinstance(changes, Refusal):
        return changes
    command = UpdateProfile(changes, context.channel or Channel.SYSTEM, cause_of(context, UpdateProfile, key))
    return await _corrected(context, command, found, {"cleared": _cleared(changes), **_content(changes)})


async def _corrected(context: Context, command: Command, member: str, content: Mapping[str, object]) -> Outcome:
    """Run a command whose refusal can reveal that somebody else is a member."""
    refusal = await waiting(context, callers(context))
    if refusal is not None:
        return refusal
    return await withheld(context, await run_command(context, command, member, {**content}))


def _cleared(changes: Mapping[str, Any]) -> list[str]:
    """Return the names of the cleared fields: a digest does not tell None from left out."""
    return sorted(field for field, value in changes.items() if value is None)


def _content(changes: Mapping[str, Any]) -> dict[str, object]:
    forms = {"email": email_content, "phone": phone_content}
    return {field: forms[field](value) if field in forms and value else value for field, value in changes.items()}


async def _change_card(
    context: Context, kind: type[AddCard | RemoveCard], key: str, member: MemberKey | None, card: str
) -> Outcome:
    found = await _member_to_correct(context, member)
    if isinstance(found, Refusal):
        return found
    read = read_fields({"card": card}, context.programme())
    if isinstance(read, Refusal):
        return read
    if read["card"] is None:
        return Refusal(RefusalCode.INVALID, "card_invalid", ("card",))
    command: Command = kind(read["card"], cause_of(context, kind, key))
    return await _corrected(context, command, found, {"card": read["card"]})


async def add_card(context: Context, *, key: str, member: MemberKey | None, card: str) -> Outcome:
    """Link a card to a member; `ALREADY_EXISTS` if it is another member's."""
    return await _change_card(context, AddCard, key, member, card)


async def remove_card(context: Context, *, key: str, member: MemberKey | None, card: str) -> Outcome:
    """Unlink a card from a member; `NOT_FOUND` if the member does not have it."""
    return await _change_card(context, RemoveCard, key, member, card)
