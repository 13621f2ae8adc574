"""Collections `programmes` and `catalogue`: versions of programmes, and versions of items that managers saved."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from beanie import Document
from pymongo import ASCENDING, DESCENDING, IndexModel

from loyalty.kernel.currency import HUNDREDTHS
from models.mongo.schema import DATE, INTEGER, OBJECT, STRING, document_validator


def budget_decimals_in(document: Mapping[str, Any]) -> int:
    """Return the decimals in which a stored programme counts budgets; releases before 0.3.0 counted hundredths."""
    decimals: int = document.get("budget_decimals", HUNDREDTHS)
    return decimals


class ProgrammeDocument(Document):
    """One version of a programme, never changed: the file as it was applied."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    version: int
    source: str
    digest: str
    applied_at: datetime
    applied_by: str
    budget_decimals: int = HUNDREDTHS

    class Settings:
        name = "programmes"
        indexes: ClassVar = [IndexModel([("programme", ASCENDING), ("version", DESCENDING)], unique=True)]

    validator: ClassVar = document_validator(
        {
            "_id": STRING,
            "programme": STRING,
            "version": {**INTEGER, "minimum": 1},
            "source": STRING,
            "digest": STRING,
            "applied_at": DATE,
        }
    )


class CatalogueDocument(Document):
    """One version, never changed, of an offer, a reward or a content that a manager saved without a release.

    `item` is its programme, kind and key; `turn` grows with each change of the programme's catalogue; `code` is an
    offer's till code; `request` is the caller's idempotency key.
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
            # Every string is greater than "". With `$type` here, MongoDB would not use the index for equality.
            IndexModel([("request", ASCENDING)], unique=True, partialFilterExpression={"request": {"$gt": ""}}),
            IndexModel([("programme", ASCENDING), ("code", ASCENDING)], partialFilterExpression={"code": {"$gt": ""}}),
        ]

    validator: ClassVar = document_validator(
        {
            "_id": STRING,
            "programme": STRING,
            "kind": {"enum": ["offer", "reward", "content"]},
            "key": STRING,
            "item": STRING,
            "version": {**INTEGER, "minimum": 1},
            "turn": {**INTEGER, "minimum": 1},
            "definition": OBJECT,
            "digest": {**STRING, "minLength": 64, "maxLength": 64},
            "retired": {"bsonType": "bool"},
            "changed_at": DATE,
        }
    )
