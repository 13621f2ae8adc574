"""Collections `counters`, `codes` and `audiences`: data that members share."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

import beanie
from pymongo import ASCENDING, IndexModel

from loyalty.model.supply import CounterKey, CounterKind
from models.mongo.bson import Document
from models.mongo.schema import ARRAY, INTEGER, STRING, document_validator

# A day of the clock has at most 25 hours.
ACTIVITY_KEPT = timedelta(days=2)


def counter_row(counter: CounterKey) -> list[Any]:
    """Return a counter's key as a compact row: kind, key, at."""
    return [counter.kind.value, counter.key, counter.at]


def counter_fields(programme: str, counter: CounterKey) -> Document:
    """Return the fields of a counter's document, without `taken`."""
    fields = {"programme": programme, "kind": counter.kind.value, "key": counter.key, "at": counter.at}
    if counter.kind is CounterKind.ACTIVITY and counter.at is not None:
        fields["forget_at"] = counter.at + ACTIVITY_KEPT
    return fields


def counter_of(row: list[Any]) -> CounterKey:
    """Return the counter's key of a row."""
    return CounterKey(CounterKind(row[0]), row[1], row[2])


class CounterDocument(beanie.Document):
    """How much was taken so far of a shared supply: stock, an appointment, an offer's uses or its budget.

    Or how much was done in an hour or a day that the programme limits; MongoDB deletes that at `forget_at`.
    """

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    kind: str
    key: str
    at: datetime | None
    forget_at: datetime | None
    taken: int

    class Settings:
        name = "counters"
        indexes: ClassVar = [
            IndexModel([("programme", ASCENDING), ("kind", ASCENDING), ("key", ASCENDING)]),
            IndexModel([("forget_at", ASCENDING)], expireAfterSeconds=0),
        ]

    validator: ClassVar = document_validator(
        {"_id": STRING, "programme": STRING, "kind": STRING, "key": STRING, "taken": {**INTEGER, "minimum": 0}}
    )


class CodeDocument(beanie.Document):
    """One code of a loaded pool, never deleted: free, held, given or void. Its `_id` makes it unique in the pool."""

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

    validator: ClassVar = document_validator(
        {
            "_id": STRING,
            "programme": STRING,
            "pool": STRING,
            "code": STRING,
            "state": {"enum": ["free", "held", "given", "void"]},
        }
    )


class AudienceDocument(beanie.Document):
    """The audience lists that one member is on. Lists are loaded from files; offers and rewards refer to them."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    lists: list[str]

    class Settings:
        name = "audiences"
        indexes: ClassVar = [IndexModel([("programme", ASCENDING), ("lists", ASCENDING)])]

    validator: ClassVar = document_validator({"_id": STRING, "programme": STRING, "lists": ARRAY})
