"""Tablets as they are stored. A tablet is invited, enrolled once, and revoked once; nothing of it is ever deleted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from models.mongo.bson import Document, moment_of
from models.mongo.database import Database
from models.mongo.uncancelled import finished


class DeviceState(StrEnum):
    """Where a tablet stands: its code was told, it has its token, its token was taken away."""

    INVITED = "INVITED"
    ENROLLED = "ENROLLED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class Device:
    """A tablet of a brand. `digest` is that of the invitation's content; `enrolled_by`, `revoked_key` name requests.

    `session` is the last session that began there; no other goes on.
    """

    id: str
    programme: str
    name: str
    store: str | None
    state: DeviceState
    digest: str
    invited_at: datetime
    invited_by: str
    code_digest: str
    code_expires_at: datetime
    enrolled_at: datetime | None = None
    enrolled_by: str | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    revoked_key: str | None = None
    session: str | None = None


def _document(device: Device) -> Document:
    document: Document = {name: getattr(device, name) for name in Device.__slots__ if name != "id"}
    return {"_id": device.id, **document, "state": device.state.value}


def _device(document: Document | None) -> Device | None:
    if document is None:
        return None
    told: dict[str, Any] = {name: document[name] for name in Device.__slots__ if name != "id"}
    moments = {name: moment_of(value) for name, value in told.items() if isinstance(value, datetime)}
    return Device(**{**told, **moments, "id": document["_id"], "state": DeviceState(document["state"])})


async def invite(database: Database, device: Device) -> tuple[Device, bool]:
    """Store an invitation; return the one that is stored under its id, and whether it was there before.

    Raises:
        DuplicateKeyError: another tablet has the same code, which does not happen twice in a trillion times.
    """
    try:
        await database.devices.insert_one(_document(device))
    except DuplicateKeyError:
        stored = await find(database, device.id)
        if stored is None:
            raise
        return stored, True
    return device, False


@finished
async def find(database: Database, device: str) -> Device | None:
    """Return a tablet, or None."""
    return _device(await database.devices.find_one({"_id": device}))


@finished
async def enrolled(database: Database, devices: Iterable[str]) -> dict[str, str | None]:
    """Return which of some tablets have their token, and the last session that began at each."""
    query = {"_id": {"$in": [*devices]}, "state": DeviceState.ENROLLED.value}
    found = await database.devices.find(query, {"session": 1}).to_list()
    return {document["_id"]: document["session"] for document in found}


@finished
async def find_by_code(database: Database, code_digest: str) -> Device | None:
    """Return the tablet that a code was told for, or None."""
    return _device(await database.devices.find_one({"code_digest": code_digest}))


async def enrol(database: Database, device: str, *, by: str, now: datetime) -> Device | None:
    """Enrol a tablet whose invitation is good still; None where it is not, or another was first."""
    return _device(
        await database.devices.find_one_and_update(
            {"_id": device, "state": DeviceState.INVITED.value, "code_expires_at": {"$gt": now}},
            {"$set": {"state": DeviceState.ENROLLED.value, "enrolled_at": now, "enrolled_by": by}},
            return_document=ReturnDocument.AFTER,
        )
    )


async def revoke(database: Database, device: Device, *, key: str, by: str, now: datetime) -> Device | None:
    """Take a tablet's token, or its invitation, away; None where that was done before."""
    said = {"state": DeviceState.REVOKED.value, "revoked_at": now, "revoked_by": by, "revoked_key": key}
    return _device(
        await database.devices.find_one_and_update(
            {"_id": device.id, "programme": device.programme, "state": {"$ne": DeviceState.REVOKED.value}},
            {"$set": said},
            return_document=ReturnDocument.AFTER,
        )
    )


@finished
async def page(
    database: Database, programme: str, *, first: int, after: tuple[datetime, str] | None
) -> tuple[list[Device], bool]:
    """Return a programme's tablets, the newest first, and whether there are more."""
    query: Document = {"programme": programme}
    if after is not None:
        at, id_ = after
        query["$or"] = [{"invited_at": {"$lt": at}}, {"invited_at": at, "_id": {"$lt": id_}}]
    order = [("invited_at", DESCENDING), ("_id", DESCENDING)]
    found = await database.devices.find(query, sort=order, limit=first + 1).to_list()
    devices = [device for document in found if (device := _device(document)) is not None]
    return devices[:first], len(devices) > first
