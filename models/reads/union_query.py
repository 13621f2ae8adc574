"""Coalesces the reads of one event-loop tick, of any collections, into a single aggregation with `$unionWith`.

A query costs this process and MongoDB several times as much as the documents that it returns. The dependencies of a
home screen are in three collections (members, counters, codes): as three queries, they took this process twice the
time, and MongoDB a third more.
"""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from models.mongo.bson import Document
from models.mongo.collection import Collection

PARTS_MAX = 50
"""The most reads in one query: MongoDB plans each of them."""

FIRST_BATCH = 10_000
"""Documents in the first reply, as far as its 16 MB hold them; MongoDB's default is 101."""

# The number of the read that found a document; no collection has a field of this name.
_PART = "_part"


@dataclass(frozen=True, slots=True)
class _Part:
    """One read. `fields` are returned besides `_id`, all fields if empty; `limit` 0 means no limit."""

    collection: Collection
    query: Document
    fields: tuple[str, ...]
    limit: int
    found: asyncio.Future[list[Document]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def stages(self, number: int) -> list[Document]:
        """Return the stages that find its documents and mark them with its number."""
        stages: list[Document] = [{"$match": self.query}]
        if self.limit:
            stages.append({"$limit": self.limit})
        if self.fields:
            stages.append({"$project": dict.fromkeys(self.fields, 1)})
        return [*stages, {"$set": {_PART: number}}]


class UnionQuery:
    """The coalesced reads of one process, in the running event loop. Cancelling a caller does not cancel its read."""

    def __init__(self) -> None:
        self._upcoming: list[_Part] = []
        self._reading: set[asyncio.Task[None]] = set()

    def find(
        self, collection: Collection, query: Document, *fields: str, limit: int = 0
    ) -> asyncio.Future[list[Document]]:
        """Return the documents that a query finds, up to `limit` if it is not 0: whole ones, or only `fields`.

        The read starts at once, not when the future is awaited, together with the other reads of this tick.
        """
        part = _Part(collection, query, fields, limit)
        if not self._upcoming:
            asyncio.get_running_loop().call_soon(self._send)
        self._upcoming.append(part)
        return part.found

    def _send(self) -> None:
        parts, self._upcoming = self._upcoming, []
        for start in range(0, len(parts), PARTS_MAX):
            # In an empty context: the context variables of the first caller's request are not for the others.
            reading = asyncio.get_running_loop().create_task(_read(parts[start : start + PARTS_MAX]), context=Context())
            self._reading.add(reading)
            reading.add_done_callback(self._reading.discard)


async def _read(parts: Sequence[_Part]) -> None:
    try:
        found = [await _find(parts[0])] if len(parts) == 1 else await _union(parts)
    except Exception as error:  # noqa: BLE001 - raised to each caller
        for part in parts:
            _resolve(part, error)
    else:
        for part, documents in zip(parts, found, strict=True):
            _resolve(part, documents)


def _resolve(part: _Part, found: list[Document] | Exception) -> None:
    if part.found.done():  # its caller was cancelled
        return
    if isinstance(found, Exception):
        part.found.set_exception(found)
    else:
        part.found.set_result(found)


async def _find(part: _Part) -> list[Document]:
    projection: dict[str, Any] | None = dict.fromkeys(part.fields, 1) if part.fields else None
    cursor = part.collection.find(part.query, projection, limit=part.limit, batch_size=FIRST_BATCH)
    return await cursor.to_list()


async def _union(parts: Sequence[_Part]) -> list[list[Document]]:
    stages = parts[0].stages(0)
    for number, part in enumerate(parts[1:], start=1):
        stages.append({"$unionWith": {"coll": part.collection.name, "pipeline": part.stages(number)}})
    cursor = await parts[0].collection.aggregate(stages, batchSize=FIRST_BATCH)
    found: list[list[Document]] = [[] for _ in parts]
    for document in await cursor.to_list():
        found[document.pop(_PART)].append(document)
    return found
