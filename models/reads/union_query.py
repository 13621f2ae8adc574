"""What is asked for at the same time is one query, whichever collections it is in.

A query costs this process and MongoDB several times what its answer does. What a home screen rests on is in three
collections (members, counters, codes): asked for in three queries, it took this process twice the time, and MongoDB a
third more.
"""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from models.mongo.bson import Document
from models.mongo.collection import Collection

PARTS_MAX = 50
"""So many reads are one query at most: MongoDB plans each of them."""

FIRST_BATCH = 10_000
"""All that is found is in the first answer, as far as its 16 MB hold it: left to itself, MongoDB sends 101 first."""

# Which of the reads a document answers; no field of any collection is called so.
_PART = "_part"


@dataclass(frozen=True, slots=True)
class _Part:
    """One read. `fields` are those that are asked for besides `_id`, none for all; `limit` 0 is none."""

    collection: Collection
    query: Document
    fields: tuple[str, ...]
    limit: int
    found: asyncio.Future[list[Document]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def stages(self, number: int) -> list[Document]:
        """Return the stages that find its documents, and say whose they are."""
        stages: list[Document] = [{"$match": self.query}]
        if self.limit:
            stages.append({"$limit": self.limit})
        if self.fields:
            stages.append({"$project": dict.fromkeys(self.fields, 1)})
        return [*stages, {"$set": {_PART: number}}]


class UnionQuery:
    """Reads for one process, in the running event loop. Who stops waiting for one does not stop it."""

    def __init__(self) -> None:
        self._asked: list[_Part] = []
        self._reading: set[asyncio.Task[None]] = set()

    def find(
        self, collection: Collection, query: Document, *fields: str, limit: int = 0
    ) -> asyncio.Future[list[Document]]:
        """Return the documents that a query finds: all of each, or some fields; all of them, or up to `limit`.

        It is asked for at once, and not when somebody waits for it: what is asked for beside it goes with it.
        """
        part = _Part(collection, query, fields, limit)
        if not self._asked:
            asyncio.get_running_loop().call_soon(self._send)
        self._asked.append(part)
        return part.found

    def _send(self) -> None:
        asked, self._asked = self._asked, []
        for start in range(0, len(asked), PARTS_MAX):
            # In variables of its own: what holds for the request that happened to be first holds for no other.
            reading = asyncio.get_running_loop().create_task(_read(asked[start : start + PARTS_MAX]), context=Context())
            self._reading.add(reading)
            reading.add_done_callback(self._reading.discard)


async def _read(parts: Sequence[_Part]) -> None:
    try:
        found = [await _one(parts[0])] if len(parts) == 1 else await _all(parts)
    except Exception as error:  # noqa: BLE001 - told to each who asked
        for part in parts:
            _settle(part, error)
    else:
        for part, documents in zip(parts, found, strict=True):
            _settle(part, documents)


def _settle(part: _Part, found: list[Document] | Exception) -> None:
    if part.found.done():  # nobody waits for it any more
        return
    if isinstance(found, Exception):
        part.found.set_exception(found)
    else:
        part.found.set_result(found)


async def _one(part: _Part) -> list[Document]:
    projection: dict[str, Any] | None = dict.fromkeys(part.fields, 1) if part.fields else None
    cursor = part.collection.find(part.query, projection, limit=part.limit, batch_size=FIRST_BATCH)
    return await cursor.to_list()


async def _all(parts: Sequence[_Part]) -> list[list[Document]]:
    stages = parts[0].stages(0)
    for number, part in enumerate(parts[1:], start=1):
        stages.append({"$unionWith": {"coll": part.collection.name, "pipeline": part.stages(number)}})
    cursor = await parts[0].collection.aggregate(stages, batchSize=FIRST_BATCH)
    found: list[list[Document]] = [[] for _ in parts]
    for document in await cursor.to_list():
        found[document.pop(_PART)].append(document)
    return found
