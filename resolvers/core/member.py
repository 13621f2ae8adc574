"""Finds members, checks access to them, and loads them as they are now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from loyalty.commands.settle import Settle
from loyalty.kernel.membership_number import is_number
from loyalty.model.ledger import Cause
from models.commits import committer
from models.commits.request import Committed, Outcome, Request
from models.mongo.snapshot import Snapshot
from models.reads.dependencies import uncacheable
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context
from resolvers.core.guesses import Guesser
from resolvers.core.guessing import TooManyAttempts, callers, count_wrong, guarded_find, refusal_now, waiting
from resolvers.core.operation_error import BadInput, Forbidden, OperationError, Unavailable
from resolvers.core.personal_data import normal_email, normal_phone
from resolvers.core.reading import read_or_unavailable

T = TypeVar("T")

SYSTEM = "system"
_EVERY_KIND = frozenset({"id", "number", "card", "email", "phone"})
SHARED_SCREEN_KINDS = frozenset({"id", "number", "card"})
# The only rule of who finds members by which key. A kind of key that is not here finds nobody.
FOUND_BY: Mapping[Role, frozenset[str]] = {
    Role.MEMBER: _EVERY_KIND,
    Role.KIOSK: SHARED_SCREEN_KINDS,
    Role.TILL: SHARED_SCREEN_KINDS,
    Role.AGENT: _EVERY_KIND,
    Role.MANAGER: _EVERY_KIND,
    Role.SERVICE: _EVERY_KIND,
}
LOOKUP_ROLES = frozenset(FOUND_BY)
# An enrolled tablet records events of shoppers who gave their phone or e-mail, and is shown nothing of them.
RECORDED_AT_TABLETS = frozenset({"email", "phone"})


@dataclass(frozen=True, slots=True)
class MemberKey:
    """Identifies a member: `kind` is id, number, card, email or phone."""

    kind: str
    value: str


async def commit(context: Context, request: Request) -> Outcome:
    """Commit one command and return its outcome.

    Every command settles its member first. Raises Unavailable if it could not be committed, or the host clock is wrong.
    """
    uncacheable()
    if await context.services.clock_fault() is not None:
        raise Unavailable("clock_wrong")
    try:
        return await context.services.committer.commit(request)
    except committer.Overloaded as error:
        raise Unavailable("overloaded") from error
    except committer.Unavailable as error:
        raise Unavailable("commit_unavailable") from error


async def find_id(context: Context, key: MemberKey) -> str | None:
    """Return the id of the member that `key` identifies in the actor's programme, or None. An id is not checked.

    Checks no rights: for `openSession`, whose answer shows a greeting only. All others use `find_permitted`.
    """
    programme = context.require_actor().programme
    if key.kind == "id":
        return key.value
    value = _normal(key)
    return (
        await read_or_unavailable(context.services.reader.member_id_by(programme, key.kind, value)) if value else None
    )


def _normal(key: MemberKey) -> str | None:
    """Return the stored form of a key's value; None if the value is invalid."""
    if key.kind == "email":
        return normal_email(key.value)
    if key.kind == "phone":
        return normal_phone(key.value)
    value = key.value.strip()
    return value if key.kind != "number" or is_number(value) else None


async def settle_if_due(context: Context, snapshot: Snapshot) -> Snapshot:
    """Return the member as of now: settle it first if it is due (expired lots, tiers or holds).

    While the host clock is wrong, return the member as stored.
    """
    now = context.now()
    if snapshot.next_settlement_at is None or snapshot.next_settlement_at > now:
        return snapshot
    if await context.services.clock_fault() is not None:
        uncacheable()
        return snapshot
    member = snapshot.member
    outcome = await commit(
        context,
        Request(
            command=Settle(Cause("settle", SYSTEM, SYSTEM, "")),
            member=member.id,
            programme=context.services.programmes.get(member.programme),
            now=now,
        ),
    )
    if isinstance(outcome, Committed):
        return outcome.snapshot
    # Another process settled it first, and may have shown that version already.
    newer = await read_or_unavailable(context.services.reader.member(member.programme, member.id))
    return newer or snapshot


async def load(context: Context, member: str) -> Snapshot | None:
    """Return a member of the actor's programme as of now, or None."""
    actor = context.require_actor()
    snapshot = await read_or_unavailable(context.services.reader.member(actor.programme, member))
    return await settle_if_due(context, snapshot) if snapshot is not None else None


def may_see(actor: Actor, member: str | None) -> bool:
    """Return whether an actor may access a member: a member only itself, a tablet only its session's member."""
    return not _sees_one(actor) or (member is not None and actor.member == member)


def _sees_one(actor: Actor) -> bool:
    return actor.role is Role.MEMBER or actor.device is not None


async def own_member(context: Context) -> Snapshot | None:
    """Return the actor's own member; None for an actor without one."""
    actor = context.require_actor()
    return await load(context, actor.member) if actor.member is not None else None


async def look_up(context: Context, key: MemberKey) -> Snapshot | None:
    """Return the member that `key` identifies, or None. Raises Forbidden as `find_permitted` does."""
    if key.kind != "number":
        member = await find_permitted(context, key)
        return await load(context, member) if member is not None else None
    # The number is in the member's document: one read finds and returns it.
    actor, number = _require_lookup(context, key), _normal(key)

    async def find() -> Snapshot | None:
        reader = context.services.reader
        return await read_or_unavailable(reader.member_by_number(actor.programme, number)) if number else None

    found = await find() if _sees_one(actor) else await guarded_find(context, find)
    require_may_see(actor, found.member.id if found is not None else None)
    return await settle_if_due(context, found) if found is not None else None


async def find_permitted(context: Context, key: MemberKey) -> str | None:
    """Return the id of the member that `key` identifies, after checking the actor's access; None if it does not exist.

    Raises:
        Forbidden: the actor is a member, a shopper's session or a tablet, and this is not its own member (whether or
        not
            it exists); or it is a shared screen, and `key` is an email or phone.
    """
    actor = _require_lookup(context, key)
    # The answer of one who sees only one member does not depend on whether another exists.
    if key.kind == "id" or _sees_one(actor):
        member = await find_id(context, key)
    else:
        member = await guarded_find(context, lambda: find_id(context, key))
    require_may_see(actor, member)
    return member


def _require_lookup(context: Context, key: MemberKey) -> Actor:
    """Return the actor; raises Forbidden if its role cannot look members up by this kind of key."""
    actor = context.require_actor()
    forbidden = key_forbidden(actor, key)
    if forbidden is not None:
        raise forbidden
    return actor


def key_forbidden(actor: Actor, key: MemberKey, *, to_record: bool = False) -> Forbidden | None:
    """Return why an actor may not find members by this kind of key, or None; `to_record` an event of the member."""
    kinds = FOUND_BY.get(actor.role)
    if kinds is None:
        return Forbidden("lookup_forbidden", role=actor.role)
    if key.kind in kinds or (to_record and actor.device is not None and key.kind in RECORDED_AT_TABLETS):
        return None
    return Forbidden("lookup_by_forbidden", role=actor.role, kind=key.kind)


def require_may_see(actor: Actor, member: str | None) -> None:
    """Raise Forbidden if an actor has no access to a member, whether or not it exists (None)."""
    if not may_see(actor, member):
        raise Forbidden("session_needed" if actor.device is not None else "other_member")


async def watched_member(context: Context, key: MemberKey | None) -> str:
    """Return the id of the member that a subscription watches: the actor's own if `key` is None.

    Raises:
        BadInput: no key, and the actor has no member; or the member does not exist.
        Forbidden: as `find_permitted`.
    """
    actor = context.require_actor()
    if key is None:
        if actor.member is None:
            raise BadInput("by_missing", role=actor.role)
        return actor.member
    member = await find_permitted(context, key)
    if member is None:
        raise BadInput("no_such_member")
    return member


async def find_to_record(context: Context, keys: list[MemberKey]) -> list[str | OperationError | None]:
    """Return the ids of the members that events are recorded for, in the order of `keys`, looked up in one read.

    None for unknown ones; Forbidden for a key by which the actor may not find members; TooManyAttempts from the key on
    at which too many were unknown.
    """
    guessers = callers(context)
    refusal = await waiting(context, guessers)
    if refusal is not None:
        return [TooManyAttempts(refusal) for _ in keys]
    actor = context.require_actor()
    programme = actor.programme
    forbidden = {key: key_forbidden(actor, key, to_record=True) for key in keys}
    wanted = [key for key in keys if forbidden[key] is None]
    values = {key: value for key in wanted if key.kind != "id" and (value := _normal(key)) is not None}
    found = await read_or_unavailable(
        context.services.reader.member_ids_by(programme, [(key.kind, value) for key, value in values.items()])
    )
    known = dict(zip(values, found, strict=True))
    members = [forbidden[key] or (key.value if key.kind == "id" else known.get(key)) for key in keys]
    return await _without_guesses(context, guessers, members)


async def _without_guesses(
    context: Context, guessers: Sequence[Guesser], members: Sequence[str | OperationError | None]
) -> list[str | OperationError | None]:
    """Return the members, with TooManyAttempts from the one on at which too many were unknown."""
    unknown = [index for index, member in enumerate(members) if member is None]
    answered = await count_wrong(context, guessers, len(unknown))
    refusal = refusal_now(context, guessers) if answered < len(unknown) else None
    if refusal is None:
        return [*members]
    end = unknown[answered]
    return [*members[:end], *(TooManyAttempts(refusal) for _ in members[end:])]
