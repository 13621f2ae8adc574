"""The collections: their shapes as Beanie documents, their indexes, and MongoDB's own JSON Schema as the last line.

Hot paths read and write plain dictionaries (see `models/codec.py`); these classes declare what those hold, create the
indexes, and serve where a handful of documents is read.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from beanie import Document, Indexed
from pymongo import ASCENDING, DESCENDING, IndexModel

STRING: dict[str, Any] = {"bsonType": "string"}
WHOLE: dict[str, Any] = {"bsonType": ["int", "long"]}
MOMENT: dict[str, Any] = {"bsonType": "date"}
OBJECT: dict[str, Any] = {"bsonType": "object"}
ARRAY: dict[str, Any] = {"bsonType": "array"}


def _schema(required: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"$jsonSchema": {"bsonType": "object", "required": [*required], "properties": required}}


class MemberDocument(Document):
    """One snapshot for each member. `_id` is the member; everything a home screen needs is in it."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    number: str
    version: int
    enrolled_at: datetime
    profile: dict[str, Any]
    standing: dict[str, Any]
    balances: dict[str, int]
    lots: list[list[Any]]
    qualifying: dict[str, int]
    counted: dict[str, int]
    capped: dict[str, dict[str, int]]
    cards: list[str]
    head: str
    programme_version: int
    recent: bytes
    entries: int
    due_at: datetime | None
    recorded_at: datetime

    class Settings:
        name = "members"
        indexes: ClassVar = [
            IndexModel([("programme", ASCENDING), ("_id", ASCENDING)], unique=True),
            # The sweeper's: only members whom time will change.
            IndexModel([("due_at", ASCENDING)], partialFilterExpression={"due_at": {"$type": "date"}}),
        ]

    validator: ClassVar = _schema(
        {
            "_id": STRING,
            "programme": STRING,
            "number": STRING,
            "version": {**WHOLE, "minimum": 1},
            "profile": OBJECT,
            "standing": {"bsonType": "object", "required": ["tier", "since", "until"]},
            "balances": {
                "bsonType": "object",
                # `available` may be negative where the programme lets a refund owe points: the ledger's business.
                # No policy lets anything else fall below zero but what is issued and what is written off.
                "properties": {
                    "issued": {**WHOLE, "maximum": 0},
                    "available": WHOLE,
                    "pending": {**WHOLE, "minimum": 0},
                    "held": {**WHOLE, "minimum": 0},
                    "redeemed": {**WHOLE, "minimum": 0},
                    "expired": {**WHOLE, "minimum": 0},
                    "deducted": {**WHOLE, "minimum": 0},
                    "written_off": {**WHOLE, "maximum": 0},
                },
                "additionalProperties": False,
            },
            "lots": ARRAY,
            "head": {**STRING, "minLength": 64, "maxLength": 64},
            "recent": {"bsonType": "binData"},
            "entries": {**WHOLE, "minimum": 0},
        }
    )


class RecordDocument(Document):
    """The ledger: one record for each version of a member, append-only, hash-chained."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    member: str
    version: int
    recorded_at: datetime
    cause: dict[str, Any]
    entries: list[dict[str, Any]]
    qualified: list[list[Any]]
    standing: dict[str, Any]
    previous_hash: str
    hash: str

    class Settings:
        name = "entries"
        indexes: ClassVar = [
            IndexModel([("programme", ASCENDING), ("member", ASCENDING), ("version", ASCENDING)], unique=True)
        ]

    validator: ClassVar = _schema(
        {
            "_id": STRING,
            "programme": STRING,
            "member": STRING,
            "version": {**WHOLE, "minimum": 1},
            "recorded_at": MOMENT,
            "cause": {"bsonType": "object", "required": ["operation", "role", "subject", "key"]},
            "entries": {
                "bsonType": "array",
                "items": {
                    "bsonType": "object",
                    "required": ["kind", "points", "balance", "occurred_at", "channel", "postings"],
                    "properties": {"points": WHOLE, "balance": WHOLE, "occurred_at": MOMENT, "postings": ARRAY},
                },
            },
            "previous_hash": STRING,
            "hash": {**STRING, "minLength": 64, "maxLength": 64},
        }
    )


class EventDocument(Document):
    """What came in, once for each key: the event (or enrolment, or adjustment) with its content's digest."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    operation: str
    sender: str
    key: str
    digest: str
    member: str
    version: int

    class Settings:
        name = "events"
        indexes: ClassVar = [IndexModel([("programme", ASCENDING), ("member", ASCENDING), ("occurred_at", DESCENDING)])]

    validator: ClassVar = _schema(
        {
            "_id": STRING,
            "programme": STRING,
            "operation": STRING,
            "sender": STRING,
            "key": STRING,
            "digest": {**STRING, "minLength": 64, "maxLength": 64},
            "member": STRING,
            "version": {**WHOLE, "minimum": 1},
        }
    )


class IdentityDocument(Document):
    """One way to say which member: a number, card, email or phone. The `_id` makes each one unique in its programme."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    member: Annotated[str, Indexed()]

    class Settings:
        name = "identities"

    validator: ClassVar = _schema({"_id": STRING, "programme": STRING, "member": STRING})


class ProgrammeDocument(Document):
    """One version of a programme, for ever: the file as it was applied."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    version: int
    source: str
    digest: str
    applied_at: datetime
    applied_by: str

    class Settings:
        name = "programmes"
        indexes: ClassVar = [IndexModel([("programme", ASCENDING), ("version", DESCENDING)], unique=True)]

    validator: ClassVar = _schema(
        {
            "_id": STRING,
            "programme": STRING,
            "version": {**WHOLE, "minimum": 1},
            "source": STRING,
            "digest": STRING,
            "applied_at": MOMENT,
        }
    )


DOCUMENTS = (MemberDocument, RecordDocument, EventDocument, IdentityDocument, ProgrammeDocument)
