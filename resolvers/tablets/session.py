"""Manages shoppers' sessions on tablets, opened with a pass, a card or, if confirmed afterwards, a phone number.

A tablet's own token can greet, enrol and record events, and has no access to members. A shopper uses the token of a
session, which is valid until the session ends: when the shopper leaves, after IDLE without use, when another session is
opened on the tablet, when the tablet is revoked, and after SESSION_TTL at the latest.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from loyalty.kernel.digest import content_digest
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.rules.member_pass import (
    NONCE_BYTES,
    PASS_TTL,
    TIME_STEP_SECONDS,
    TIME_STEPS_GRACE,
    MemberPass,
    digits_for,
    matching_time_step,
    sign_pass,
    time_step_of,
    verify_pass,
)
from models.mongo.ids import joined_id
from models.mongo.snapshot import Snapshot
from models.reads.dependencies import uncacheable
from models.tablets import device_store, session_store
from models.tablets.device_store import Device, DeviceState
from models.tablets.session_store import OneTimeCredential, Session
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context, Services
from resolvers.core.guesses import Guesser
from resolvers.core.guessing import guarded, tablet
from resolvers.core.idempotency_key import key_refusal
from resolvers.core.member import PASS, MemberKey, find_id, load, pass_credential
from resolvers.core.operation_error import BadInput, Forbidden, Unauthenticated
from resolvers.core.personal_data import MASK, masked_name
from resolvers.core.reading import read_or_unavailable
from resolvers.tablets.issued_tokens import TokenKind, issue_token, verify_token

SESSION_TTL = timedelta(minutes=15)
IDLE = timedelta(seconds=90)
# A session is read with each request; its last use is written at most this often.
TOUCH_AFTER = timedelta(seconds=5)
WRONG_DIGITS_PER_MEMBER_MAX = 5
UNCONFIRMED_KINDS = frozenset({"phone", "email"})
# A tablet's token ends when it is revoked.
NO_EXPIRY = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pass:
    """What a member's app shows: the text of the QR code, six digits, and when both expire."""

    code: str
    digits: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as its screen can show it. `token` is set by `open_session` only, `snapshot` once it is confirmed."""

    session: Session
    greeting: str
    snapshot: Snapshot | None
    token: str | None = None
    replayed: bool = False


def issue_pass(context: Context) -> Pass:
    """Return a new pass of the calling member. Raises Forbidden for other roles."""
    actor, now, secret = context.require_actor(), context.now(), context.services.code_secret
    if actor.role is not Role.MEMBER or actor.member is None:
        raise Forbidden("field_forbidden", role=actor.role, field="Query.pass")
    uncacheable()
    programme, member = actor.programme, actor.member
    expires_at = (now + PASS_TTL).replace(microsecond=0)
    nonce = secrets.token_bytes(NONCE_BYTES)
    code = sign_pass(programme=programme, member=member, expires_at=expires_at, nonce=nonce, secret=secret)
    return Pass(
        code, digits_for(programme=programme, member=member, time_step=time_step_of(now), secret=secret), expires_at
    )


async def open_session(context: Context, *, key: str, by: MemberKey) -> SessionView | Refusal:
    """Open a session for the shopper at the tablet, which closes the one before; refused after too many attempts.

    Raises:
        BadInput: the actor is not an enrolled tablet.
    """
    actor = context.require_actor()
    if actor.device is None or actor.session is not None:
        raise BadInput("tablet_needed")
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    id_ = sha256(joined_id(actor.device, key).encode()).hexdigest()[:32]
    digest = content_digest({"kind": by.kind, "value": by.value})
    known = await read_or_unavailable(session_store.find(context.services.database, id_))
    if known is not None:
        return await _replay(context, known, digest, key)
    found = await guarded(context, [tablet(actor.device)], lambda: _identify(context, by))
    if isinstance(found, Refusal):
        return found
    begun = await _begin(context, by, found, id_=id_, device=actor.device, digest=digest)
    if isinstance(begun, Refusal):
        return begun
    session, replayed = begun
    if replayed:
        return await _replay(context, session, digest, key)
    return await _opened(context, session, token=_token(context, session))


async def _begin(
    context: Context, by: MemberKey, found: tuple[str, MemberPass | None], *, id_: str, device: str, digest: str
) -> tuple[Session, bool] | Refusal:
    """Store a session for the shopper at the tablet; return it, and whether it was stored before."""
    member, shown_pass = found
    now = context.now()
    session = Session(
        id=id_,
        programme=context.require_actor().programme,
        device=device,
        member=member,
        confirmed=by.kind not in UNCONFIRMED_KINDS,
        digest=digest,
        opened_at=now,
        seen_at=now,
        ends_at=now + SESSION_TTL,
        proven=by.kind == PASS,
    )
    once = pass_credential(session.programme, shown_pass) if shown_pass is not None else None
    begun = await read_or_unavailable(session_store.open_session(context.services.database, session, once))
    if begun is None:
        return Refusal(RefusalCode.CONFLICT, "pass_used", ("by", PASS))
    return begun


def _token(context: Context, session: Session) -> str:
    return issue_token(TokenKind.SESSION, session.id, secret=context.services.code_secret)


async def _replay(context: Context, session: Session, digest: str, key: str) -> SessionView | Refusal:
    """Return the result of the first request with the same key, if its session is still open."""
    if session.digest != digest:
        return Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": key})
    device = await _enrolled(context.services, session.device)
    if device.session != session.id or not session.is_open(context.now(), IDLE):
        return Refusal(RefusalCode.EXPIRED, "session_over", ("key",))
    return await _opened(context, session, token=_token(context, session), replayed=True)


async def _identify(context: Context, by: MemberKey) -> tuple[str, MemberPass | None] | Refusal:
    """Return the member at the tablet, and the pass to be used up (None without one)."""
    if by.kind == PASS:
        return _identify_by_pass(context, by.value)
    member = await find_id(context, by)
    if member is None:
        return Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("by", by.kind))
    return member, None


def _identify_by_pass(context: Context, text: str) -> tuple[str, MemberPass] | Refusal:
    programme, now = context.require_actor().programme, context.now()
    shown = verify_pass(text, programme=programme, secret=context.services.code_secret)
    if shown is None:
        return Refusal(RefusalCode.NOT_FOUND, "pass_unknown", ("by", PASS))
    if shown.has_expired(now):
        return Refusal(RefusalCode.EXPIRED, "pass_expired", ("by", PASS))
    return shown.member, shown


async def confirm_session(context: Context, *, key: str, digits: str) -> SessionView | Refusal:
    """Confirm a session that was opened by phone or e-mail, with the digits that the member's app shows.

    Raises:
        BadInput: the actor has no session.
    """
    session = await current(context)
    if session is None:
        raise BadInput("session_missing")
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    if session.confirmed:
        return await _opened(context, session, replayed=True)
    wrong = await _digits_refusal(context, session, digits)
    if wrong is not None:
        return wrong
    confirmed = await read_or_unavailable(session_store.confirm(context.services.database, session.id))
    if confirmed is None:
        return Refusal(RefusalCode.EXPIRED, "session_over", ("key",))
    return await _opened(context, confirmed)


async def _digits_refusal(context: Context, session: Session, digits: str) -> Refusal | None:
    """Return a refusal of wrong digits, or None. Attempts are counted per tablet, and per member across tablets."""
    about_member = Guesser(
        joined_id("guess", "digits", session.programme, session.member), WRONG_DIGITS_PER_MEMBER_MAX, shared=True
    )
    return await guarded(
        context, [tablet(session.device), about_member], lambda: _wrong_digits(context, session, digits)
    )


async def _wrong_digits(context: Context, session: Session, digits: str) -> Refusal | None:
    now, secret, database = context.now(), context.services.code_secret, context.services.database
    span = matching_time_step(digits, programme=session.programme, member=session.member, now=now, secret=secret)
    if span is None:
        return Refusal(RefusalCode.NOT_FOUND, "digits_wrong", ("digits",))
    forget_at = now + timedelta(seconds=TIME_STEP_SECONDS * (TIME_STEPS_GRACE + 1))
    shown_digits = OneTimeCredential(joined_id("digits", session.programme, session.member, str(span)), forget_at)
    if not await read_or_unavailable(session_store.mark_used(database, shown_digits, session=session.id)):
        return Refusal(RefusalCode.CONFLICT, "pass_used", ("digits",))
    return None


async def end_session(context: Context, *, key: str) -> SessionView | Refusal:
    """End the actor's session. Raises BadInput if it has none."""
    session = await current(context)
    if session is None:
        raise BadInput("session_missing")
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    await read_or_unavailable(session_store.end(context.services.database, session.id, context.now()))
    return SessionView(session, greeting="", snapshot=None)


async def current(context: Context) -> Session | None:
    """Return the actor's session; None if its token is not a session's."""
    uncacheable()
    actor = context.require_actor()
    return (
        await read_or_unavailable(session_store.find(context.services.database, actor.session))
        if actor.session
        else None
    )


async def current_view(context: Context) -> SessionView | None:
    """Return the actor's session as its screen can show it, or None."""
    session = await current(context)
    return await _opened(context, session) if session is not None else None


async def _opened(
    context: Context, session: Session, *, token: str | None = None, replayed: bool = False
) -> SessionView:
    snapshot = await load(context, session.member)
    name = masked_name(snapshot.member.profile.first_name) if snapshot is not None else None
    return SessionView(session, name or MASK, snapshot if session.confirmed else None, token, replayed)


async def actor_of_token(services: Services, token: str) -> Actor:
    """Return the actor of a tablet's or a session's token; records the use of a session.

    Raises:
        Unauthenticated: its signature is invalid, the tablet was revoked, or the session has ended.
    """
    read = verify_token(token, secret=services.code_secret)
    if read is None:
        raise Unauthenticated("token_invalid", why="signature or form")
    kind, id_ = read
    if kind is TokenKind.DEVICE:
        device = await _enrolled(services, id_)
        return Actor(Role.KIOSK, device.programme, subject_of(device), NO_EXPIRY, device=device.id)
    session, now = await read_or_unavailable(session_store.find(services.database, id_)), services.clock()
    if session is None or not session.is_open(now, IDLE):
        raise Unauthenticated("session_over")
    device = await _enrolled(services, session.device)
    if device.session != session.id:
        raise Unauthenticated("session_over")
    if now - session.seen_at >= TOUCH_AFTER:
        await read_or_unavailable(session_store.touch(services.database, session.id, now))
    return Actor(
        Role.KIOSK,
        device.programme,
        subject_of(device),
        expires_at=session.ends_at,
        member=session.member if session.confirmed else None,
        device=device.id,
        session=session.id,
        is_proven=session.proven,
    )


def subject_of(device: Device) -> str:
    """Return the subject of a tablet, with or without a session: its idempotency keys are unique per tablet."""
    return f"device/{device.id}"


async def _enrolled(services: Services, id_: str) -> Device:
    device = await read_or_unavailable(device_store.find(services.database, id_))
    if device is None or device.state is not DeviceState.ENROLLED:
        raise Unauthenticated("device_revoked")
    return device


async def invalid_actors(services: Services, actors: Iterable[Actor]) -> set[Actor]:
    """Return those of the given tablets and sessions whose tokens are no longer valid."""
    checked, now = [*actors], services.clock()
    devices = await read_or_unavailable(
        device_store.newest_sessions(services.database, {actor.device for actor in checked if actor.device is not None})
    )
    sessions = await read_or_unavailable(
        session_store.find_all(services.database, {actor.session for actor in checked if actor.session is not None})
    )

    def is_valid(actor: Actor) -> bool:
        if actor.device not in devices:
            return False
        if actor.session is None:
            return True
        session = sessions.get(actor.session)
        return session is not None and session.is_open(now, IDLE) and devices[session.device] == session.id

    return {actor for actor in checked if not is_valid(actor)}
