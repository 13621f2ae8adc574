"""Stores sessions on tablets, one-time credentials (passes and six-digit codes), and attempt counters."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from models.mongo.bson import Document, utc_moment
from models.mongo.database import Database
from models.mongo.uncancelled import uncancelled

TRANSACTION_SECONDS_MAX = 8.0
# For how long an ended session differs from one that never existed.
FORGET_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A shopper's session, from `opened_at` until `ended_at`, `ends_at`, or the idle time after `seen_at`."""

    id: str
    programme: str
    device: str
    member: str
    confirmed: bool
    digest: str
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    proven: bool = False
    """Whether the member's app was there: its pass opened the session, or its digits confirmed it."""

    def is_open(self, now: datetime, idle: timedelta) -> bool:
        """Return whether it is open: not ended, not expired, and used less than `idle` ago."""
        return self.ended_at is None and now < self.ends_at and now - self.seen_at < idle


@dataclass(frozen=True, slots=True)
class OneTimeCredential:
    """A credential that can be used once: a pass or six digits. MongoDB deletes it at `forget_at`, after it expires.

    `member` is the member whose app shows a new one once this one is used; None for digits.
    """

    id: str
    forget_at: datetime
    member: str | None = None


def _spent(once: OneTimeCredential, **use: object) -> Document:
    of_member = {"member": once.member} if once.member is not None else {}
    return {"_id": once.id, "forget_at": once.forget_at, **of_member, **use}


def _document(session: Session) -> Document:
    document: Document = {name: getattr(session, name) for name in Session.__slots__ if name != "id"}
    return {"_id": session.id, **document, "forget_at": session.ends_at + FORGET_AFTER}


def _session(document: Document | None) -> Session | None:
    if document is None:
        return None
    # A session that an earlier release opened does not have every field.
    fields = {name: document[name] for name in Session.__slots__ if name in document}
    moments = {name: utc_moment(value) for name, value in fields.items() if isinstance(value, datetime)}
    return Session(**{**fields, **moments, "id": document["_id"]})


@uncancelled
async def find(database: Database, session: str) -> Session | None:
    """Return a session, or None."""
    return _session(await database.sessions.find_one({"_id": session}))


@uncancelled
async def find_all(database: Database, sessions: Iterable[str]) -> dict[str, Session]:
    """Return those of the given sessions that exist, by id."""
    found = await database.sessions.find({"_id": {"$in": [*sessions]}}).to_list()
    return {session.id: session for document in found if (session := _session(document)) is not None}


@uncancelled
async def open_session(
    database: Database, session: Session, credential: OneTimeCredential | None = None
) -> tuple[Session, bool] | None:
    """Store a session, mark its pass as used, and make it the tablet's newest session, which closes the one before.

    One transaction, so that a retry after a gateway's crash is not refused because the pass was used. Returns the
    session that is stored under its id, and whether it was stored before; None if another session used the pass.
    """

    async def act(transaction: AsyncClientSession) -> None:
        await database.sessions.insert_one(_document(session), session=transaction)
        if credential is not None:
            await database.used_credentials.insert_one(_spent(credential, session=session.id), session=transaction)
        await database.devices.update_one(
            {"_id": session.device}, {"$set": {"session": session.id}}, session=transaction
        )

    try:
        await database.transact(act, seconds_max=TRANSACTION_SECONDS_MAX)
    except DuplicateKeyError:
        stored = _session(await database.sessions.find_one({"_id": session.id}))
        if stored is None and credential is None:
            raise
        return (stored, True) if stored is not None else None
    return session, False


async def confirm(database: Database, session: str) -> Session | None:
    """Confirm a session; None if it has ended."""
    return _session(
        await database.sessions.find_one_and_update(
            {"_id": session, "ended_at": None},
            {"$set": {"confirmed": True, "proven": True}},
            return_document=ReturnDocument.AFTER,
        )
    )


async def touch(database: Database, session: str, now: datetime) -> None:
    """Record that the session was used."""
    await database.sessions.update_one({"_id": session, "ended_at": None}, {"$max": {"seen_at": now}})


async def end(database: Database, session: str, now: datetime) -> None:
    """End a session, unless it has ended already."""
    await database.sessions.update_one({"_id": session, "ended_at": None}, {"$set": {"ended_at": now}})


async def mark_used(database: Database, once: OneTimeCredential, *, session: str) -> bool:
    """Mark a credential as used by a session; False if another session used it."""
    try:
        await database.used_credentials.insert_one(_spent(once, session=session))
    except DuplicateKeyError:
        spent = await database.used_credentials.find_one({"_id": once.id})
        return spent is not None and spent["session"] == session
    return True


@dataclass(frozen=True, slots=True)
class PassBinding:
    """Who presented a pass first: a caller (`holder`), at `bound_at`; None for the session of a tablet."""

    holder: str | None
    bound_at: datetime | None


async def bind_pass(database: Database, once: OneTimeCredential, *, holder: str, now: datetime) -> PassBinding:
    """Bind a pass to the caller that presents it first, until `once.forget_at`; return whose it is."""
    try:
        await database.used_credentials.insert_one(_spent(once, holder=holder, bound_at=now))
    except DuplicateKeyError:
        return await find_binding(database, once.id) or PassBinding(None, None)
    return PassBinding(holder, now)


async def find_binding(database: Database, once: str) -> PassBinding | None:
    """Return whose a pass is; None if it was never presented."""
    spent = await database.used_credentials.find_one({"_id": once})
    if spent is None:
        return None
    bound_at = spent.get("bound_at")
    return PassBinding(spent.get("holder"), utc_moment(bound_at) if bound_at is not None else None)


async def wrong_attempts(database: Database, guessers: list[str]) -> dict[str, tuple[int, datetime]]:
    """Return, for each guesser with wrong attempts, how many there are, and when they are forgotten."""
    found = database.used_credentials.find({"_id": {"$in": guessers}})
    return {document["_id"]: (document["attempts"], utc_moment(document["forget_at"])) async for document in found}


async def count_wrong_attempts(
    database: Database, guessers: list[str], *, times: int, now: datetime, forget_at: datetime
) -> dict[str, int]:
    """Count wrong attempts of each guesser, forgetting those whose time is over; return their counts."""
    # The TTL index removes documents up to a minute late.
    attempts = {"$cond": [{"$gt": ["$forget_at", now]}, {"$add": ["$attempts", times]}, times]}
    counted = await asyncio.gather(
        *[
            database.used_credentials.find_one_and_update(
                {"_id": guesser},
                [{"$set": {"attempts": attempts, "forget_at": forget_at}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
            for guesser in guessers
        ]
    )
    return {document["_id"]: int(document["attempts"]) for document in counted if document is not None}
