"""Reads of members and their ledgers, batched: requests in flight at the same time share one query.

A reader caches no results: every load queries MongoDB, so that no channel shows an older version than another one did.
The dependencies of an answer are recorded (`models/reads/dependencies.py`), and validated by the same batched queries.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from pymongo import DESCENDING

from loyalty.model.event import OPEN_CLAIMS_MAX, RecordedEvent
from loyalty.model.facts import Facts, Needs
from loyalty.model.ledger import Cause, Record
from loyalty.model.member import Member
from loyalty.model.order import Order
from loyalty.model.supply import CodeState, CounterKey
from loyalty.rules.ledger_proof import rewind
from models.mongo.bson import Document
from models.mongo.collection import Collection, unobserved
from models.mongo.database import Database
from models.mongo.event import CLAIMS_INDEX, counted_event_of, open_claims
from models.mongo.ids import audience_id, counter_id, event_key, identity_key, receipt_id
from models.mongo.ledger import record_id, record_ids, record_of, tier_status_of
from models.mongo.order import order_of
from models.mongo.snapshot import EntryView, Rows, Snapshot, entry_views, row_of, snapshot_of
from models.mongo.uncancelled import discard, uncancelled
from models.reads.dependencies import Dependencies, Ids, Limits, Pools, Recording, current_recording
from models.reads.loader import Loader
from models.reads.union_query import UnionQuery

# Every page of rewards reads the same stocks.
_counter_id = lru_cache(maxsize=10_000)(counter_id)
REPLAY_PAGE = 100
VALIDATION_SECONDS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class Page:
    """A page of entries, newest first, and whether there are older ones."""

    entries: tuple[EntryView, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Version:
    """One version as it was committed: the member at that version, and the entries that it added."""

    snapshot: Snapshot
    entries: tuple[EntryView, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """What caused a version, and the store where it happened (None: in no store, or not known)."""

    cause: Cause
    store: str | None


@dataclass(frozen=True, slots=True)
class SupplyRead:
    """A started read of counters and pools; any number of callers may await its result, or none."""

    limits: Limits
    counts: asyncio.Future[Mapping[str, int]] | None
    pools: Pools
    empty_pools: asyncio.Future[frozenset[str]] | None

    async def result(self) -> tuple[tuple[bool, ...], frozenset[str]]:
        """Return whether each counter has reached its limit, in their order, and the pools without a free code."""
        exhausted = _exhausted(self.limits, await asyncio.shield(self.counts)) if self.counts is not None else ()
        empty = await asyncio.shield(self.empty_pools) if self.empty_pools is not None else frozenset[str]()
        if (recording := current_recording()) is not None:
            if self.counts is not None:
                recording.counters(self.limits, exhausted)
            if self.empty_pools is not None:
                recording.pools(self.pools, empty)
        return exhausted, empty


def _exhausted(limits: Limits, counts: Mapping[str, int]) -> tuple[bool, ...]:
    """Return whether each counter has reached its limit; one that does not exist yet counts as 0."""
    return tuple([counts.get(id_, 0) >= limit for id_, limit in zip(*limits, strict=True)])


def _free_codes(programme: str, pool: str) -> Document:
    """Return the query for the codes of a pool that no member has."""
    return {"programme": programme, "pool": pool, "state": CodeState.FREE.value}


def _record_member(recording: Recording, _key: object, snapshot: Snapshot | None) -> None:
    recording.member(snapshot)


def _record_identity(recording: Recording, _key: str, member: str | None) -> None:
    # An identity can move to another member only in a commit that also changes the version of the member that it
    # leaves. That version, which is read next, validates both. An identity without a member has no validator.
    if member is None:
        recording.unrecorded_read()


class Reader:
    """The reads of one process. Create it in the running event loop, because its loaders belong to that loop."""

    def __init__(self, database: Database) -> None:
        self._db, self._union = database, UnionQuery()
        self._members: Loader[str, Snapshot | None] = Loader(self._load_members, record=_record_member)
        self._numbers: Loader[tuple[str, str], Snapshot | None] = Loader(self._load_numbers, record=_record_member)
        self._validations: Loader[Dependencies, bool] = Loader(self._validate)
        self._identities: Loader[str, str | None] = Loader(self._load_identities, record=_record_identity)
        self._counters: Loader[Ids, Mapping[str, int]] = Loader(self._load_counters)
        self._empty_pools: Loader[Pools, frozenset[str]] = Loader(self._load_empty_pools)
        self._pools: Loader[tuple[str, str], int] = Loader(self._load_pools)
        self._lists: Loader[str, frozenset[str]] = Loader(self._load_lists, record=Recording.lists)
        self._orders: Loader[str, Document | None] = Loader(self._load_orders)
        # Of records, which never change: an answer needs no validator for them.
        self._origins: Loader[str, Origin | None] = Loader(self._load_origins, record=lambda *_: None)

    async def _by_id(self, collection: Collection, ids: Iterable[str], *fields: str) -> dict[str, Document]:
        """Return the existing documents among `ids`, by id: whole ones, or only `fields`."""
        wanted = [*set(ids)]
        if not wanted:
            return {}
        documents = await self._union.find(collection, {"_id": {"$in": wanted}}, *fields)
        return {document["_id"]: document for document in documents}

    async def _load_counters(self, keys: list[Ids]) -> list[Mapping[str, int]]:
        """Return the existing counters of all keys, for each key: most keys are the same stocks."""
        documents = await self._by_id(self._db.counters, (id_ for ids in set(keys) for id_ in ids), "taken")
        found = {id_: document["taken"] for id_, document in documents.items()}
        return [found] * len(keys)

    async def _load_empty_pools(self, keys: list[Pools]) -> list[frozenset[str]]:
        """Return, for each key, its pools without a free code."""
        pools = [*{(programme, pool) for programme, pools in set(keys) for pool in pools}]
        free = await asyncio.gather(
            *[self._union.find(self._db.codes, _free_codes(*pool), "_id", limit=1) for pool in pools]
        )
        empty = {pool for pool, codes in zip(pools, free, strict=True) if not codes}
        return [frozenset(pool for pool in pools if (programme, pool) in empty) for programme, pools in keys]

    async def _load_pools(self, pools: list[tuple[str, str]]) -> list[int]:
        wanted = [_free_codes(*pool) for pool in set(pools)]
        by_pool = {"_id": {"programme": "$programme", "pool": "$pool"}, "codes": {"$sum": 1}}
        cursor = await self._db.codes.aggregate([{"$match": {"$or": wanted}}, {"$group": by_pool}])
        found = {(row["_id"]["programme"], row["_id"]["pool"]): row["codes"] async for row in cursor}
        return [found.get(pool, 0) for pool in pools]

    async def _load_lists(self, ids: list[str]) -> list[frozenset[str]]:
        found = await self._by_id(self._db.audiences, ids, "lists")
        return [frozenset(found[id_]["lists"]) if id_ in found else frozenset() for id_ in ids]

    async def _load_orders(self, ids: list[str]) -> list[Document | None]:
        found = await self._by_id(self._db.orders, ids)
        return [found.get(id_) for id_ in ids]

    async def _load_origins(self, ids: list[str]) -> list[Origin | None]:
        """Return the origin of each record; a part of a command of several members has that of its first member."""
        records = await self._by_id(self._db.records, ids, "cause", "store", "command")
        first_ids = {
            id_: record_id(**document["command"]) for id_, document in records.items() if "command" in document
        }
        firsts = await self._by_id(self._db.records, first_ids.values(), "store")
        found = {id_: firsts.get(first_ids.get(id_, ""), document) for id_, document in records.items()}
        return [
            Origin(Cause(**records[id_]["cause"]), found[id_].get("store")) if id_ in records else None for id_ in ids
        ]

    async def _load_members(self, ids: list[str]) -> list[Snapshot | None]:
        documents = await self._by_id(self._db.members, ids)
        found = {id_: snapshot_of(document) for id_, document in documents.items()}
        return [found.get(id_) for id_ in ids]

    async def _load_numbers(self, keys: list[tuple[str, str]]) -> list[Snapshot | None]:
        by_programme: dict[str, list[str]] = {}
        for programme, number in set(keys):
            by_programme.setdefault(programme, []).append(number)
        queries = [{"programme": programme, "number": {"$in": numbers}} for programme, numbers in by_programme.items()]
        query: Document = queries[0] if len(queries) == 1 else {"$or": queries}
        snapshots = map(snapshot_of, await self._union.find(self._db.members, query))
        found = {(snapshot.member.programme, snapshot.member.number): snapshot for snapshot in snapshots}
        return [found.get(key) for key in keys]

    async def _load_identities(self, keys: list[str]) -> list[str | None]:
        found = await self._by_id(self._db.identities, keys, "member")
        return [found[key]["member"] if key in found else None for key in keys]

    async def _validate(self, keys: list[Dependencies]) -> list[bool]:
        """Return, for each key, whether it is unchanged. One timer for the batch: one for each key costs 3 us."""
        validating = asyncio.ensure_future(self._validate_now(keys))
        validating.add_done_callback(discard)
        done, _ = await asyncio.wait((validating,), timeout=VALIDATION_SECONDS_MAX)
        if not done:
            raise TimeoutError
        return validating.result()

    async def _validate_now(self, keys: list[Dependencies]) -> list[bool]:
        limits = [*{limits for dependencies in keys for limits in dependencies.exhausted}]
        pools = [*{pools for dependencies in keys for pools in dependencies.empty_pools}]
        audiences = [*{audience for dependencies in keys for audience in dependencies.lists}]
        members, counts, empty, lists = await asyncio.gather(
            self._by_id(
                self._db.members, (member for dependencies in keys for member in dependencies.versions), "version"
            ),
            self._load_counters([ids for ids, _ in limits]),
            self._load_empty_pools(pools),
            self._load_lists(audiences),
        )
        current = Dependencies(
            {id_: document["version"] for id_, document in members.items()},
            {one: _exhausted(one, found) for one, found in zip(limits, counts, strict=True)},
            dict(zip(pools, empty, strict=True)),
            dict(zip(audiences, lists, strict=True)),
        )
        return [dependencies.unchanged_in(current) for dependencies in keys]

    async def member(self, programme: str, member: str) -> Snapshot | None:
        """Return the member, or None if `programme` has no such member."""
        snapshot = await self._members.load(member)
        return snapshot if snapshot is not None and snapshot.member.programme == programme else None

    async def member_by_number(self, programme: str, number: str) -> Snapshot | None:
        """Return the member with a membership number, or None."""
        return await self._numbers.load((programme, number))

    async def member_id_by(self, programme: str, kind: str, value: str) -> str | None:
        """Return the id of the member with an identity (`number`, `card`, `email`, `phone`), or None."""
        return await self._identities.load(identity_key(programme, kind, value))

    async def member_ids_by(self, programme: str, identities: Sequence[tuple[str, str]]) -> list[str | None]:
        """Return the id of the member of each identity (kind and value), or None, in one read."""
        keys = [identity_key(programme, kind, value) for kind, value in identities]
        return await self._identities.load_many(keys)

    @uncancelled
    async def event(self, programme: str, operation: str, sender: str, key: str) -> dict[str, Any] | None:
        """Return the record that owns an idempotency key, as stored; None if the key is new."""
        return await self._db.records.find_one({"key": event_key(programme, operation, sender, key)})

    @uncancelled
    async def record(self, member: str, version: int) -> Record | None:
        """Return the ledger's record of one version."""
        document = await self._db.records.find_one({"_id": record_id(member, version)})
        return record_of(document) if document is not None else None

    async def origin(self, member: str, version: int) -> Origin | None:
        """Return what caused a version; None if it is not recorded. The reads of a page are batched."""
        return await self._origins.load(record_id(member, version))

    @uncancelled
    async def records_of(self, programme: str, member: str, operation: str) -> list[Record]:
        """Return the ledger records of a member that `operation` caused, newest first."""
        query = {"_id": record_ids(member), "programme": programme, "cause.operation": operation}
        found = await self._db.records.find(query, sort=[("_id", DESCENDING)]).to_list()
        return [record_of(document) for document in found]

    async def counter_values(self, programme: str, counters: Iterable[CounterKey]) -> dict[CounterKey, int]:
        """Return the value of each counter, 0 if it does not exist yet."""
        ids = {counter: _counter_id(programme, counter) for counter in counters}
        if not ids:
            return {}
        wanted = tuple(ids.values())
        found = await self._counters.load(wanted)
        return {counter: found.get(id_, 0) for counter, id_ in ids.items()}

    def supply(self, programme: str, limits: Mapping[CounterKey, int], pools: tuple[str, ...]) -> SupplyRead:
        """Start to read which counters have reached their limits, and which pools have no free code."""
        ids = tuple([_counter_id(programme, counter) for counter in limits])
        counts = self._counters.start(ids) if ids else None
        empty_pools = self._empty_pools.start((programme, pools)) if pools else None
        for read in (counts, empty_pools):
            if read is not None:
                read.add_done_callback(discard)
        return SupplyRead((ids, tuple(limits.values())), counts, (programme, pools), empty_pools)

    async def validate(self, dependencies: Dependencies) -> bool:
        """Return whether the dependencies of an answer are unchanged; the reads are batched with those of others.

        Raises:
            TimeoutError: MongoDB did not answer within VALIDATION_SECONDS_MAX.
        """
        # Nothing to record: the dependencies are those of an answer that was computed before.
        return await self._validations.start(dependencies)

    async def free_codes(self, programme: str, pools: Iterable[str]) -> dict[str, int]:
        """Return the number of free codes in each pool."""
        keys = [*dict.fromkeys(pools)]
        return dict(zip(keys, await self._pools.load_many([(programme, pool) for pool in keys]), strict=True))

    @uncancelled
    async def facts(self, programme: str, member: str, need: Needs, now: datetime) -> Facts:
        """Return the current facts that a command needs, without reserving anything: for a preview."""
        codes = {
            pool: [document["code"] async for document in self._db.codes.find(_free_codes(programme, pool), limit=n)]
            for pool, n in need.codes.items()
        }
        lists = {member: await self.lists(programme, member)} if need.lists else {}
        found = [await self.order(programme, order) for order in need.orders]
        return Facts(
            await self.counter_values(programme, need.counters),
            codes,
            {order.id: order for order in found if order is not None},
            lists,
            receipts={receipt: await self._holder(receipt_id(programme, receipt)) for receipt in need.receipts},
            open_claims={member: len(await self.claims(programme, member, now))} if need.claims else {},
        )

    async def _holder(self, receipt: str) -> RecordedEvent | None:
        """Return the event that a receipt belongs to; None if it is new."""
        found = await self._db.receipts.find_one({"_id": receipt})
        event = await self._db.records.find_one({"key": found["event"]}) if found is not None else None
        return counted_event_of(event) if event is not None else None

    @uncancelled
    async def claims(self, programme: str, member: str, now: datetime) -> list[RecordedEvent]:
        """Return the claims of a member that wait, the one that lapses first at the front."""
        cursor = self._db.records.find(
            open_claims(programme, (member,), now), sort=[("claim.until", 1)], limit=OPEN_CLAIMS_MAX, hint=CLAIMS_INDEX
        )
        return [counted_event_of(document) async for document in cursor]

    async def lists(self, programme: str, member: str) -> frozenset[str]:
        """Return the lists that a member is on."""
        return await self._lists.load(audience_id(programme, member))

    @uncancelled
    async def code_holder(self, programme: str, code: str) -> tuple[str, str] | None:
        """Return the member who holds a code, and the key of its offer; None if no member holds it for an offer.

        `code` is in canonical form.
        """
        document = await self._db.codes.find_one({"programme": programme, "canonical": code, "state": "given"})
        kind, _, key = str(document["holder"]).partition("/") if document is not None else ("", "", "")
        return (document["member"], key) if document is not None and kind == "offer" else None

    async def order(self, programme: str, order: str) -> Order | None:
        """Return an order, or None if `programme` has no such order."""
        document = await self._orders.load(order)
        return order_of(document) if document is not None and document["programme"] == programme else None

    @uncancelled
    async def order_by_number(self, programme: str, number: str) -> Order | None:
        """Return the order with a number, or None."""
        document = await self._db.orders.find_one({"programme": programme, "number": number})
        return order_of(document) if document is not None else None

    @uncancelled
    async def orders(
        self, programme: str, member: str, *, first: int, after: tuple[datetime, str] | None
    ) -> tuple[list[Order], bool]:
        """Return up to `first` orders of a member, newest first, placed before `after`; and whether there are more."""
        query: dict[str, Any] = {"programme": programme, "member": member}
        if after is not None:
            moment, last = after
            query["$or"] = [{"placed_at": {"$lt": moment}}, {"placed_at": moment, "_id": {"$lt": last}}]
        cursor = self._db.orders.find(query, sort=[("placed_at", -1), ("_id", -1)], limit=first + 1)
        found = [order_of(document) async for document in cursor]
        return found[:first], len(found) > first

    async def entries(self, snapshot: Snapshot, *, first: int, after: tuple[int, int] | None) -> Page:
        """Return up to `first` entries, newest first, that are older than `after` (version, index).

        Entries newer than the snapshot's version are left out. A page that the snapshot holds needs no query.
        """
        held = snapshot.page(first=first, after=after)
        return Page(*held) if held is not None else await self._older(snapshot, first, after)

    @uncancelled
    async def _older(self, snapshot: Snapshot, first: int, after: tuple[int, int] | None) -> Page:
        # The ledger is append-only: the version of the snapshot, which is recorded, validates its older entries too.
        with unobserved():
            return await self._find_older(snapshot, first, after)

    async def _find_older(self, snapshot: Snapshot, first: int, after: tuple[int, int] | None) -> Page:
        newest = snapshot.version if after is None else min(after[0], snapshot.version)
        cursor = self._db.records.find(
            {
                "_id": record_ids(snapshot.member.id, last=newest),
                "programme": snapshot.member.programme,
                "entries.0": {"$exists": True},
            },
            sort=[("_id", DESCENDING)],
            limit=first + 2,
        )
        found: list[EntryView] = []
        async for document in cursor:
            views = reversed(entry_views(record_of(document)))
            found += [view for view in views if after is None or (view.version, view.index) < after]
            if len(found) > first:
                break
        return Page(tuple(found[:first]), len(found) > first)

    @uncancelled
    async def entry(self, programme: str, member: str, version: int, index: int) -> EntryView | None:
        """Return the entry at `index` of a version, or None."""
        document = await self._db.records.find_one({"_id": record_id(member, version), "programme": programme})
        if document is None:
            return None
        views = entry_views(record_of(document))
        return views[index] if 0 <= index < len(views) else None

    @uncancelled
    async def _since(self, snapshot: Snapshot, after: int) -> list[Document]:
        cursor = self._db.records.find(
            {
                "_id": record_ids(snapshot.member.id, first=max(after, 0), last=snapshot.version),
                "programme": snapshot.member.programme,
            },
            sort=[("_id", DESCENDING)],
            batch_size=REPLAY_PAGE,
        )
        return await cursor.to_list()

    async def versions(self, snapshot: Snapshot, *, after: int) -> AsyncIterator[Version]:
        """Yield every version after `after` up to the snapshot's own, in order.

        The ledger stores changes, so the states are computed backwards from the snapshot, and all are in memory before
        the first is yielded: the caller bounds their number.
        """
        documents = await self._since(snapshot, after)
        records = [record_of(document) for document in documents if document["version"] > after]
        tier_statuses = [tier_status_of(document["standing"]) for document in documents]
        versions: list[Version] = []
        member = snapshot.member
        later = 0
        for index, record in enumerate(records):
            versions.append(_version(snapshot, member, record, later))
            later += len(record.entries)
            if index + 1 < len(tier_statuses):
                member = rewind(member, record, tier_statuses[index + 1])
        for version in reversed(versions):
            yield version


def _version(newest: Snapshot, member: Member, record: Record, later: int) -> Version:
    """Return one version of a member; `later` is the number of entries that newer versions added.

    It holds its own entries and the older ones of the snapshot; further ones are read on request.
    """
    older = tuple(row for row in newest.rows if row[0] < record.version)
    views = entry_views(record)
    return Version(
        replace(
            newest,
            member=member,
            rows=Rows.of((*(row_of(view) for view in reversed(views)), *older)),
            entries_count=newest.entries_count - later,
            recorded_at=record.recorded_at,
            notices=record.notices,
            as_of=record.recorded_at,
        ),
        views,
    )
