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
    """Return the numbers of members, records and events."""
    collections = (database.members, database.records, database.events)
    members, records, events = [await collection.count_documents({}) for collection in collections]
    return members, records, events
