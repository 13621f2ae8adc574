"""Sessions at tablets: a shopper is known there for a while, by a pass, a card or, once confirmed, a phone number.

A tablet's own token greets, enrols and earns, and sees no member. What a shopper sees and does goes by the token of the
session, which is worth nothing once the session has ended: when the shopper leaves, when nothing was done for
IDLE, when another one begins at the tablet, when the tablet is revoked, after SESSION_TTL at the latest.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from loyalty.kernel.digest import content_digest
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.rules.member_pass import (
    DIGITS_SPAN_SECONDS,
    DIGITS_SPANS,
    NONCE_BYTES,
    PASS_TTL,
    digits_of,
    member_pass,
    read_pass,
    span_of,
    span_that_says,
)
from models.mongo.ids import joined
from models.mongo.snapshot import Snapshot
from models.reads.dependencies import uncacheable
from models.tablets import device_store, session_store
from models.tablets.device_store import Device, DeviceState
from models.tablets.session_store import Once, Session
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context, Services
from resolvers.core.fault import BadInput, Forbidden, Unauthenticated
from resolvers.core.idempotency_key import key_refusal
from resolvers.core.member import MemberKey, answered, find, load
from resolvers.core.personal_data import MASK, masked_name
from resolvers.tablets.issued_tokens import TokenKind, read_token, token_of
from resolvers.tablets.rate_limit import attempting

SESSION_TTL = timedelta(minutes=15)
IDLE = timedelta(seconds=90)
# A session is read with each request; that somebody does something is written no more often than this.
TOUCH_AFTER = timedelta(seconds=5)
WRONG_PER_DEVICE_MAX = 20
WRONG_DIGITS_PER_MEMBER_MAX = 5
GREETED_KINDS = frozenset({"phone", "email"})
# A tablet's token ends when it is revoked.
NEVER = datetime.max.replace(tzinfo=UTC)
PASS = "pass"  # noqa: S105 - the name of a way to say who somebody is


@dataclass(frozen=True, slots=True)
class Pass:
    """What a member's app shows: the QR code's text, six digits, and until when both are good."""

    code: str
    digits: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A session with what its screen may say; `token` where it was just opened, `snapshot` once it is confirmed."""

    session: Session
    greeting: str
    snapshot: Snapshot | None
    token: str | None = None
    replayed: bool = False


def issue_pass(context: Context) -> Pass:
    """Return a fresh pass of the member that asks."""
    actor, now, secret = context.require_actor(), context.now(), context.services.code_secret
    if actor.role is not Role.MEMBER or actor.member is None:
        raise Forbidden("field_forbidden", role=actor.role, field="Query.pass")
    uncacheable()
    programme, member = actor.programme, actor.member
    expires_at = (now + PASS_TTL).replace(microsecond=0)
    nonce = secrets.token_bytes(NONCE_BYTES)
    code = member_pass(programme=programme, member=member, expires_at=expires_at, nonce=nonce, secret=secret)
    return Pass(code, digits_of(programme=programme, member=member, span=span_of(now), secret=secret), expires_at)


async def open_session(context: Context, *, key: str, by: MemberKey) -> Opened | Refusal:
    """Begin a session for whoever stands at the tablet; it ends the one before.

    Raises:
        BadInput: the actor is no enrolled tablet.
    """
    actor = context.require_actor()
    if actor.device is None or actor.session is not None:
        raise BadInput("tablet_needed")
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    id_ = sha256(joined(actor.device, key).encode()).hexdigest()[:32]
    digest = content_digest({"kind": by.kind, "value": by.value})
    known = await answered(session_store.find(context.services.database, id_))
    if known is not None:
        return await _again(context, known, digest, key)
    async with attempting(context, "tablet", actor.device, most=WRONG_PER_DEVICE_MAX) as attempt:
        if isinstance(attempt, Refusal):
            return attempt
        begun = await _begun(context, by, id_=id_, device=actor.device, digest=digest)
        attempt.right = not isinstance(begun, Refusal)
    if isinstance(begun, Refusal):
        return begun
    session, was_there = begun
    if was_there:
        return await _again(context, session, digest, key)
    return await _opened(context, session, token=_token(context, session))


async def _begun(
    context: Context, by: MemberKey, *, id_: str, device: str, digest: str
) -> tuple[Session, bool] | Refusal:
    """Begin a session for the member that stands at the tablet; say whether it was there before."""
    found = await _who(context, by)
    if isinstance(found, Refusal):
        return found
    member, shown_pass = found
    now = context.now()
    session = Session(
        id=id_,
        programme=context.require_actor().programme,
        device=device,
        member=member,
        confirmed=by.kind not in GREETED_KINDS,
        digest=digest,
        opened_at=now,
        seen_at=now,
        ends_at=now + SESSION_TTL,
    )
    begun = await answered(session_store.begin(context.services.database, session, shown_pass))
    return begun if begun is not None else Refusal(RefusalCode.CONFLICT, "pass_used", ("by", PASS))


def _token(context: Context, session: Session) -> str:
    return token_of(TokenKind.SESSION, session.id, secret=context.services.code_secret)


async def _again(context: Context, session: Session, digest: str, key: str) -> Opened | Refusal:
    """Return what a request was answered the first time, if the session still goes on."""
    if session.digest != digest:
        return Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": key})
    device = await _enrolled(context.services, session.device)
    if device.session != session.id or not session.is_open(context.now(), IDLE):
        return Refusal(RefusalCode.EXPIRED, "session_over", ("key",))
    return await _opened(context, session, token=_token(context, session), replayed=True)


async def _who(context: Context, by: MemberKey) -> tuple[str, Once | None] | Refusal:
    """Return the member that stands at the tablet, and the pass that says so, which is good once."""
    if by.kind == PASS:
        return _who_shows(context, by.value)
    member = await find(context, by)
    if member is None:
        return Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("by", by.kind))
    return member, None


def _who_shows(context: Context, text: str) -> tuple[str, Once] | Refusal:
    programme, now = context.require_actor().programme, context.now()
    told = read_pass(text, programme=programme, secret=context.services.code_secret)
    if told is None:
        return Refusal(RefusalCode.NOT_FOUND, "pass_unknown", ("by", PASS))
    if now >= told.expires_at:
        return Refusal(RefusalCode.EXPIRED, "pass_expired", ("by", PASS))
    return told.member, Once(joined(PASS, programme, told.member, told.nonce), told.expires_at)


async def confirm_session(context: Context, *, key: str, digits: str) -> Opened | Refusal:
    """Confirm, with the digits that the member's app shows, who was only greeted so far."""
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
    confirmed = await answered(session_store.confirm(context.services.database, session.id))
    if confirmed is None:
        return Refusal(RefusalCode.EXPIRED, "session_over", ("key",))
    return await _opened(context, confirmed)


async def _digits_refusal(context: Context, session: Session, digits: str) -> Refusal | None:
    """Return what is wrong with some digits. Guesses are counted for the tablet, and for the member on any tablet."""
    who = session.programme, session.member
    async with attempting(context, "tablet", session.device, most=WRONG_PER_DEVICE_MAX) as by_device:
        if isinstance(by_device, Refusal):
            return by_device
        async with attempting(context, "digits", *who, most=WRONG_DIGITS_PER_MEMBER_MAX) as by_member:
            if isinstance(by_member, Refusal):
                return by_member
            wrong = await _wrong_digits(context, session, digits)
            by_device.right = by_member.right = wrong is None
    return wrong


async def _wrong_digits(context: Context, session: Session, digits: str) -> Refusal | None:
    now, secret, database = context.now(), context.services.code_secret, context.services.database
    span = span_that_says(digits, programme=session.programme, member=session.member, now=now, secret=secret)
    if span is None:
        return Refusal(RefusalCode.NOT_FOUND, "digits_wrong", ("digits",))
    forget_at = now + timedelta(seconds=DIGITS_SPAN_SECONDS * (DIGITS_SPANS + 1))
    shown_digits = Once(joined("digits", session.programme, session.member, str(span)), forget_at)
    if not await answered(session_store.spend(database, shown_digits, session=session.id)):
        return Refusal(RefusalCode.CONFLICT, "pass_used", ("digits",))
    return None


async def end_session(context: Context, *, key: str) -> Opened | Refusal:
    """End the session that the token stands for."""
    session = await current(context)
    if session is None:
        raise BadInput("session_missing")
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    await answered(session_store.end(context.services.database, session.id, context.now()))
    return Opened(session, greeting="", snapshot=None)


async def current(context: Context) -> Session | None:
    """Return the session that the token stands for; None for a token that is none."""
    uncacheable()
    actor = context.require_actor()
    return await answered(session_store.find(context.services.database, actor.session)) if actor.session else None


async def shown(context: Context) -> Opened | None:
    """Return the session that the token stands for, with what its screen may say."""
    session = await current(context)
    return await _opened(context, session) if session is not None else None


async def _opened(context: Context, session: Session, *, token: str | None = None, replayed: bool = False) -> Opened:
    snapshot = await load(context, session.member)
    name = masked_name(snapshot.member.profile.first_name) if snapshot is not None else None
    return Opened(session, name or MASK, snapshot if session.confirmed else None, token, replayed)


async def actor_of_token(services: Services, token: str) -> Actor:
    """Return the tablet or the session that a token stands for; a session's is used by it.

    Raises:
        Unauthenticated: we did not issue it, the tablet was revoked, or the session has ended.
    """
    read = read_token(token, secret=services.code_secret)
    if read is None:
        raise Unauthenticated("token_invalid", why="signature or form")
    kind, id_ = read
    if kind is TokenKind.DEVICE:
        device = await _enrolled(services, id_)
        return Actor(Role.KIOSK, device.programme, subject_of(device), NEVER, device=device.id)
    session, now = await answered(session_store.find(services.database, id_)), services.clock()
    if session is None or not session.is_open(now, IDLE):
        raise Unauthenticated("session_over")
    device = await _enrolled(services, session.device)
    if device.session != session.id:
        raise Unauthenticated("session_over")
    if now - session.seen_at >= TOUCH_AFTER:
        await answered(session_store.touch(services.database, session.id, now))
    return Actor(
        Role.KIOSK,
        device.programme,
        subject_of(device),
        expires_at=session.ends_at,
        member=session.member if session.confirmed else None,
        device=device.id,
        session=session.id,
    )


def subject_of(device: Device) -> str:
    """Return the sender that a tablet's keys are unique for, whether a shopper is known there or not."""
    return f"device/{device.id}"


async def _enrolled(services: Services, id_: str) -> Device:
    device = await answered(device_store.find(services.database, id_))
    if device is None or device.state is not DeviceState.ENROLLED:
        raise Unauthenticated("device_revoked")
    return device


async def ended(services: Services, actors: Iterable[Actor]) -> set[Actor]:
    """Return those of some tablets and sessions whose tokens are worth nothing any more."""
    asked, now = [*actors], services.clock()
    devices = await answered(
        device_store.enrolled(services.database, {actor.device for actor in asked if actor.device is not None})
    )
    sessions = await answered(
        session_store.find_all(services.database, {actor.session for actor in asked if actor.session is not None})
    )

    def goes_on(actor: Actor) -> bool:
        if actor.device not in devices:
            return False
        if actor.session is None:
            return True
        session = sessions.get(actor.session)
        return session is not None and session.is_open(now, IDLE) and devices[session.device] == session.id

    return {actor for actor in asked if not goes_on(actor)}
