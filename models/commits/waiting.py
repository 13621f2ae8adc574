"""Follow-ups of a purchase: the events that wait for it are counted right after it, in the same transaction."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.commands.decide_pending import DecidePending
from loyalty.commands.record_event import CountWaiting, RecordEvent
from loyalty.commands.registry import EVENT_OPERATION, Command
from loyalty.model.event import PURCHASE, Event
from loyalty.model.member import Member
from loyalty.model.programme import Programme
from loyalty.model.references.senders import Senders, split_reference
from loyalty.model.references.waiting import Waiting
from models.commits.request import Request
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.event import COUNTED_PURCHASE, waiting_event_of
from models.mongo.ids import event_key


def is_for(waiting: Waiting, sender: str, key: str, senders: Senders) -> bool:
    """Return whether an event waits for the purchase that `sender` sends with `key`, and may refer to it."""
    return senders.may_refer(waiting.sender, sender) and senders.fits(waiting.reference, sender, key)


def _counted_purchase(command: Command) -> Event | None:
    """Return the purchase that a command lets count: a till's, or a claim that staff accept."""
    match command:
        case RecordEvent(event=event, is_typed=False) if event.type == PURCHASE:
            return event
        case DecidePending(event=event, accepts=True):
            return event
        case _:
            return None


def fitting(request: Request, member: Member | None) -> list[Waiting]:
    """Return the member's waiting events that refer to the purchase that a request lets count, the oldest first."""
    event = _counted_purchase(request.command) if member is not None and member.waiting else None
    if member is None or event is None:
        return []
    senders = request.programme.senders
    return [one for one in member.waiting if is_for(one, event.sender, event.key, senders)]


def waiting_key(programme: str, waiting: Waiting) -> str:
    """Return the text of the key of a waiting event."""
    return event_key(programme, EVENT_OPERATION, waiting.sender, waiting.key)


def count_request(document: Document, programme: Programme, now: datetime) -> Request:
    """Return the request that counts a waiting event, if its purchase is recorded."""
    waits = waiting_event_of(document)
    return Request(CountWaiting(waits.event, waits.cause), document["member"], programme, now)


def follow_ups(request: Request, member: Member | None, documents: Mapping[str, Document]) -> Iterator[Request]:
    """Yield the requests that follow a purchase, for the waiting events among `documents`."""
    for one in fitting(request, member):
        document = documents.get(waiting_key(request.programme.key, one))
        if document is not None and "waiting" in document:
            yield count_request(document, request.programme, request.now)


def keys_of_waiting(requests: Iterable[tuple[Request, Member | None]]) -> set[str]:
    """Return the keys of the waiting events that some requests may count, each with its member."""
    return {
        waiting_key(request.programme.key, one) for request, member in requests for one in _counted(request, member)
    }


def _counted(request: Request, member: Member | None) -> list[Waiting]:
    """Return the member's waiting events that a request counts itself or, with their purchase, may let count."""
    command = request.command
    if not isinstance(command, CountWaiting) or member is None:
        return fitting(request, member)
    return [one for one in member.waiting if one.is_event(command.event.sender, command.event.key)]


async def with_arrived_purchase(
    database: Database, documents: Iterable[Document], senders: Senders, session: AsyncClientSession | None = None
) -> list[Document]:
    """Return those of some waiting events of one programme whose purchase is recorded: nothing keeps them waiting."""
    waits = [(document, waiting_event_of(document).waiting) for document in documents]
    wanted = [
        {
            "cause.key": split_reference(waiting.reference)[1],
            "member": document["member"],
            "programme": document["programme"],
            **COUNTED_PURCHASE,
        }
        for document, waiting in waits
    ]
    if not wanted:
        return []
    fields = {"cause": 1, "member": 1}
    purchases: dict[tuple[str, str], list[str]] = {}
    async for found in database.records.find({"$or": wanted}, fields, session=session):
        cause = found["cause"]
        purchases.setdefault((found["member"], cause["key"]), []).append(cause["subject"])
    return [
        document
        for (document, waiting), query in zip(waits, wanted, strict=True)
        if any(
            is_for(waiting, sender, query["cause.key"], senders)
            for sender in purchases.get((query["member"], query["cause.key"]), ())
        )
    ]
