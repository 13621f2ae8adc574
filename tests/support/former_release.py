"""The database as releases up to 0.3.0 stored it: the events in a collection of their own, beside the ledger."""

from typing import Any

from loyalty.commands.record_event import WAIT_OPERATION
from loyalty.commands.registry import EVENT_OPERATION
from models.migrations.events_in_ledger import former_events
from models.mongo.database import Database
from models.mongo.event import WAITING_FIELDS

FORMER_INDEX = [("programme", 1), ("member", 1), ("version", 1)]
# What a record stores of its event, whatever it is.
_EVENT_FIELDS = {
    *WAITING_FIELDS,
    *("grants", "earned_on", "expires_on", "returned", "consequences", "money_returned", "claim", "offers"),
    *("receipt", "orders", "hold", "others", "waited", "refused"),
}


def _event_of(record: dict[str, Any]) -> dict[str, Any]:
    """Return the former document of the event that a record owns."""
    cause = record["cause"]
    waits = cause["operation"] == WAIT_OPERATION
    fields = {name: record[name] for name in _EVENT_FIELDS if name in record}
    if waits:
        fields["waited"] = record["version"]
    if "waiting" in record:
        reason = {"reason": cause["reason"]} if "reason" in cause else {}
        fields["waiting"] = {**record["waiting"], "role": cause["role"], **reason}
    own = {
        "_id": record["key"],
        "programme": record["programme"],
        "operation": EVENT_OPERATION if waits else cause["operation"],
        "sender": cause["subject"],
        "key": cause["key"],
        "member": record["member"],
        "version": record["version"],
        "recorded_at": record["recorded_at"],
    }
    return {**fields, **own}


async def store_as_former_release(database: Database) -> None:
    """Rewrite the ledger as releases up to 0.3.0 stored it, with its index; no migration has run yet."""
    records = await database.records.find().to_list()
    await database.records.delete_many({})
    await database.db.command("collMod", "entries", validator={})
    await database.records.create_index(FORMER_INDEX, unique=True)
    former = [
        {
            **{name: value for name, value in record.items() if name not in _EVENT_FIELDS},
            "_id": f"{record['member']}:{record['version']}",
        }
        for record in records
    ]
    events = [_event_of(record) for record in records if "key" in record]
    await database.records.insert_many(former)
    await former_events(database).insert_many(events)
    await database.marks.delete_many({"_id": {"$regex": "^migration/3/"}})
    await database.prepare()
