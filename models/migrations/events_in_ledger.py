"""Migration 3: moves each event of the collection `events` into the ledger record that counted it.

Releases up to 0.3.0 stored a document per idempotency key beside the record, and records under `_id`s that do not sort
by version. What a record's hash covers stays as it is. An event without its record stays where it is; `carillon audit`
lists it.
"""

from collections.abc import Mapping
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure

from loyalty.commands.record_event import WAIT_OPERATION
from loyalty.commands.registry import EVENT_OPERATION
from loyalty.model.programme import Programme
from models.mongo.bson import Document
from models.mongo.collection import Collection
from models.mongo.database import Database
from models.mongo.ids import event_key
from models.mongo.ledger import record_id

RECORDS_PER_STEP = 500
FORMER_INDEX = "programme_1_member_1_version_1"
_FORMER_FIELDS = {"programme": 1, "member": 1, "version": 1}
# No record has the field, so the index is empty.
_PLACEHOLDER = [("no_index_of_earlier_releases", 1)]
_FORMER_ID = "^[^/]*:"
# Of an event's own document: what its record stores too, under these names or others.
_IN_RECORD = frozenset({"_id", "programme", "operation", "sender", "key", "member", "version", "recorded_at", "waited"})
INDEX_NOT_FOUND = 27


def former_events(database: Database) -> Collection:
    """Return the collection in which earlier releases stored events."""
    return Collection(database.db, "events")


def _key_of(record: Mapping[str, Any]) -> str:
    cause = record["cause"]
    operation = EVENT_OPERATION if cause["operation"] == WAIT_OPERATION else cause["operation"]
    return event_key(record["programme"], operation, cause["subject"], cause["key"])


def _owns(record: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Return whether an event belongs to a record: that of its version, where it waits if it does."""
    return (record["member"], record["version"]) == (event["member"], event["version"])


def _event_fields(event: Mapping[str, Any]) -> Document:
    """Return the fields that an event adds to its record."""
    fields = {name: value for name, value in event.items() if name not in _IN_RECORD}
    if "waiting" in fields:
        fields["waiting"] = {name: fields["waiting"][name] for name in ("reference", "until")}
    elif "waited" in event and "refused" not in event:
        fields["waited"] = event["waited"]
    return {"key": event["_id"], **fields}


async def step(database: Database, programme: Programme, after: str, session: AsyncClientSession) -> str | None:
    """Convert the records after `after`; return the last one's former `_id`, None if there are no more."""
    former = {"_id": {"$gt": after, "$regex": _FORMER_ID}, "programme": programme.key}
    found = database.records.find(former, sort=[("_id", 1)], limit=RECORDS_PER_STEP, session=session)
    records = await found.to_list()
    if not records:
        return None
    keys = {record["_id"]: _key_of(record) for record in records if "command" not in record}
    events = {
        event["_id"]: event
        async for event in former_events(database).find({"_id": {"$in": [*keys.values()]}}, session=session)
    }
    converted: list[Document] = []
    moved: list[str] = []
    for record in records:
        event = events.get(keys.get(record["_id"], ""))
        if event is not None and _owns(record, event):
            moved.append(event["_id"])
        else:
            event = None
        fields = _event_fields(event) if event is not None else {}
        converted.append({**record, **fields, "_id": record_id(record["member"], record["version"])})
    await database.records.delete_many({"_id": {"$in": [record["_id"] for record in records]}}, session=session)
    # Also of records that the validator would refuse: the audit lists them, and a gateway has to start.
    await database.records.insert_many(converted, bypass_document_validation=True, session=session)
    await former_events(database).delete_many({"_id": {"$in": moved}}, session=session)
    last: str = records[-1]["_id"]
    return last


async def finish(database: Database) -> None:
    """Drop what only earlier releases need: the empty collection, and the index for which `_id` is enough.

    An empty index takes its name: a gateway of an earlier release cannot create its own then, and so cannot start. It
    would replace the validator that refuses its records, and count keys again that it does not see.
    """
    events = former_events(database)
    if await events.find_one({}, {"_id": 1}) is None:
        await events.drop()
    try:
        # By its fields: another process may be creating the empty one under the name.
        await database.db.command("dropIndexes", database.records.name, index=_FORMER_FIELDS)
    except OperationFailure as error:
        if error.code != INDEX_NOT_FOUND:
            raise
    await database.records.create_index(_PLACEHOLDER, name=FORMER_INDEX, sparse=True)
