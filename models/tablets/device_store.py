"""Stores tablets. A tablet is invited, enrolled once and revoked once; its document is never deleted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from models.mongo.bson import Document, utc_moment
from models.mongo.database import Database
from models.mongo.uncancelled import uncancelled


class DeviceState(StrEnum):
    """The state of a tablet: it can be enrolled with its code, it has its token, or its token or code was revoked."""

    INVITED = "INVITED"
    ENROLLED = "ENROLLED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class Device:
    """A tablet of a programme. `digest` is the digest of the invitation's content.

    `enrolled_by` is the digest of the key of the enrolling request, `revoked_key` the key of the revoking one.
    `session` is the newest session on it, the only one that can be open.
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
    fields: dict[str, Any] = {name: document[name] for name in Device.__slots__ if name != "id"}
    moments = {name: utc_moment(value) for name, value in fields.items() if isinstance(value, datetime)}
    return Device(**{**fields, **moments, "id": document["_id"], "state": DeviceState(document["state"])})


async def invite(database: Database, device: Device) -> tuple[Device, bool]:
    """Store an invitation; return the one that is stored under its id, and whether it was stored before.

    Raises:
        DuplicateKeyError: another tablet has the same code; the chance is about one in a trillion.
    """
    try:
        await database.devices.insert_one(_document(device))
    except DuplicateKeyError:
        stored = await find(database, device.id)
        if stored is None:
            raise
        return stored, True
    return device, False


@uncancelled
async def find(database: Database, device: str) -> Device | None:
    """Return a tablet, or None."""
    return _device(await database.devices.find_one({"_id": device}))


@uncancelled
async def newest_sessions(database: Database, devices: Iterable[str]) -> dict[str, str | None]:
    """Return the newest session (or None) of each of the given tablets that is enrolled."""
    query = {"_id": {"$in": [*devices]}, "state": DeviceState.ENROLLED.value}
    found = await database.devices.find(query, {"session": 1}).to_list()
    return {document["_id"]: document["session"] for document in found}


@uncancelled
async def find_by_code(database: Database, code_digest: str) -> Device | None:
    """Return the tablet whose enrolment code has this digest, or None."""
    return _device(await database.devices.find_one({"code_digest": code_digest}))


async def enrol(database: Database, device: str, *, by: str, now: datetime) -> Device | None:
    """Enrol an invited tablet; None if its code has expired, or it is enrolled or revoked already."""
    return _device(
        await database.devices.find_one_and_update(
            {"_id": device, "state": DeviceState.INVITED.value, "code_expires_at": {"$gt": now}},
            {"$set": {"state": DeviceState.ENROLLED.value, "enrolled_at": now, "enrolled_by": by}},
            return_document=ReturnDocument.AFTER,
        )
    )


async def revoke(database: Database, device: Device, *, key: str, by: str, now: datetime) -> Device | None:
    """Revoke a tablet's token or invitation; None if it was revoked before."""
    changes = {"state": DeviceState.REVOKED.value, "revoked_at": now, "revoked_by": by, "revoked_key": key}
    return _device(
        await database.devices.find_one_and_update(
            {"_id": device.id, "programme": device.programme, "state": {"$ne": DeviceState.REVOKED.value}},
            {"$set": changes},
            return_document=ReturnDocument.AFTER,
        )
    )


@uncancelled
async def page(
    database: Database, programme: str, *, first: int, after: tuple[datetime, str] | None
) -> tuple[list[Device], bool]:
    """Return the `first` newest tablets that are older than `after` (invited_at, id), and whether there are more."""
    query: Document = {"programme": programme}
    if after is not None:
        at, id_ = after
        query["$or"] = [{"invited_at": {"$lt": at}}, {"invited_at": at, "_id": {"$lt": id_}}]
    order = [("invited_at", DESCENDING), ("_id", DESCENDING)]
    found = await database.devices.find(query, sort=order, limit=first + 1).to_list()
    devices = [device for document in found if (device := _device(document)) is not None]
    return devices[:first], len(devices) > first
