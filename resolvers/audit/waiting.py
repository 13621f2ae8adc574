"""Audits the events that wait for a purchase: none may wait whose purchase is recorded."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from loyalty.model.references.senders import Senders, split_reference
from models.commits.waiting import with_arrived_purchase
from models.definitions.programme_file import read_programme
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.event import waiting_event_of, waiting_in
from models.programmes.programme_store import newest_version

BATCH = 200
FAULT = "event {key!r} waits although its purchase {purchase!r} is recorded; a running gateway counts it in a minute"


@dataclass(frozen=True, slots=True)
class AuditedWaiting:
    """An event that waits, and its fault if it should not. `number` is its member's, `?` if that does not exist."""

    member: str
    number: str
    type: str
    sender: str
    key: str
    waits_for: str
    until: datetime
    fault: str | None


async def audit_waiting(database: Database, programme: str) -> AsyncIterator[AuditedWaiting]:
    """Yield every event of a programme that waits, in order of its end."""
    senders = await _senders(database, programme)
    batch: list[Document] = []
    cursor = database.records.find(waiting_in(programme), sort=[("waiting.until", 1)], batch_size=BATCH)
    async for document in cursor:
        batch.append(document)
        if len(batch) == BATCH:
            for one in await _audited(database, batch, senders):
                yield one
            batch = []
    for one in await _audited(database, batch, senders):
        yield one


async def _senders(database: Database, programme: str) -> Senders:
    document = await newest_version(database, programme)
    return read_programme(document["source"]).senders if document is not None else Senders()


async def _audited(database: Database, batch: list[Document], senders: Senders) -> list[AuditedWaiting]:
    members = {document["member"] for document in batch}
    found = database.members.find({"_id": {"$in": [*members]}}, {"number": 1})
    numbers = {member["_id"]: member["number"] async for member in found}
    suspects = [document["_id"] for document in await with_arrived_purchase(database, batch, senders)]
    faulty: set[str] = set()
    if suspects:
        # Gateways can keep writing: only what one snapshot shows is a fault.
        async with database.client.start_session(snapshot=True) as session:
            again = {"_id": {"$in": suspects}, "waiting": {"$exists": True}}
            still = await database.records.find(again, session=session).to_list()
            arrived = await with_arrived_purchase(database, still, senders, session)
            faulty = {document["_id"] for document in arrived}
    return [_view(document, numbers, is_faulty=document["_id"] in faulty) for document in batch]


def _view(document: Document, numbers: dict[str, str], *, is_faulty: bool) -> AuditedWaiting:
    waits = waiting_event_of(document)
    event, member = waits.event, document["member"]
    _, purchase = split_reference(waits.waiting.reference)
    fault = FAULT.format(key=event.key, purchase=purchase) if is_faulty else None
    number = numbers.get(member, "?")
    return AuditedWaiting(member, number, event.type, event.sender, event.key, purchase, waits.waiting.until, fault)
