"""`devices`, `sessions` and `spent`: tablets, their sessions, and the passes that were used."""

from datetime import datetime
from typing import ClassVar

from beanie import Document
from pymongo import ASCENDING, DESCENDING, IndexModel

from models.mongo.schema import MOMENT, STRING, schema


class DeviceDocument(Document):
    """A tablet of a brand, for ever: who invited it, when it was enrolled, who took its token away.

    `code_digest` is that of the short code it is enrolled with; `enrolled_by` is the digest of the key that it sent;
    `session` is the last one that began there, which alone may go on.
    """

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    name: str
    store: str | None
    state: str
    digest: str
    invited_at: datetime
    invited_by: str
    code_digest: str
    code_expires_at: datetime
    enrolled_at: datetime | None
    enrolled_by: str | None
    revoked_at: datetime | None
    revoked_by: str | None
    revoked_key: str | None
    session: str | None

    class Settings:
        name = "devices"
        indexes: ClassVar = [
            IndexModel([("code_digest", ASCENDING)], unique=True),
            IndexModel([("programme", ASCENDING), ("invited_at", DESCENDING), ("_id", DESCENDING)]),
        ]

    validator: ClassVar = schema(
        {
            "_id": STRING,
            "programme": STRING,
            "name": STRING,
            "state": {"enum": ["INVITED", "ENROLLED", "REVOKED"]},
            "invited_at": MOMENT,
            "invited_by": STRING,
            "code_digest": {**STRING, "minLength": 64, "maxLength": 64},
            "code_expires_at": MOMENT,
        }
    )


class SessionDocument(Document):
    """A shopper at a tablet. MongoDB forgets it at `forget_at`, when its token could be no good for long already."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    device: str
    member: str
    confirmed: bool
    digest: str
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    forget_at: datetime

    class Settings:
        name = "sessions"
        indexes: ClassVar = [IndexModel([("forget_at", ASCENDING)], expireAfterSeconds=0)]

    validator: ClassVar = schema(
        {
            "_id": STRING,
            "programme": STRING,
            "device": STRING,
            "member": STRING,
            "confirmed": {"bsonType": "bool"},
            "opened_at": MOMENT,
            "seen_at": MOMENT,
            "ends_at": MOMENT,
            "forget_at": MOMENT,
        }
    )


class SpentDocument(Document):
    """A pass, or six digits, that was used, and for which session; or how many attempts somebody made in a while."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    session: str | None
    attempts: int | None
    forget_at: datetime

    class Settings:
        name = "spent"
        indexes: ClassVar = [IndexModel([("forget_at", ASCENDING)], expireAfterSeconds=0)]

    validator: ClassVar = schema({"_id": STRING, "forget_at": MOMENT})
