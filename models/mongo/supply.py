"""`counters`, `codes` and `audiences`: what members share."""

from datetime import datetime
from typing import Any, ClassVar

import beanie
from pymongo import ASCENDING, IndexModel

from loyalty.model.supply import CounterKey, Supply
from models.mongo.bson import Document
from models.mongo.schema import ARRAY, STRING, WHOLE, schema


def counter_row(counter: CounterKey) -> list[Any]:
    """Return which counter, as a compact row."""
    return [counter.kind.value, counter.key, counter.at]


def counter_fields(programme: str, counter: CounterKey) -> Document:
    """Return what a counter's document says besides how much was taken."""
    return {"programme": programme, "kind": counter.kind.value, "key": counter.key, "at": counter.at}


def counter_of(row: list[Any]) -> CounterKey:
    """Return the counter of a row."""
    return CounterKey(Supply(row[0]), row[1], row[2])


class CounterDocument(beanie.Document):
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

    validator: ClassVar = schema(
        {"_id": STRING, "programme": STRING, "kind": STRING, "key": STRING, "taken": {**WHOLE, "minimum": 0}}
    )


class CodeDocument(beanie.Document):
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

    validator: ClassVar = schema(
        {
            "_id": STRING,
            "programme": STRING,
            "pool": STRING,
            "code": STRING,
            "state": {"enum": ["free", "held", "given", "void"]},
        }
    )


class AudienceDocument(beanie.Document):
    """The lists that one member is on. Lists are loaded from files, and offers are for some of them."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    lists: list[str]

    class Settings:
        name = "audiences"
        indexes: ClassVar = [IndexModel([("programme", ASCENDING), ("lists", ASCENDING)])]

    validator: ClassVar = schema({"_id": STRING, "programme": STRING, "lists": ARRAY})
