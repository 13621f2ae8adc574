"""Stores programmes, each applied file as a new version, and keeps the newest version of each in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from pymongo.errors import DuplicateKeyError

from loyalty.model.catalogue import Catalogue
from loyalty.model.programme import Programme
from models.definitions.programme_file import InvalidProgramme, read_programme, source_digest
from models.definitions.yaml_lines import load_yaml
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.programme import budget_decimals_in
from models.programmes.catalogue_store import code_faults
from models.programmes.live_catalogue import Overlay

APPLY_ATTEMPTS = 5


class ProgrammeNotFound(LookupError):  # noqa: N818 - shown to callers as a message
    """No programme with this key was ever applied."""


class Programmes:
    """The newest version of every programme in memory, with the stored items in its catalogue.

    `apply_version` and `apply_item` apply what the change feed delivers; `catch_up` reads what it did not.
    `change_count` grows with every change of any programme or catalogue.
    """

    def __init__(self, database: Database, initial: Iterable[Programme] = ()) -> None:
        self._db = database
        self._newest: dict[str, Programme] = {}
        self._overlays: dict[str, Overlay] = {}
        self.change_count = 0
        self._watchers: dict[str, set[asyncio.Event]] = {}
        for programme in initial:
            # A copy, because the catalogue is changed in place and the caller may share the programme.
            self._apply(replace(programme, catalogue=_own_catalogue(programme.catalogue)))

    async def load(self) -> None:
        """Read the newest version of every programme, and the stored items of their catalogues."""
        async for document in newest_versions(self._db):
            self.apply_version(document)
        await self.catch_up()

    def apply_version(self, document: Mapping[str, Any]) -> None:
        """Apply a stored version, unless this one or a newer one was applied already."""
        key = document["programme"]
        known = self._newest.get(key)
        if known is None or known.version < document["version"]:
            decimals = budget_decimals_in(document)
            self._apply(read_programme(document["source"], version=document["version"], budget_decimals=decimals))

    def apply_item(self, document: Mapping[str, Any]) -> None:
        """Apply a stored version of an offer, a reward or a content; the feed delivers them in order."""
        programme = self._newest.get(document["programme"])
        if programme is not None:  # otherwise it is read with the programme, once that is loaded
            self._overlays[programme.key].apply_in_order(document, programme)
            self._notify(programme.key)

    async def catch_up(self) -> None:
        """Read the stored items that were not applied yet: at the start, and after a gap in the feed."""
        for key, overlay in list(self._overlays.items()):
            await overlay.catch_up(self._db, partial(self.get, key))
            self._notify(key)

    @contextmanager
    def watch(self, key: str) -> Iterator[asyncio.Event]:
        """Yield an event that is set whenever the programme `key` or its catalogue may have changed."""
        changed = asyncio.Event()
        self._watchers.setdefault(key, set()).add(changed)
        try:
            yield changed
        finally:
            watchers = self._watchers[key]
            watchers.remove(changed)
            if not watchers:
                del self._watchers[key]

    def _notify(self, key: str) -> None:
        self.change_count += 1
        for changed in self._watchers.get(key, ()):
            changed.set()

    def _apply(self, programme: Programme) -> None:
        overlay = self._overlays.setdefault(programme.key, Overlay())
        overlay.apply_to(programme, before=self._newest.get(programme.key))
        self._newest[programme.key] = programme
        self._notify(programme.key)

    def get(self, key: str) -> Programme:
        """Return the programme `key`.

        Raises:
            ProgrammeNotFound: it was never applied.
        """
        programme = self.find(key)
        if programme is None:
            raise ProgrammeNotFound(f"programme {key!r} was never applied; run `carillon programme apply FILE`")
        return programme

    def find(self, key: str) -> Programme | None:
        """Return the programme `key`, or None if it was never applied."""
        return self._newest.get(key)

    def keys(self) -> list[str]:
        """Return the keys of all programmes."""
        return sorted(self._newest)


def _own_catalogue(catalogue: Catalogue) -> Catalogue:
    """Return a catalogue of only those items that the programme file defines."""
    return Catalogue(
        [catalogue.offers[key] for key in catalogue.offers if key in catalogue.file_offers],
        [catalogue.rewards[key] for key in catalogue.rewards if key in catalogue.file_rewards],
        [catalogue.contents[key] for key in catalogue.contents if key in catalogue.file_contents],
        catalogue.instant_rewards,
    )


async def newest_version(database: Database, key: str) -> Document | None:
    """Return the newest stored version of a programme, or None if it was never applied."""
    return await database.programmes.find_one({"programme": key}, sort=[("version", -1)])


async def newest_versions(database: Database) -> AsyncIterator[Document]:
    """Yield the newest stored version of every programme."""
    for key in await database.programmes.distinct("programme"):
        document = await newest_version(database, key)
        if document is not None:
            yield document


async def _refuse_taken_codes(database: Database, programme: Programme, source: str) -> None:
    faults = await code_faults(database, programme)
    if faults:
        lines = load_yaml(source)[1]
        raise InvalidProgramme([lines.fault(("offers", position, "code"), message) for position, message in faults])


async def apply_file(database: Database, source: str, *, now: datetime, applied_by: str) -> tuple[Document, bool]:
    """Store a programme file as the next version; return the stored version, and whether it is new.

    A file with the same content as the newest version is not stored again.

    Raises:
        InvalidProgramme: the file has errors, or a code of its offers is another one's.
    """
    programme = read_programme(source)
    digest = source_digest(source)
    for attempt in range(1, APPLY_ATTEMPTS + 1):
        newest = await newest_version(database, programme.key)
        if newest is not None and newest["digest"] == digest:
            return newest, False
        await _refuse_taken_codes(database, programme, source)
        version = (newest["version"] if newest else 0) + 1
        document: Document = {
            "_id": f"{programme.key}/{version}",
            "programme": programme.key,
            "version": version,
            "source": source,
            "digest": digest,
            "applied_at": now,
            "applied_by": applied_by,
            # Counters stay in the unit of the first version.
            "budget_decimals": budget_decimals_in(newest) if newest else programme.budget_decimals,
        }
        try:
            await database.programmes.insert_one(document)
        except DuplicateKeyError:
            if attempt == APPLY_ATTEMPTS:
                raise
        else:
            return document, True
    raise AssertionError("unreachable: the last attempt returns or raises")
