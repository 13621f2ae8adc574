"""All that offers, rewards and caps ever said: every version of the programme file and of what was stored beside it.

What was taken of what members share was taken under one of these, so only they say how much it may be.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.kernel.period import CapPeriod
from loyalty.rules.ledger_proof import NO_CAPS, Caps
from models.definitions.catalogue_file import Kind
from models.mongo.database import Database
from models.programmes.catalogue_store import item_id

_SECTION = {Kind.OFFER: "offers", Kind.REWARD: "rewards"}
# The parser in C, where it was built, takes a tenth of the time.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

FILES_KEPT_MAX = 32

Past = list[Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class _File:
    """What one version of a programme file says: its items by kind and key, its zone, the period of each rule's cap."""

    version: int
    items: Mapping[Kind, Mapping[str, Mapping[str, Any]]]
    zone: str
    periods: Mapping[str, str]


@lru_cache(maxsize=FILES_KEPT_MAX)
def _file(version: int, source: str) -> _File:
    """Return what a stored version says: it says the same for ever, and takes long to read."""
    said = yaml.load(source, Loader=_LOADER)  # noqa: S506 - both loaders are safe ones
    items = {kind: {item["key"]: item for item in said.get(section) or ()} for kind, section in _SECTION.items()}
    periods = {rule["key"]: rule["cap"]["per"] for rule in said.get("rules") or () if rule.get("cap")}
    return _File(version, items, said["time_zone"], periods)


class PastCatalogue:
    """The definitions of one programme's offers and rewards, as they were written; files are read once."""

    def __init__(self, database: Database, programme: str) -> None:
        self._db, self._programme = database, programme
        self._files: dict[str, _File] = {}

    async def definitions(
        self, kind: Kind, keys: Collection[str], session: AsyncClientSession | None = None
    ) -> dict[str, Past]:
        """Return every definition that each key ever had, in no order; None where there was a time without one.

        A key that was never defined has an empty list.
        """
        await self._read_files(session)
        found: dict[str, Past] = {key: self._in_files(kind, key) for key in keys}
        items = [item_id(self._programme, kind, key) for key in keys]
        fields = {"key": 1, "definition": 1, "retired": 1}
        async for document in self._db.catalogue.find({"item": {"$in": items}}, fields, session=session):
            found[document["key"]].append(None if document["retired"] else document["definition"])
        return found

    async def caps(self) -> Caps:
        """Return the caps that every version of the file says alike, for the days of the same zone."""
        await self._read_files(None)
        files = [*self._files.values()]
        if len({file.zone for file in files}) != 1:
            return NO_CAPS
        alike = set.intersection(*({*file.periods.items()} for file in files))
        periods = {rule: CapPeriod(period) for rule, period in alike}
        return Caps(ZoneInfo(files[0].zone), periods, max(file.version for file in files))

    async def _read_files(self, session: AsyncClientSession | None) -> None:
        query = {"programme": self._programme, "_id": {"$nin": [*self._files]}}
        async for document in self._db.programmes.find(query, {"version": 1, "source": 1}, session=session):
            self._files[document["_id"]] = _file(document["version"], document["source"])

    def _in_files(self, kind: Kind, key: str) -> Past:
        said = [file.items[kind].get(key) for file in self._files.values()]
        # What no file ever said stands elsewhere: that files do not say it means nothing.
        return [*said] if any(definition is not None for definition in said) else []
