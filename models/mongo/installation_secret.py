"""The installation's own secret, made once for each database: what members' codes are proved with."""

import secrets

from pymongo import ReturnDocument

from models.mongo.database import Database

MARK = "code-secret"
SECRET_BYTES = 32


async def code_secret(database: Database) -> bytes:
    """Return the secret of a database; the first to ask makes it."""
    mark = await database.marks.find_one_and_update(
        {"_id": MARK},
        {"$setOnInsert": {"secret": secrets.token_bytes(SECRET_BYTES)}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    if mark is None:
        raise LookupError("an upsert returns what it made")
    return bytes(mark["secret"])
