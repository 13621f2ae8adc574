"""Keeps a programme's catalogue current in memory: the stored items, overlaid on those of the programme file."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from loyalty.model.catalogue import Catalogue
from loyalty.model.offer import Offer
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from models.definitions.catalogue_file import CatalogueItem, ItemKind, parse_stored
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.ids import joined_id
from models.programmes.catalogue_store import NEWEST_VERSIONS, is_in_file

READ_BATCH = 500

log = structlog.get_logger(__name__)


async def newest_items(database: Database, programme: str) -> AsyncIterator[Document]:
    """Yield the newest version of every item that is stored for a programme."""
    first = joined_id(programme, "")
    span = {"item": {"$gte": first, "$lt": f"{first[:-1]}0"}}  # "0" comes right after "/"
    cursor = await database.catalogue.aggregate([{"$match": span}, *NEWEST_VERSIONS], batchSize=READ_BATCH)
    async for document in cursor:
        yield document


async def items_since(database: Database, programme: str, turn: int) -> AsyncIterator[Document]:
    """Yield the versions that were stored for a programme in `turn` and later, in order of turns."""
    query = {"programme": programme, "turn": {"$gte": turn}}
    async for document in database.catalogue.find(query, batch_size=READ_BATCH).sort("turn"):
        yield document


async def newest_turn(database: Database, programme: str) -> int:
    """Return the programme's newest turn, 0 before the first."""
    mark = await database.marks.find_one({"_id": f"catalogue/{programme}"})
    return mark["turn"] if mark is not None else 0


@dataclass(slots=True)
class _Newest:
    """The newest version of one item; `value` is None if it is retired."""

    version: int
    value: CatalogueItem | None


class Overlay:
    """The newest stored version of each item of one programme, overlaid on the catalogue of its file."""

    def __init__(self) -> None:
        self._newest: dict[tuple[ItemKind, str], _Newest] = {}
        self._turn: int | None = None

    def apply(self, document: Mapping[str, Any], programme: Programme) -> None:
        """Apply a stored version to the catalogue, unless a newer one was applied already.

        A version that cannot be read, such as a newer gateway's, is logged and skipped: the former one stays in use.
        """
        kind, key, version = ItemKind(document["kind"]), document["key"], document["version"]
        known = self._newest.get((kind, key))
        if known is not None and known.version >= version:
            return
        try:
            definition = document["definition"]
            value = None if document["retired"] else parse_stored(kind, definition, programme, version=version)
        except (ValueError, TypeError):
            log.exception("catalogue_item_unreadable", item=document["_id"])
            return
        self._newest[kind, key] = _Newest(version, value)
        _show(programme.catalogue, kind, key, value)

    def apply_in_order(self, document: Mapping[str, Any], programme: Programme) -> None:
        """Apply a stored version; versions must come in the order of turns."""
        self.apply(document, programme)
        if self._turn is not None:
            self._turn = max(self._turn, document["turn"])

    def apply_to(self, programme: Programme, *, before: Programme | None) -> None:
        """Apply all known items to a new version of the programme. `before` is the version it replaces."""
        for (kind, key), newest in self._newest.items():
            _show(programme.catalogue, kind, key, newest.value)
        if before is not None and (before.locale, before.zone) != (programme.locale, programme.zone):
            # Days and texts were parsed with the old locale and zone: keep using them until catch_up() has read them
            # again.
            self._turn = None
            for newest in self._newest.values():
                newest.version = 0

    async def catch_up(self, database: Database, programme: Callable[[], Programme]) -> None:
        """Read the versions stored since the last turn that was applied; all of them, the first time.

        `programme` returns the current version of the programme, which can change during the call.
        """
        key = programme().key
        if self._turn is not None:
            async for document in items_since(database, key, self._turn):
                self.apply_in_order(document, programme())
            return
        # Read before the items: an item stored meanwhile may be missing from them, and is read in the next call.
        turn = await newest_turn(database, key)
        async for document in newest_items(database, key):
            self.apply(document, programme())
        self._turn = turn


def _show(catalogue: Catalogue, kind: ItemKind, key: str, value: CatalogueItem | None) -> None:
    """Add an item to the catalogue or remove it (None). Items that the programme file defines are not changed."""
    if is_in_file(catalogue, kind, key):
        return
    if isinstance(value, Offer):
        catalogue.upsert_offer(value)
    elif isinstance(value, Reward):
        catalogue.upsert_reward(value)
    elif value is not None:
        catalogue.upsert_content(value)
    elif kind is ItemKind.OFFER:
        catalogue.remove_offer(key)
    elif kind is ItemKind.REWARD:
        catalogue.remove_reward(key)
    else:
        catalogue.remove_content(key)
