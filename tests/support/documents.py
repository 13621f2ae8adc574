"""The stored documents, to check that a refusal changes nothing."""

from typing import Any

from models.mongo.database import Database

Documents = dict[str, list[dict[str, Any]]]


async def documents(database: Database) -> Documents:
    """Return every document of every collection, but for the counts of wrong look-ups: a refusal may add to them."""
    names = sorted(await database.db.list_collection_names())
    stored = {"_id": {"$not": {"$regex": "^guess/"}}}
    return {name: await database.db[name].find(stored).sort("_id").to_list() for name in names}


async def counts(database: Database) -> tuple[int, int, int]:
    """Return the numbers of members, records and keys."""
    members, records = [await one.count_documents({}) for one in (database.members, database.records)]
    return members, records, await database.records.count_documents({"key": {"$exists": True}})
