"""Manages tablets: a manager invites one with a short code, the tablet enrols with it, a manager revokes it."""

import hmac
from base64 import b32encode
from datetime import datetime, timedelta
from hashlib import sha256

from pymongo.errors import DuplicateKeyError

from loyalty.kernel import canonical
from loyalty.kernel.digest import content_digest
from loyalty.kernel.refusal import Refusal, RefusalCode
from models.mongo.ids import joined_id
from models.tablets import device_store
from models.tablets.device_store import Device, DeviceState
from resolvers.core.command import staff_id, text_refusal
from resolvers.core.context import Context
from resolvers.core.guessing import answer_counted, client
from resolvers.core.idempotency_key import key_refusal
from resolvers.core.operation_error import Unavailable
from resolvers.core.reading import read_or_unavailable
from resolvers.tablets.issued_tokens import TokenKind, issue_token

CODE_TTL = timedelta(minutes=15)
NAME_LENGTH_MAX = 100
WRONG_CODES_MAX = 20
_CODE_LENGTH = 8
_HALF = 4
# Python encodes with RFC 4648's alphabet; Crockford's has no letters that look like digits.
_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_MISREAD = str.maketrans("OIL", "011")


def short_code(device: str, secret: bytes) -> str:
    """Return a tablet's enrolment code, derived from its id, so that it need not be stored to be shown again."""
    digest = hmac.new(secret, f"device-code\0{device}".encode(), sha256).digest()
    text = b32encode(digest).translate(_CROCKFORD)[:_CODE_LENGTH].decode("ascii")
    return f"{text[:_HALF]}-{text[_HALF:]}"


def _code_digest(code: str) -> str:
    return sha256(canonical.code(code).translate(_MISREAD).encode()).hexdigest()


def device_token(context: Context, device: Device) -> str:
    """Return the token of an enrolled tablet."""
    return issue_token(TokenKind.DEVICE, device.id, secret=context.services.code_secret)


async def invite(context: Context, *, key: str, name: str, store: str | None) -> tuple[Device, str, bool] | Refusal:
    """Invite a tablet; return it, its enrolment code, and whether the same request had invited it before."""
    refusal = (
        key_refusal(key)
        or (Refusal(RefusalCode.INVALID, "device_name_missing", ("name",)) if not name.strip() else None)
        or text_refusal(name, NAME_LENGTH_MAX, "name")
        or text_refusal(store, NAME_LENGTH_MAX, "store")
    )
    if refusal is not None:
        return refusal
    actor, now = context.require_actor(), context.now()
    id_ = sha256(joined_id(actor.programme, actor.role, actor.subject, key).encode()).hexdigest()[:32]
    code = short_code(id_, context.services.code_secret)
    device = Device(
        id=id_,
        programme=actor.programme,
        name=name.strip(),
        store=store,
        state=DeviceState.INVITED,
        digest=content_digest({"name": name.strip(), "store": store}),
        invited_at=now,
        invited_by=staff_id(context),
        code_digest=_code_digest(code),
        code_expires_at=now + CODE_TTL,
    )
    try:
        stored, known = await read_or_unavailable(device_store.invite(context.services.database, device))
    except DuplicateKeyError:
        raise Unavailable("commit_unavailable") from None
    if stored.digest != device.digest:
        return Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": key})
    return stored, code, known


async def enrol(context: Context, *, key: str, code: str) -> tuple[Device, bool] | Refusal:
    """Enrol a tablet by its code; return it, and whether the same request had enrolled it before.

    The caller is not authenticated, so wrong codes are counted by client address. A right code is never refused for
    the wrong ones of others behind the same address: 40 random bits that are valid for CODE_TTL cannot be guessed.
    """
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    found = await _enrolled(context, key=key, code=code)
    if isinstance(found, Refusal):
        return await answer_counted(context, [client(context, "device-code", WRONG_CODES_MAX)], found)
    return found


async def _enrolled(context: Context, *, key: str, code: str) -> tuple[Device, bool] | Refusal:
    database, now, by = context.services.database, context.now(), sha256(key.encode()).hexdigest()
    device = await read_or_unavailable(device_store.find_by_code(database, _code_digest(code)))
    if device is None or device.state is DeviceState.REVOKED:
        return Refusal(RefusalCode.NOT_FOUND, "device_code_unknown", ("code",))
    if now >= device.code_expires_at:
        return Refusal(RefusalCode.EXPIRED, "device_code_expired", ("code",))
    enrolled = await read_or_unavailable(device_store.enrol(database, device.id, by=by, now=now))
    if enrolled is not None:
        return enrolled, False
    before = await read_or_unavailable(device_store.find(database, device.id))
    if before is not None and before.state is DeviceState.ENROLLED and before.enrolled_by == by:
        return before, True
    return Refusal(RefusalCode.CONFLICT, "device_code_used", ("code",))


async def revoke(context: Context, *, key: str, device: str) -> tuple[Device, bool] | Refusal:
    """Revoke a tablet and its session; return it, and whether the same request had revoked it before."""
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    actor, now, database = context.require_actor(), context.now(), context.services.database
    found = await read_or_unavailable(device_store.find(database, device))
    if found is None or found.programme != actor.programme:
        return Refusal(RefusalCode.NOT_FOUND, "device_not_found", ("device",))
    by = staff_id(context)
    revoked = await read_or_unavailable(device_store.revoke(database, found, key=key, by=by, now=now))
    if revoked is not None:
        return revoked, False
    stored = await read_or_unavailable(device_store.find(database, device))
    if stored is not None and (stored.revoked_key, stored.revoked_by) == (key, by):
        return stored, True
    return Refusal(RefusalCode.CONFLICT, "device_revoked", ("device",))


async def page(context: Context, *, first: int, after: tuple[datetime, str] | None) -> tuple[list[Device], bool]:
    """Return the programme's `first` newest tablets older than `after` (invited_at, id), and whether there are more."""
    return await read_or_unavailable(
        device_store.page(context.services.database, context.require_actor().programme, first=first, after=after)
    )
