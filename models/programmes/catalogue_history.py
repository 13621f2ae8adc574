"""Reads every version of the offers, rewards and caps of a programme, for the audit.

Shared supplies were used under one of these versions, so all of them together give the limits that a counter must
respect.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.kernel.currency import HUNDREDTHS, BudgetUnit
from loyalty.kernel.period import LimitPeriod
from loyalty.rules.ledger_proof import NO_CAPS, StableCaps
from loyalty.rules.tier_proof import RunningProgramme
from models.definitions.catalogue_file import ItemKind
from models.definitions.programme_file import InvalidProgramme, read_programme
from models.mongo.database import Database
from models.mongo.programme import budget_decimals_in
from models.programmes.catalogue_store import item_id

_SECTION = {ItemKind.OFFER: "offers", ItemKind.REWARD: "rewards"}
# The C parser, if available, takes a tenth of the time.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

FILES_CACHED_MAX = 32

PastDefinitions = list[Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class _File:
    """One version of a file: its items by kind and key, zone, country, unit of budgets, the cap period of rules."""

    version: int
    items: Mapping[ItemKind, Mapping[str, Mapping[str, Any]]]
    zone: str
    country: str | None
    budget_unit: BudgetUnit
    periods: Mapping[str, str]


@lru_cache(maxsize=FILES_CACHED_MAX)
def _file(version: int, source: str, budget_decimals: int) -> _File:
    """Return a stored version. Cached, because versions never change and parsing is slow."""
    content = yaml.load(source, Loader=_LOADER)  # noqa: S506 - both loaders are safe ones
    items = {kind: {item["key"]: item for item in content.get(section) or ()} for kind, section in _SECTION.items()}
    periods = {rule["key"]: rule["cap"]["per"] for rule in content.get("rules") or () if rule.get("cap")}
    unit = BudgetUnit(content["currency"], budget_decimals)
    return _File(version, items, content["time_zone"], content.get("country"), unit, periods)


class CatalogueHistory:
    """The past definitions of one programme's offers and rewards, as written. Reads each file once."""

    def __init__(self, database: Database, programme: str) -> None:
        self._db, self._programme = database, programme
        self._files: dict[str, _File] = {}

    async def definitions(
        self, kind: ItemKind, keys: Collection[str], session: AsyncClientSession | None = None
    ) -> dict[str, PastDefinitions]:
        """Return every definition that each key ever had, unordered. None in a list means a time without one.

        A key that was never defined has an empty list.
        """
        await self._read_files(session)
        found: dict[str, PastDefinitions] = {key: self._in_files(kind, key) for key in keys}
        items = [item_id(self._programme, kind, key) for key in keys]
        fields = {"key": 1, "definition": 1, "retired": 1}
        async for document in self._db.catalogue.find({"item": {"$in": items}}, fields, session=session):
            found[document["key"]].append(None if document["retired"] else document["definition"])
        return found

    @property
    def budget_unit(self) -> BudgetUnit:
        """The unit of budgets in the newest version that was read."""
        newest = max(self._files.values(), key=lambda file: file.version, default=None)
        return newest.budget_unit if newest is not None else BudgetUnit("", HUNDREDTHS)

    async def caps(self) -> StableCaps:
        """Return the caps with the same period in every version of the file; NO_CAPS if the time zone ever changed."""
        await self._read_files(None)
        files = [*self._files.values()]
        if len({file.zone for file in files}) != 1:
            return NO_CAPS
        unchanged = set.intersection(*({*file.periods.items()} for file in files))
        periods = {rule: LimitPeriod(period) for rule, period in unchanged}
        return StableCaps(ZoneInfo(files[0].zone), periods, max(file.version for file in files))

    async def countries(self) -> frozenset[str | None]:
        """Return where national phone numbers were in any version of the file; None if one did not say."""
        await self._read_files(None)
        return frozenset(file.country for file in self._files.values())

    async def running(self) -> RunningProgramme | None:
        """Return the newest version with its moment; None if there is none, or a newer gateway wrote it."""
        newest = await self._db.programmes.find_one({"programme": self._programme}, sort=[("version", -1)])
        if newest is None:
            return None
        try:
            programme = read_programme(
                newest["source"], version=newest["version"], budget_decimals=budget_decimals_in(newest)
            )
        except InvalidProgramme:
            return None
        return RunningProgramme(programme, newest["applied_at"])

    async def _read_files(self, session: AsyncClientSession | None) -> None:
        query = {"programme": self._programme, "_id": {"$nin": [*self._files]}}
        async for document in self._db.programmes.find(
            query, {"version": 1, "source": 1, "budget_decimals": 1}, session=session
        ):
            self._files[document["_id"]] = _file(document["version"], document["source"], budget_decimals_in(document))

    def _in_files(self, kind: ItemKind, key: str) -> PastDefinitions:
        definitions = [file.items[kind].get(key) for file in self._files.values()]
        # An item that no file ever had is only in the catalogue collection: its absence from files says nothing.
        return [*definitions] if any(definition is not None for definition in definitions) else []
