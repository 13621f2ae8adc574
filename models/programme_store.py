"""Stored programmes: each applied file is a new version for ever; gateways keep the newest of each in memory."""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from loyalty.programme import Programme
from models.codec import Document
from models.database import Database
from models.programme_file import read_programme, source_digest

APPLY_ATTEMPTS = 5


class ProgrammeNotFound(LookupError):  # noqa: N818 - answered in words
    """No programme of this key was ever applied."""


class Programmes:
    """The newest version of every programme, in memory; `follow` takes what the feed brings."""

    def __init__(self, database: Database, known: Iterable[Programme] = ()) -> None:
        self._db = database
        self._newest = {programme.key: programme for programme in known}

    async def load(self) -> None:
        """Read the newest version of every programme."""
        async for document in newest_versions(self._db):
            self.follow(document)

    def follow(self, document: Mapping[str, Any]) -> None:
        """Take a stored version, unless a newer one is here already."""
        key = document["programme"]
        known = self._newest.get(key)
        if known is None or known.version < document["version"]:
            self._newest[key] = read_programme(document["source"], version=document["version"])

    def get(self, key: str) -> Programme:
        """Return the programme called `key`.

        Raises:
            ProgrammeNotFound: it was never applied.
        """
        programme = self.find(key)
        if programme is None:
            raise ProgrammeNotFound(f"no programme {key!r} was applied; run `carillon programme apply FILE`")
        return programme

    def find(self, key: str) -> Programme | None:
        """Return the programme called `key`, or None where it was never applied."""
        return self._newest.get(key)

    def keys(self) -> list[str]:
        """Return the keys of all programmes."""
        return sorted(self._newest)


async def newest_version(database: Database, key: str) -> Document | None:
    """Return the newest stored version of a programme, or None where it was never applied."""
    return await database.programmes.find_one({"programme": key}, sort=[("version", -1)])


async def newest_versions(database: Database) -> AsyncIterator[Document]:
    """Tell the newest stored version of every programme."""
    for key in await database.programmes.distinct("programme"):
        document = await newest_version(database, key)
        if document is not None:
            yield document


async def apply(database: Database, source: str, *, now: datetime, applied_by: str) -> tuple[Document, bool]:
    """Store a programme file as the next version; return what is stored, and whether it is new.

    A file that says what the newest version says already makes no new version.

    Raises:
        InvalidProgramme: the file cannot run.
    """
    programme = read_programme(source)
    digest = source_digest(source)
    for attempt in range(1, APPLY_ATTEMPTS + 1):
        newest = await newest_version(database, programme.key)
        if newest is not None and newest["digest"] == digest:
            return newest, False
        version = (newest["version"] if newest else 0) + 1
        document: Document = {
            "_id": f"{programme.key}/{version}",
            "programme": programme.key,
            "version": version,
            "source": source,
            "digest": digest,
            "applied_at": now,
            "applied_by": applied_by,
        }
        try:
            await database.programmes.insert_one(document)
        except DuplicateKeyError:
            if attempt == APPLY_ATTEMPTS:
                raise
        else:
            return document, True
    raise AssertionError("unreachable: the last attempt returns or raises")
