"""Collections `devices`, `sessions` and `spent`: tablets, their sessions, and used passes and attempt counts."""

from datetime import datetime
from typing import ClassVar

from beanie import Document
from pymongo import ASCENDING, DESCENDING, IndexModel

from models.mongo.schema import DATE, STRING, document_validator


class DeviceDocument(Document):
    """A tablet of a programme, never deleted: who invited it, when it was enrolled, who revoked it.

    `code_digest` is the digest of its enrolment code; `enrolled_by` is the digest of the key that enrolled it;
    `session` is the newest session on it, the only one that can be open.
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

    validator: ClassVar = document_validator(
        {
            "_id": STRING,
            "programme": STRING,
            "name": STRING,
            "state": {"enum": ["INVITED", "ENROLLED", "REVOKED"]},
            "invited_at": DATE,
            "invited_by": STRING,
            "code_digest": {**STRING, "minLength": 64, "maxLength": 64},
            "code_expires_at": DATE,
        }
    )


class SessionDocument(Document):
    """A shopper's session on a tablet. MongoDB deletes it at `forget_at`, long after its token expired."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    device: str
    member: str
    confirmed: bool
    proven: bool
    digest: str
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    forget_at: datetime

    class Settings:
        name = "sessions"
        indexes: ClassVar = [IndexModel([("forget_at", ASCENDING)], expireAfterSeconds=0)]

    validator: ClassVar = document_validator(
        {
            "_id": STRING,
            "programme": STRING,
            "device": STRING,
            "member": STRING,
            "confirmed": {"bsonType": "bool"},
            "opened_at": DATE,
            "seen_at": DATE,
            "ends_at": DATE,
            "forget_at": DATE,
        }
    )


class UsedCredentialDocument(Document):
    """A used pass or six-digit code, or the number of attempts in a time span.

    `session` is the session it was used for; `holder` the caller that presented a pass first, at `bound_at`. The change
    feed brings the use of a pass to the app of its `member`.
    """

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    session: str | None
    member: str | None
    holder: str | None
    bound_at: datetime | None
    attempts: int | None
    forget_at: datetime

    class Settings:
        name = "spent"
        indexes: ClassVar = [IndexModel([("forget_at", ASCENDING)], expireAfterSeconds=0)]

    validator: ClassVar = document_validator({"_id": STRING, "forget_at": DATE})
