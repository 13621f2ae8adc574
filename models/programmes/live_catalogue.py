"""What is stored of a programme's catalogue, in memory: laid over what the file says, and kept up with the changes."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from loyalty.model.catalogue import Catalogue
from loyalty.model.offer import Offer
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from models.definitions.catalogue_file import Item, Kind, revive
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.ids import joined
from models.programmes.catalogue_store import NEWEST, is_own

READ_BATCH = 500

log = structlog.get_logger(__name__)


async def newest_items(database: Database, programme: str) -> AsyncIterator[Document]:
    """Tell the newest version of everything that is stored for a programme."""
    first = joined(programme, "")
    span = {"item": {"$gte": first, "$lt": f"{first[:-1]}0"}}  # "0" comes right after "/"
    cursor = await database.catalogue.aggregate([{"$match": span}, *NEWEST], batchSize=READ_BATCH)
    async for document in cursor:
        yield document


async def items_since(database: Database, programme: str, turn: int) -> AsyncIterator[Document]:
    """Tell what was stored for a programme in a turn and in all after it, in order."""
    query = {"programme": programme, "turn": {"$gte": turn}}
    async for document in database.catalogue.find(query, batch_size=READ_BATCH).sort("turn"):
        yield document


async def newest_turn(database: Database, programme: str) -> int:
    """Return the programme's last turn, 0 before the first."""
    mark = await database.marks.find_one({"_id": f"catalogue/{programme}"})
    return mark["turn"] if mark is not None else 0


@dataclass(slots=True)
class _Newest:
    """The newest version of one item; its value is None where it is retired."""

    version: int
    value: Item | None


class Overlay:
    """The newest of all that is stored for one programme, laid over the catalogue of its file."""

    def __init__(self) -> None:
        self._newest: dict[tuple[Kind, str], _Newest] = {}
        self._turn: int | None = None

    def take(self, document: Mapping[str, Any], programme: Programme) -> None:
        """Take a stored version into the catalogue, unless a newer one is here already.

        One that cannot be read, such as a newer gateway's, is left out: what runs goes on.
        """
        kind, key, version = Kind(document["kind"]), document["key"], document["version"]
        known = self._newest.get((kind, key))
        if known is not None and known.version >= version:
            return
        try:
            definition = document["definition"]
            value = None if document["retired"] else revive(kind, definition, programme, version=version)
        except (ValueError, TypeError):
            log.exception("catalogue_item_unreadable", item=document["_id"])
            return
        self._newest[kind, key] = _Newest(version, value)
        _show(programme.catalogue, kind, key, value)

    def follow(self, document: Mapping[str, Any], programme: Programme) -> None:
        """Take a stored version that comes in the order of turns."""
        self.take(document, programme)
        if self._turn is not None:
            self._turn = max(self._turn, document["turn"])

    def lay(self, programme: Programme, *, before: Programme | None) -> None:
        """Lay all that is known over a new version of the programme."""
        for (kind, key), newest in self._newest.items():
            _show(programme.catalogue, kind, key, newest.value)
        if before is not None and (before.locale, before.zone) != (programme.locale, programme.zone):
            # Days and texts were read in the old ones. They are used until they are read again.
            self._turn = None
            for newest in self._newest.values():
                newest.version = 0

    async def catch_up(self, database: Database, programme: Callable[[], Programme]) -> None:
        """Read what was stored since the last turn that was followed; everything, at first.

        `programme` returns the newest version, which may become another one in the meantime.
        """
        key = programme().key
        if self._turn is not None:
            async for document in items_since(database, key, self._turn):
                self.follow(document, programme())
            return
        # Before all is read: what is stored meanwhile may be among it or not, and is read once more.
        turn = await newest_turn(database, key)
        async for document in newest_items(database, key):
            self.take(document, programme())
        self._turn = turn


def _show(catalogue: Catalogue, kind: Kind, key: str, value: Item | None) -> None:
    """Bring an item into the catalogue or out of it. What the file says itself stays as the file says."""
    if is_own(catalogue, kind, key):
        return
    if isinstance(value, Offer):
        catalogue.put_offer(value)
    elif isinstance(value, Reward):
        catalogue.put_reward(value)
    elif value is not None:
        catalogue.put_content(value)
    elif kind is Kind.OFFER:
        catalogue.drop_offer(key)
    elif kind is Kind.REWARD:
        catalogue.drop_reward(key)
    else:
        catalogue.drop_content(key)
