"""Collections `counters`, `codes` and `audiences`: data that members share."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import beanie
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.model.supply import CounterKey, CounterKind
from models.mongo.bson import Document
from models.mongo.collection import Collection
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


async def pools_with_codes(
    codes: Collection, programme: str, wanted: Iterable[str], session: AsyncClientSession | None = None
) -> dict[str, str]:
    """Return those of some codes (in canonical form) that a pool has, with the name of the pool."""
    names = [*wanted]
    if not names:
        return {}
    query = {"programme": programme, "canonical": {"$in": names}}
    cursor = codes.find(query, {"canonical": 1, "pool": 1}, batch_size=len(names) + 1, session=session)
    return {found["canonical"]: found["pool"] async for found in cursor}


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
    """One code of a loaded pool, never deleted: free, held, given or void.

    `code` is shown as it was loaded; `canonical` makes it unique among all pools of the programme. Codes that were
    loaded before there was a canonical form, and that share one with another code, have none: the audit lists them.
    """

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    pool: str
    code: str
    canonical: str | None = None
    state: str

    class Settings:
        name = "codes"
        indexes: ClassVar = [
            IndexModel([("programme", ASCENDING), ("pool", ASCENDING), ("state", ASCENDING), ("_id", ASCENDING)]),
            IndexModel(
                [("programme", ASCENDING), ("canonical", ASCENDING)],
                unique=True,
                partialFilterExpression={"canonical": {"$type": "string"}},
            ),
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
