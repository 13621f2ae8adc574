"""Sessions at tablets as they are stored, and what may be used once: a pass, six digits, so many attempts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from models.mongo.bson import Document, moment_of
from models.mongo.database import Database
from models.mongo.uncancelled import finished

TRANSACTION_SECONDS_MAX = 8.0
# An ended session is told apart from none for so long.
FORGET_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A shopper at a tablet, from `opened_at` until `ended_at`, `ends_at`, or too long after `seen_at`."""

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

    def is_open(self, now: datetime, idle: timedelta) -> bool:
        """Say whether it goes on: it was not ended, is not too old, and somebody did something a while ago at most."""
        return self.ended_at is None and now < self.ends_at and now - self.seen_at < idle


@dataclass(frozen=True, slots=True)
class Once:
    """What may be used once: a pass, six digits. MongoDB forgets it at `forget_at`, when it is no good any more."""

    id: str
    forget_at: datetime


def _spent(once: Once, session: str) -> Document:
    return {"_id": once.id, "session": session, "forget_at": once.forget_at}


def _document(session: Session) -> Document:
    document: Document = {name: getattr(session, name) for name in Session.__slots__ if name != "id"}
    return {"_id": session.id, **document, "forget_at": session.ends_at + FORGET_AFTER}


def _session(document: Document | None) -> Session | None:
    if document is None:
        return None
    told = {name: document[name] for name in Session.__slots__ if name != "id"}
    moments = {name: moment_of(value) for name, value in told.items() if isinstance(value, datetime)}
    return Session(**{**told, **moments, "id": document["_id"]})


@finished
async def find(database: Database, session: str) -> Session | None:
    """Return a session, or None."""
    return _session(await database.sessions.find_one({"_id": session}))


@finished
async def find_all(database: Database, sessions: Iterable[str]) -> dict[str, Session]:
    """Return the sessions there are of some."""
    found = await database.sessions.find({"_id": {"$in": [*sessions]}}).to_list()
    return {session.id: session for document in found if (session := _session(document)) is not None}


@finished
async def begin(database: Database, session: Session, used_up: Once | None = None) -> tuple[Session, bool] | None:
    """Store a session, use up what it begins with, and make it the one of its tablet; the last that does so goes on.

    All of it is done or nothing, so that who retries after a gateway died is not told that a pass was used.
    Returns what is stored under its id, and whether it was there before; None where another used that up.
    """

    async def act(transaction: AsyncClientSession) -> None:
        await database.sessions.insert_one(_document(session), session=transaction)
        if used_up is not None:
            await database.spent.insert_one(_spent(used_up, session.id), session=transaction)
        await database.devices.update_one(
            {"_id": session.device}, {"$set": {"session": session.id}}, session=transaction
        )

    try:
        await database.transact(act, seconds_max=TRANSACTION_SECONDS_MAX)
    except DuplicateKeyError:
        stored = _session(await database.sessions.find_one({"_id": session.id}))
        if stored is None and used_up is None:
            raise
        return (stored, True) if stored is not None else None
    return session, False


async def confirm(database: Database, session: str) -> Session | None:
    """Confirm a session that goes on; None where it has ended."""
    return _session(
        await database.sessions.find_one_and_update(
            {"_id": session, "ended_at": None},
            {"$set": {"confirmed": True}},
            return_document=ReturnDocument.AFTER,
        )
    )


async def touch(database: Database, session: str, now: datetime) -> None:
    """Note that somebody does something."""
    await database.sessions.update_one({"_id": session, "ended_at": None}, {"$max": {"seen_at": now}})


async def end(database: Database, session: str, now: datetime) -> None:
    """End a session, if it goes on."""
    await database.sessions.update_one({"_id": session, "ended_at": None}, {"$set": {"ended_at": now}})


async def spend(database: Database, once: Once, *, session: str) -> bool:
    """Use something up for a session; False where another session used it."""
    try:
        await database.spent.insert_one(_spent(once, session))
    except DuplicateKeyError:
        spent = await database.spent.find_one({"_id": once.id})
        return spent is not None and spent["session"] == session
    return True


async def attempt(database: Database, id_: str, *, forget_at: datetime) -> int:
    """Count an attempt before it is made, so that many at once are counted all; return how many there were with it."""
    counted = await database.spent.find_one_and_update(
        {"_id": id_},
        {"$inc": {"attempts": 1}, "$setOnInsert": {"forget_at": forget_at}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    if counted is None:
        raise LookupError("an upsert returns what it made")
    return int(counted["attempts"])


async def forgive(database: Database, id_: str) -> None:
    """Take an attempt back that was none to be counted: it was right."""
    await database.spent.update_one({"_id": id_}, {"$inc": {"attempts": -1}})
