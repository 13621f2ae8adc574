"""What MongoDB accepts of purchases with nothing decided: F, the yardstick of the event loads.

Each purchase is written as release 0.2.0 stored it: its event, its ledger record and the replaced snapshot of its
member, in a transaction of a full group, after the reads that its committer made. This file and purchases-0.2.0.json
hold documents, indexes, validators, sizes of groups and transactions, and use nothing of the code that is measured. So
F depends on the machine, its interpreter and MongoDB only, and every later release is compared with the same F.

The purchases are the last ones of eight members that 0.2.0 wrote for its own measurements, one of each eighth by size.
Their events, records and members have 1,203, 949 and 5,853 bytes on average, as those of all 200 members.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import pymongo
from bson import json_util
from pymongo import AsyncMongoClient, IndexModel, ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from bench.loads.load import together
from bench.processes import usage

FILE = Path(__file__).with_name("purchases-0.2.0.json")
DATABASE = "bench_frozen"
GROUP, GROUPS_IN_FLIGHT = 200, 2
FIRST_VERSION = 1_000_000
"""Above every version in the file: the ledger accepts each version of a member once."""
GRACE_SECONDS = 10
INSERTED_AT_ONCE = 200
MAJORITY = WriteConcern(w="majority", j=True)
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Purchase:
    """The documents of one purchase of one member."""

    event: Document
    record: Document
    member: Document


@dataclass(frozen=True, slots=True)
class BareRound:
    """One round without a gateway: items per second, and microseconds of CPU per item of mongod and of this process."""

    per_second: float
    mongod_us: float
    client_us: float


def read() -> tuple[dict[str, Document], list[Purchase]]:
    """Return the collections by name, each with its validator and indexes, and the purchases."""
    frozen = json_util.loads(FILE.read_text(encoding="utf-8"))
    return frozen["collections"], [Purchase(**one) for one in frozen["purchases"]]


def of_members(purchases: Sequence[Purchase], members: int) -> list[Purchase]:
    """Return the purchases in turn, one of each of `members` members with its own id and number."""
    copies = []
    for index, one in enumerate(islice(cycle(purchases), members)):
        id_, number = f"{index:024x}", f"{index:010}"
        copies.append(
            Purchase(
                {**one.event, "member": id_},
                {**one.record, "member": id_},
                {**one.member, "_id": id_, "number": number},
            )
        )
    return copies


class Frozen:
    """A database with the collections of release 0.2.0 and the members that buy."""

    def __init__(self, database: AsyncDatabase[Document], purchases: Sequence[Purchase], mongod_pid: int) -> None:
        self._database, self._purchases, self._mongod_pid = database, purchases, mongod_pid
        self._groups, self._inserts = count(), count()

    async def commits(self, seconds: float) -> BareRound:
        """Write groups of purchases for `seconds`: GROUPS_IN_FLIGHT at once, each on its own members."""

        async def commit(group: Sequence[Purchase]) -> int:
            with pymongo.timeout(seconds + GRACE_SECONDS):
                await self._commit(group, next(self._groups))
            return len(group)

        groups = [self._purchases[start::GROUPS_IN_FLIGHT] for start in range(GROUPS_IN_FLIGHT)]
        return await self._measured([partial(commit, group) for group in groups], seconds)

    async def inserts(self, seconds: float) -> BareRound:
        """Insert event documents for `seconds` with insert_many, one batch after the other."""

        async def insert() -> int:
            event = self._purchases[0].event
            batch = [{**event, "_id": f"bare-{next(self._inserts)}"} for _ in range(INSERTED_AT_ONCE)]
            await self._database.bare.insert_many(batch)
            return len(batch)

        return await self._measured([insert], seconds)

    async def _measured(self, works: Sequence[Callable[[], Awaitable[int]]], seconds: float) -> BareRound:
        """Repeat each work for `seconds`, all at once; a work returns the number of its items."""
        items = 0
        before, own = usage(self._mongod_pid).cpu_seconds, time.process_time()
        started = time.perf_counter()

        async def repeat(work: Callable[[], Awaitable[int]]) -> None:
            nonlocal items
            while time.perf_counter() - started < seconds:
                items += await work()

        await together(*(repeat(work) for work in works))
        took = time.perf_counter() - started
        mongod, client = usage(self._mongod_pid).cpu_seconds - before, time.process_time() - own
        return BareRound(items / took, mongod / items * 1e6, client / items * 1e6)

    async def _commit(self, group: Sequence[Purchase], number: int) -> None:
        database, ids = self._database, [one.member["_id"] for one in group]
        keys = [f"bare/{number}/{id_}" for id_ in ids]

        async def act(session: AsyncClientSession) -> None:
            await database.events.find({"_id": {"$in": keys}}, session=session).to_list()
            members = await database.members.find(
                {"_id": {"$in": ids}}, batch_size=GROUP + 1, session=session
            ).to_list()
            events = [{**one.event, "_id": key} for key, one in zip(keys, group, strict=True)]
            await database.events.insert_many(events, session=session)
            version = FIRST_VERSION + number
            records = [{**one.record, "_id": key, "version": version} for key, one in zip(keys, group, strict=True)]
            await database.entries.insert_many(records, session=session)
            following = [{**member, "version": member["version"] + 1} for member in members]
            replaced = [ReplaceOne({"_id": one["_id"]}, one) for one in following]
            await database.members.bulk_write(replaced, session=session)

        async with database.client.start_session() as session:
            await session.with_transaction(
                act,
                read_concern=ReadConcern("snapshot"),
                write_concern=MAJORITY,
                read_preference=ReadPreference.PRIMARY,
            )


@asynccontextmanager
async def frozen_database(url: str, mongod_pid: int) -> AsyncIterator[Frozen]:
    """Make the database on the replica set at `url`, whose process is `mongod_pid`, and drop it afterwards."""
    collections, purchases = read()
    copies = of_members(purchases, GROUP * GROUPS_IN_FLIGHT)
    async with AsyncMongoClient[Document](url, tz_aware=True) as client:
        database = client.get_database(DATABASE, read_concern=ReadConcern("majority"), write_concern=MAJORITY)
        try:
            for name, declared in collections.items():
                collection = await database.create_collection(name, validator=declared["validator"])
                indexes = [IndexModel([*keys.items()], **options) for keys, options in declared["indexes"]]
                await collection.create_indexes(indexes)
            await database.members.insert_many([one.member for one in copies])
            yield Frozen(database, copies, mongod_pid)
        finally:
            await client.drop_database(DATABASE)
