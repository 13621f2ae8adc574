"""Collection `commits`: which members each committed group of commands changed; the change feed follows it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

import beanie
from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from models.mongo.bson import Document
from models.mongo.schema import DATE, OBJECT, document_validator

# Longer than a follower is away and still resumes; what is older is in the ledger.
KEPT = timedelta(days=7)


class CommitDocument(beanie.Document):
    """One committed group: the newest version of each member that it changed, by the member's id."""

    forget_at: datetime
    members: dict[str, int]

    class Settings:
        name = "commits"
        indexes: ClassVar = [IndexModel([("forget_at", ASCENDING)], expireAfterSeconds=0)]

    validator: ClassVar = document_validator({"forget_at": DATE, "members": OBJECT})


def commit_document(id_: ObjectId, versions: Iterable[tuple[str, int]]) -> Document:
    """Return the document of a group; `versions` are those of its members, in the order of their decisions."""
    return {"_id": id_, "forget_at": id_.generation_time + KEPT, "members": dict(versions)}
