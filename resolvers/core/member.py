"""Finds members, checks access to them, and loads them as they are now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from loyalty.commands.settle import Settle
from loyalty.kernel import canonical
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.ledger import Cause
from loyalty.rules.member_pass import USE_TTL, MemberPass, verify_pass
from models.commits import committer
from models.commits.request import Committed, Outcome, Request
from models.mongo.ids import joined_id
from models.mongo.snapshot import Snapshot
from models.reads.dependencies import uncacheable
from models.tablets import session_store
from models.tablets.session_store import OneTimeCredential, PassBinding
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context
from resolvers.core.guessing import callers, count_wrong, guarded_find, refusal_now, waiting
from resolvers.core.operation_error import BadInput, Forbidden, Refused, Unavailable
from resolvers.core.reading import read_or_unavailable

T = TypeVar("T")

SYSTEM = "system"
PASS = "pass"  # noqa: S105 - a kind of MemberKey
# Kept for longer than a pass can be used, because MongoDB deletes by its own clock.
_PASS_FORGOTTEN_AFTER = timedelta(minutes=10)
_EVERY_KIND = frozenset({"id", "number", "card", "email", "phone", PASS})
SHARED_SCREEN_KINDS = frozenset({"id", "number", "card", PASS})
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
    """Identifies a member: `kind` is id, number, card, email, phone or pass."""

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

    Raises:
        Refused: it is a pass that the actor may not use.
    """
    programme = context.require_actor().programme
    if key.kind == "id":
        return key.value
    if key.kind == PASS:
        return await _present(context, _verified_pass(context, key.value))
    value = _canonical(context, key)
    return (
        await read_or_unavailable(context.services.reader.member_id_by(programme, key.kind, value)) if value else None
    )


def _verified_pass(context: Context, text: str) -> MemberPass:
    """Return the content of a pass that was signed for the actor's programme; raises Refused for other text."""
    uncacheable()
    shown = verify_pass(text, programme=context.require_actor().programme, secret=context.services.code_secret)
    if shown is None:
        raise Refused(Refusal(RefusalCode.NOT_FOUND, "pass_unknown", (PASS,)))
    return shown


def pass_credential(programme: str, shown: MemberPass) -> OneTimeCredential:
    """Return what is stored of a pass once it is used."""
    id_ = joined_id(PASS, programme, shown.member, shown.nonce)
    return OneTimeCredential(id_, shown.expires_at + USE_TTL + _PASS_FORGOTTEN_AFTER, member=shown.member)


async def _present(context: Context, shown: MemberPass) -> str:
    """Return the member of a pass. The first caller that presents it may use it for USE_TTL, all others may not.

    Raises:
        Refused: another caller has presented it, or it has expired.
    """
    actor, now, database = context.require_actor(), context.now(), context.services.database
    holder, once = f"{actor.role}/{actor.subject}", pass_credential(actor.programme, shown)
    binding: PassBinding | None
    if shown.has_expired(now):
        binding = await read_or_unavailable(session_store.find_binding(database, once.id))
    else:
        binding = await read_or_unavailable(session_store.bind_pass(database, once, holder=holder, now=now))
    if binding is not None and (binding.holder != holder or binding.bound_at is None):
        raise Refused(Refusal(RefusalCode.CONFLICT, "pass_used", (PASS,)))
    if binding is None or binding.bound_at is None or now >= binding.bound_at + USE_TTL:
        raise Refused(Refusal(RefusalCode.EXPIRED, "pass_expired", (PASS,)))
    return shown.member


def _canonical(context: Context, key: MemberKey) -> str | None:
    """Return the stored form of a key's value; None if the value is invalid."""
    programme = context.services.programmes.find(context.require_actor().programme)
    return canonical.identity(key.kind, key.value, programme.country if programme is not None else None)


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
    actor, number = _require_lookup(context, key), canonical.number(key.value)

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
        Refused: it is a pass that the actor may not use.
    """
    actor = _require_lookup(context, key)
    if key.kind == PASS:
        shown = _verified_pass(context, key.value)
        require_may_see(actor, shown.member)  # before it is bound: who may not see the member cannot use it up
        return await _present(context, shown)
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


async def find_permitted_or_refusal(context: Context, key: MemberKey) -> str | Refusal | None:
    """Return what `find_permitted` returns, or the refusal that it raises, with its path in a mutation's input."""
    try:
        return await find_permitted(context, key)
    except Refused as refused:
        return under_member(refused.refusal)


def under_member(refusal: Refusal) -> Refusal:
    """Return a refusal of a member's key, with its path in a mutation's input."""
    return replace(refusal, path=("member", *refusal.path))


async def find_to_record(context: Context, keys: list[MemberKey]) -> list[str | Refusal | Forbidden | None]:
    """Return the ids of the members that events are recorded for, in the order of `keys`, looked up in one read.

    None for unknown ones; Forbidden for a key by which the actor may not find members; a refusal of a pass that the
    actor may not use, and of all keys from the one on at which too many were unknown.
    """
    guessers = callers(context)
    refusal = await waiting(context, guessers)
    if refusal is not None:
        return [under_member(refusal) for _ in keys]
    found = await _found_to_record(context, keys)
    unknown = [index for index, member in enumerate(found) if member is None]
    answered = await count_wrong(context, guessers, len(unknown))
    refusal = refusal_now(context, guessers) if answered < len(unknown) else None
    if refusal is None:
        return found
    end = unknown[answered]
    return [*found[:end], *(under_member(refusal) for _ in found[end:])]


async def _found_to_record(context: Context, keys: list[MemberKey]) -> list[str | Refusal | Forbidden | None]:
    actor = context.require_actor()
    found: dict[MemberKey, str | Refusal | Forbidden | None] = {}
    wanted: dict[MemberKey, tuple[str, str]] = {}
    for key in dict.fromkeys(keys):
        forbidden = key_forbidden(actor, key, to_record=True)
        if forbidden is not None:
            found[key] = forbidden
        elif key.kind == "id":
            found[key] = key.value
        elif key.kind == PASS:
            found[key] = await find_permitted_or_refusal(context, key)
        elif (value := _canonical(context, key)) is not None:
            wanted[key] = key.kind, value
    if wanted:
        reader = context.services.reader
        members = await read_or_unavailable(reader.member_ids_by(actor.programme, [*wanted.values()]))
        found.update(zip(wanted, members, strict=True))
    return [found.get(key) for key in keys]
