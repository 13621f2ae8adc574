"""Loads audience lists, which name their members one by one, from files.

Loading a list again replaces it. Members are added in batches, stamped with the number of the load; at the end members
with an older stamp are removed. An interrupted load has removed nobody and can be run again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from pymongo import ReturnDocument, UpdateOne

from loyalty.kernel import canonical
from models.loading.code_pool import REPORTED_LINES_MAX, Line, checked_name, filled_lines
from models.mongo.database import Database
from models.mongo.ids import audience_id, identity_key, joined_id

LINES_MAX = 1_000_000
BATCH = 1000


class LoadSuperseded(Exception):  # noqa: N818 - shown to the operator
    """Another load of the same list started after this one; the list will hold its members."""


@dataclass(slots=True)
class LoadedList:
    """The result of loading a file: members on the list now, members removed, lines without a member, duplicate lines.

    `unknown_lines` holds the first REPORTED_LINES_MAX lines without a member: line number, from 1, and text.
    """

    members: int = 0
    removed: int = 0
    unknown: int = 0
    duplicates: int = 0
    unknown_lines: list[Line] = field(default_factory=list)

    def add_unknown(self, number: int, text: str) -> None:
        """Count a line that matches no member."""
        self.unknown += 1
        if len(self.unknown_lines) < REPORTED_LINES_MAX:
            self.unknown_lines.append((number, text))


@dataclass(frozen=True, slots=True)
class AudienceListSummary:
    """How many members are on a list, and when its newest load started (None: never loaded)."""

    members: int
    loaded_at: datetime | None


def _mark_id(programme: str, name: str) -> str:
    return f"audience/{joined_id(programme, name)}"


def _keys(programme: str, text: str, country: str | None) -> list[str]:
    """Return the identities that a line may stand for, in the order in which they are tried."""
    found = ((kind, canonical.identity(kind, text, country)) for kind in ("number", "card", "email", "phone"))
    return [identity_key(programme, kind, value) for kind, value in found if value is not None]


async def load_list(
    database: Database,
    programme: str,
    name: str,
    lines: Iterable[str],
    *,
    now: datetime,
    country: str | None = None,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> LoadedList:
    """Replace a list by the members of a file: one membership number, card, e-mail or phone per line.

    `country` is where national phone numbers are. `on_progress` gets the number of lines processed.

    Raises:
        InvalidLoad: the name of the list is invalid, or there are more than LINES_MAX lines.
        LoadSuperseded: another load of the list started meanwhile.
    """
    checked_name(name, "list")
    mark = await database.marks.find_one_and_update(
        {"_id": _mark_id(programme, name)},
        {"$inc": {"stamp": 1}, "$set": {"loaded_at": now}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    stamp = mark["stamp"] if mark else 1
    tally = LoadedList()
    rest = filled_lines(lines, LINES_MAX)
    done = 0
    while batch := list(islice(rest, BATCH)):
        await _require_newest(database, programme, name, stamp)
        await _put(database, programme, name, await _members(database, programme, batch, tally, country), stamp)
        done += len(batch)
        on_progress(done)
    await _require_newest(database, programme, name, stamp)
    tally.removed = await _remove(database, programme, name, {"$not": {"$gte": stamp}})
    tally.members = await database.audiences.count_documents({"programme": programme, "lists": name})
    tally.duplicates = done - tally.unknown - tally.members
    return tally


async def _require_newest(database: Database, programme: str, name: str, stamp: int) -> None:
    mark = await database.marks.find_one({"_id": _mark_id(programme, name)})
    if mark is None or mark["stamp"] != stamp:
        # The other load may already have removed the members that its file lacks: remove what this load added since.
        await _remove(database, programme, name, {"$eq": stamp})
        raise LoadSuperseded(
            f"another load of list {name!r} has started; wait for it, or load this file again after it"
        )


async def _members(
    database: Database, programme: str, batch: list[Line], tally: LoadedList, country: str | None
) -> list[str]:
    """Return the distinct members that the lines name; count the lines without one."""
    keys = {line: _keys(programme, line[1], country) for line in batch}
    found: dict[str, str] = {}
    wanted = list({key for some in keys.values() for key in some})
    async for document in database.identities.find({"_id": {"$in": wanted}}, {"member": 1}):
        found[document["_id"]] = document["member"]
    members: dict[str, None] = {}
    for line, some in keys.items():
        member = next((found[key] for key in some if key in found), None)
        if member is None:
            tally.add_unknown(*line)
        else:
            members[member] = None
    return [*members]


async def _put(database: Database, programme: str, name: str, members: list[str], stamp: int) -> None:
    change = {
        "$addToSet": {"lists": name},
        "$max": {f"stamps.{name}": stamp},
        "$setOnInsert": {"programme": programme},
    }
    writes = [UpdateOne({"_id": audience_id(programme, member)}, change, upsert=True) for member in members]
    if writes:
        await database.audiences.bulk_write(writes, ordered=False)


async def _remove(database: Database, programme: str, name: str, stamps: dict[str, Any]) -> int:
    """Remove the members whose stamp matches `stamps` (a MongoDB filter) from the list; return how many."""
    query = {"programme": programme, "lists": name, f"stamps.{name}": stamps}
    result = await database.audiences.update_many(query, {"$pull": {"lists": name}, "$unset": {f"stamps.{name}": ""}})
    await database.audiences.delete_many({"programme": programme, "lists": []})
    return result.modified_count


async def audience_list(database: Database, programme: str, name: str) -> AudienceListSummary:
    """Return the size of a list and the time of its newest load."""
    members = await database.audiences.count_documents({"programme": programme, "lists": name})
    mark = await database.marks.find_one({"_id": _mark_id(programme, name)})
    return AudienceListSummary(members, mark["loaded_at"] if mark else None)
