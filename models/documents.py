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
    lots: bytes | list[list[Any]]
    qualifying: bytes | dict[str, int]
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
            # A scanned card is one read: the number is in the member, and found by it.
            IndexModel([("programme", ASCENDING), ("number", ASCENDING)], unique=True),
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
            # Packed; an array and an object in snapshots from before they were.
            "lots": {"bsonType": ["binData", "array"]},
            "qualifying": {"bsonType": ["binData", "object"]},
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


class OrderDocument(Document):
    """One order of a reward as it stands; what moved with each step is in the ledger."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    number: str
    member: str
    state: str
    placed_at: datetime
    version: int

    class Settings:
        name = "orders"
        indexes: ClassVar = [
            IndexModel([("programme", ASCENDING), ("number", ASCENDING)], unique=True),
            IndexModel(
                [("programme", ASCENDING), ("member", ASCENDING), ("placed_at", DESCENDING), ("_id", DESCENDING)]
            ),
        ]

    validator: ClassVar = _schema(
        {
            "_id": STRING,
            "programme": STRING,
            "number": STRING,
            "member": STRING,
            "reward": OBJECT,
            "quantity": {**WHOLE, "minimum": 1},
            "points": {**WHOLE, "minimum": 0},
            "points_returned": {**WHOLE, "minimum": 0},
            "returned": {**WHOLE, "minimum": 0},
            "state": STRING,
            "placed_at": MOMENT,
            "history": ARRAY,
            "version": {**WHOLE, "minimum": 1},
        }
    )


class CounterDocument(Document):
    """What was taken so far of what members share: stock, an appointment, an offer's uses or its budget."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    kind: str
    key: str
    at: datetime | None
    taken: int

    class Settings:
        name = "counters"
        indexes: ClassVar = [IndexModel([("programme", ASCENDING), ("kind", ASCENDING), ("key", ASCENDING)])]

    validator: ClassVar = _schema(
        {"_id": STRING, "programme": STRING, "kind": STRING, "key": STRING, "taken": {**WHOLE, "minimum": 0}}
    )


class CodeDocument(Document):
    """One code of a loaded pool, for ever: free, held, given or void. The `_id` makes each one unique in its pool."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    pool: str
    code: str
    state: str

    class Settings:
        name = "codes"
        indexes: ClassVar = [
            IndexModel([("programme", ASCENDING), ("pool", ASCENDING), ("state", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("programme", ASCENDING), ("code", ASCENDING)]),
            IndexModel([("member", ASCENDING)], partialFilterExpression={"member": {"$gt": ""}}),
        ]

    validator: ClassVar = _schema(
        {
            "_id": STRING,
            "programme": STRING,
            "pool": STRING,
            "code": STRING,
            "state": {"enum": ["free", "held", "given", "void"]},
        }
    )


class AudienceDocument(Document):
    """The lists that one member is on. Lists are loaded from files, and offers are for some of them."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    lists: list[str]

    class Settings:
        name = "audiences"
        indexes: ClassVar = [IndexModel([("programme", ASCENDING), ("lists", ASCENDING)])]

    validator: ClassVar = _schema({"_id": STRING, "programme": STRING, "lists": ARRAY})


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


class CatalogueDocument(Document):
    """One version, for ever, of an offer, a reward or a content that was made without a release.

    `item` is its programme, kind and key; `turn` grows with every change of the programme's catalogue; `code` is what
    its offer is found by at the till; `request` is the caller's key, which counts once.
    """

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    kind: str
    key: str
    item: str
    version: int
    turn: int
    definition: dict[str, Any]
    digest: str
    code: str | None
    retired: bool
    request: str | None
    changed_at: datetime
    changed_by: str

    class Settings:
        name = "catalogue"
        indexes: ClassVar = [
            IndexModel([("item", ASCENDING), ("version", DESCENDING)], unique=True),
            IndexModel([("programme", ASCENDING), ("turn", ASCENDING)]),
            # Every string is above "". With `$type` here, MongoDB would not use the index to find one.
            IndexModel([("request", ASCENDING)], unique=True, partialFilterExpression={"request": {"$gt": ""}}),
            IndexModel([("programme", ASCENDING), ("code", ASCENDING)], partialFilterExpression={"code": {"$gt": ""}}),
        ]

    validator: ClassVar = _schema(
        {
            "_id": STRING,
            "programme": STRING,
            "kind": {"enum": ["offer", "reward", "content"]},
            "key": STRING,
            "item": STRING,
            "version": {**WHOLE, "minimum": 1},
            "turn": {**WHOLE, "minimum": 1},
            "definition": OBJECT,
            "digest": {**STRING, "minLength": 64, "maxLength": 64},
            "retired": {"bsonType": "bool"},
            "changed_at": MOMENT,
        }
    )


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

    validator: ClassVar = _schema(
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

    validator: ClassVar = _schema(
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

    validator: ClassVar = _schema({"_id": STRING, "forget_at": MOMENT})


DOCUMENTS = (
    MemberDocument,
    RecordDocument,
    EventDocument,
    IdentityDocument,
    ProgrammeDocument,
    OrderDocument,
    CounterDocument,
    CodeDocument,
    AudienceDocument,
    CatalogueDocument,
    DeviceDocument,
    SessionDocument,
    SpentDocument,
)
