"""Events that wait for the purchase that they refer to: listed for staff, and counted once nothing keeps them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from loyalty.model.references.senders import split_reference
from models.commits.request import Committed
from models.commits.waiting import count_request, with_arrived_purchase
from models.mongo.bson import Document, utc_moment
from models.mongo.event import waiting_event_of, waiting_in
from models.mongo.uncancelled import uncancelled
from resolvers.core.context import Context, Services
from resolvers.core.reading import read_or_unavailable

BATCH = 200
_BY_END = [("waiting.until", 1), ("key", 1)]


@dataclass(frozen=True, slots=True)
class WaitingView:
    """A waiting event as staff see it. `waits_for` is the key that it refers to."""

    id: str
    type: str
    sender: str
    key: str
    waits_for: str
    since: datetime
    until: datetime

    @classmethod
    def of(cls, document: Document) -> "WaitingView":
        """Return the view of a stored event."""
        waits = waiting_event_of(document)
        _, waits_for = split_reference(waits.waiting.reference)
        return cls(
            document["key"],
            waits.event.type,
            waits.event.sender,
            waits.event.key,
            waits_for,
            utc_moment(document["recorded_at"]),
            waits.waiting.until,
        )


async def page(context: Context, *, first: int, after: tuple[datetime, str] | None) -> tuple[list[WaitingView], bool]:
    """Return the programme's `first` waiting events after `after` (until, id), and whether there are more."""
    return await read_or_unavailable(_page(context, first=first, after=after))


@uncancelled
async def _page(context: Context, *, first: int, after: tuple[datetime, str] | None) -> tuple[list[WaitingView], bool]:
    query = waiting_in(context.require_actor().programme)
    if after is not None:
        until, id_ = after
        query["$or"] = [{"waiting.until": {"$gt": until}}, {"waiting.until": until, "key": {"$gt": id_}}]
    found = await context.services.database.records.find(query, sort=_BY_END, limit=first + 1).to_list()
    return [WaitingView.of(document) for document in found[:first]], len(found) > first


async def count_arrived(services: Services) -> int:
    """Count the waiting events whose purchase is recorded; return how many were counted or refused.

    A purchase counts them itself. These are left: their first attempt failed, or their sender may refer to the purchase
    only since the programme file changed. Every gateway does this; if two count the same event, the second finds that
    it no longer waits.

    Raises:
        PyMongoError, Unavailable, Overloaded: nothing can be counted now; the next call starts over.
    """
    if await services.clock_fault() is not None:
        return 0
    counted = 0
    async for batch in _batches(services):
        programme = services.programmes.get(batch[0]["programme"])
        arrived = await with_arrived_purchase(services.database, batch, programme.senders)
        requests = [count_request(document, programme, services.clock()) for document in arrived]
        outcomes = await asyncio.gather(*(services.committer.commit(request) for request in requests))
        counted += sum(isinstance(outcome, Committed) for outcome in outcomes)
    return counted


async def _batches(services: Services) -> AsyncIterator[list[Document]]:
    """Yield all waiting events, at most BATCH of one programme at a time."""
    batch: list[Document] = []
    keys: list[str] = services.programmes.keys()
    for programme in keys:
        cursor = services.database.records.find(waiting_in(programme), batch_size=BATCH)
        async for document in cursor:
            batch.append(document)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch
            batch = []
