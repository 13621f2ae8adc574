"""Stores the installation's secret, one per database, which signs members' codes, passes and tablet tokens."""

import secrets

from pymongo import ReturnDocument

from models.mongo.database import Database

MARK = "code-secret"
SECRET_BYTES = 32


async def code_secret(database: Database) -> bytes:
    """Return the secret of a database (32 bytes); the first call creates it."""
    mark = await database.marks.find_one_and_update(
        {"_id": MARK},
        {"$setOnInsert": {"secret": secrets.token_bytes(SECRET_BYTES)}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    if mark is None:
        raise LookupError("the upsert returned no document")
    return bytes(mark["secret"])
