"""A group: commands that one transaction reads for, decides in memory and writes.

Everything that a command can depend on is read in the transaction that writes its decision. MongoDB lets only one of
two transactions change the same document, so members, stock, codes, appointments and budgets need no lock.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Collection as Some
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog
from bson import ObjectId
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from loyalty.commands.decide import decide, needs
from loyalty.commands.registry import EVENT_OPERATION
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import ReceiptKey, RecordedEvent
from loyalty.model.facts import NO_FACTS, NO_NEEDS, FactNotRead, Facts, Needs
from loyalty.model.ledger import Record
from loyalty.model.member import Member
from loyalty.model.order import Order
from loyalty.model.supply import CodeState, CodeTransition, CounterKey
from models.commits.references import References
from models.commits.request import Committed, Outcome, Request
from models.commits.waiting import follow_ups, keys_of_waiting, waiting_key
from models.mongo.bson import Document
from models.mongo.collection import Collection
from models.mongo.commit import commit_document
from models.mongo.database import Database
from models.mongo.event import (
    CLAIMS_INDEX,
    WAITING_FIELDS,
    amended_fields,
    command_parts,
    consequence_rows,
    counted_event_of,
    event_fields,
    open_claims,
    refusal_of,
    refused_fields,
    still_waits,
    waiting_fields,
)
from models.mongo.ids import audience_id, code_id, counter_id, event_id, event_key, receipt_id
from models.mongo.ledger import record_document, record_id, record_of
from models.mongo.member import hold_document, hold_of
from models.mongo.order import order_document, order_of
from models.mongo.receipt import receipt_document
from models.mongo.snapshot import Snapshot, snapshot_after, snapshot_document, snapshot_of
from models.mongo.supply import counter_fields

log = structlog.get_logger(__name__)
DUPLICATE_KEY = 11000
# Commands decided before other tasks run: deciding a full group takes longer than a home screen may wait.
DECIDED_AT_ONCE = 16


class Conflict(Exception):  # noqa: N818 - caught by the committer
    """Something changed between the read and the write of a transaction; the group is retried from a fresh read."""


Pool = tuple[str, str]


@dataclass(slots=True)
class _Writes:
    """The writes of a group, by collection."""

    records: dict[str, Document] = field(default_factory=dict)
    identities: dict[str, Document | None] = field(default_factory=dict)
    members: list[InsertOne[Document] | ReplaceOne[Document]] = field(default_factory=list)
    amendments: list[UpdateOne] = field(default_factory=list)
    orders: dict[str, ReplaceOne[Document]] = field(default_factory=dict)
    codes: list[UpdateOne] = field(default_factory=list)
    receipts: dict[str, ReplaceOne[Document]] = field(default_factory=dict)
    counters: Counter[tuple[str, CounterKey]] = field(default_factory=Counter)


# Called before a group is committed, with the id of its commit document and the snapshots of all its versions in order.
OnWrite = Callable[[ObjectId, Sequence[Snapshot]], None]


class Group:
    """What a transaction has read, and what it will write; a new one for each attempt."""

    def __init__(
        self, database: Database, requests: list[Request], session: AsyncClientSession, on_write: OnWrite
    ) -> None:
        self._db, self._requests, self._session = database, requests, session
        self._on_write = on_write
        self._versions: list[Snapshot] = []
        self._snapshots: dict[str, Snapshot] = {}
        self._events: dict[str, Document] = {}
        self._identities: dict[str, str] = {}
        self._read_identities: dict[str, str] = {}
        self._records: dict[str, Record] = {}
        self._orders: dict[str, Order] = {}
        self._counters: dict[str, int] = {}
        self._codes: dict[Pool, list[str]] = {}
        self._lists: dict[str, frozenset[str]] = {}
        self._references = References(database, self._events, session)
        self._receipts: dict[str, str | None] = {}
        self._open_claims: dict[str, int] = {}
        self._writes = _Writes()

    async def transact(self) -> list[Outcome | Exception]:
        """Read, decide the commands in order, and write; return the outcome of each, or the fault that is its own.

        Raises:
            Conflict: something changed since the read.
            FactNotRead: an earlier command of the group made a later one depend on more than was read.
        """
        await self._read()
        outcomes: list[Outcome | Exception] = []
        for place, request in enumerate(self._requests, start=1):
            outcomes.append(self._decide(request))
            if place % DECIDED_AT_ONCE == 0:
                await asyncio.sleep(0)
        for outcome in outcomes:
            if isinstance(outcome, FactNotRead):
                raise outcome
        await self._write()
        return outcomes

    async def _read(self) -> None:
        """Read everything that the commands can depend on, with one query per collection in most groups."""
        requests = self._requests
        members: set[str] = set()
        for request in requests:
            members.update(request.members if request.kind.creates is None else request.members[1:])
        keys = {key for request in requests for key in (request.own_key, request.purchase_key) if key}
        claims = {key for request in requests for key in request.identities()}
        for document in await self._read_events(keys):
            members.update(member for member, _, _ in command_parts(document))
        for document in await self._found(self._db.members, members):
            self._snapshots[document["_id"]] = snapshot_of(document)
        freeing = {request.member for request in requests if request.kind.frees is not None}
        of_members = self._db.identities.find({"member": {"$in": [*freeing]}}, session=self._session)
        own = await of_members.to_list() if freeing else []
        for document in [*own, *await self._found(self._db.identities, claims)]:
            self._identities[document["_id"]] = document["member"]
        self._read_identities = dict(self._identities)
        wanted = await self._read_answers()
        follow_ups = await self._read_waiting()
        await self._references.read([*requests, *follow_ups])
        await self._read_shared(wanted, [*requests, *follow_ups])

    async def _read_waiting(self) -> list[Request]:
        """Read the events that wait for purchases of the group; return the requests that will count them."""
        purchases = [
            (request, snapshot.member)
            for request in self._requests
            if (snapshot := self._snapshot(request, request.member)) is not None and snapshot.member.waiting
        ]
        await self._read_events(keys_of_waiting(purchases))
        return [one for request, member in purchases for one in follow_ups(request, member, self._events)]

    async def _read_events(self, keys: Some[str]) -> list[Document]:
        """Read the events of some keys, and return them."""
        found = await self._found(self._db.records, keys, by="key")
        self._events.update({document["key"]: document for document in found})
        return found

    async def _found(self, collection: Collection, ids: Some[str], *, by: str = "_id") -> list[Document]:
        """Return the documents of some ids in one batch; by default, MongoDB's first batch is of 101."""
        if not ids:
            return []
        query = {by: {"$in": [*ids]}}
        return await collection.find(query, batch_size=len(ids) + 1, session=self._session).to_list()

    async def _read_answers(self) -> set[str]:
        """Read the records of keys that were counted before, for the first answer; return the ids of its orders."""
        counted = [self._events[key] for request in self._requests if (key := request.own_key) in self._events and key]
        others = [record_id(member, version) for one in counted for member, version, _ in command_parts(one)[1:]]
        for document in [*counted, *await self._found(self._db.records, others)]:
            self._records[document["_id"]] = record_of(document)
        return {order for document in counted for _, _, orders in command_parts(document) for order in orders}

    async def _read_shared(self, orders: set[str], requests: list[Request]) -> None:
        """Read the orders, and what the commands need of the shared supply, the mailing lists and the receipts."""
        counters: set[str] = set()
        pools: Counter[Pool] = Counter()
        lists: dict[str, str] = {}
        needed = [(one, need) for one in requests if (need := self._needs(one, self._purchase(one))) is not NO_NEEDS]
        for request, need in needed:
            programme = request.programme.key
            counters |= {counter_id(programme, counter) for counter in need.counters}
            pools.update({(programme, pool): codes for pool, codes in need.codes.items()})
            orders |= need.orders
            if need.lists:
                lists |= {audience_id(programme, member): member for member in request.members}
        await self._read_counters(counters)
        for document in await self._found(self._db.orders, orders):
            self._orders[document["_id"]] = order_of(document)
        if lists:
            self._lists = dict.fromkeys(lists.values(), frozenset())
            async for document in self._db.audiences.find({"_id": {"$in": [*lists]}}, session=self._session):
                self._lists[lists[document["_id"]]] = frozenset(document["lists"])
        for pool, codes in pools.items():
            self._codes[pool] = await self._free_codes(pool, codes)
        await self._read_receipts({receipt_id(one.programme.key, key) for one, need in needed for key in need.receipts})
        await self._count_open_claims({one.member: one for one, need in needed if need.claims})

    async def _read_receipts(self, ids: Some[str]) -> None:
        """Read the events that receipts belong to."""
        self._receipts = dict.fromkeys(ids, None)
        for document in await self._found(self._db.receipts, ids):
            self._receipts[document["_id"]] = document["event"]
        await self._read_events(
            {event for event in self._receipts.values() if event is not None and event not in self._events}
        )

    async def _count_open_claims(self, claimants: Mapping[str, Request]) -> None:
        """Count the claims of members that wait; each claim also changes its member, so two cannot pass the limit."""
        self._open_claims = dict.fromkeys(claimants, 0)
        for programme in {request.programme.key for request in claimants.values()}:
            here = [member for member, request in claimants.items() if request.programme.key == programme]
            query = open_claims(programme, here, min(claimants[member].now for member in here))
            cursor = self._db.records.find(query, {"member": 1}, hint=CLAIMS_INDEX, session=self._session)
            async for document in cursor:
                self._open_claims[document["member"]] += 1

    async def _read_counters(self, counters: Iterable[str]) -> None:
        self._counters = dict.fromkeys(counters, 0)
        for document in await self._found(self._db.counters, [*self._counters]):
            self._counters[document["_id"]] = document["taken"]

    async def _free_codes(self, pool: Pool, most: int) -> list[str]:
        free = {"programme": pool[0], "pool": pool[1], "state": CodeState.FREE.value}
        cursor = self._db.codes.find(free, {"code": 1}, sort=[("_id", 1)], limit=most, session=self._session)
        return [document["code"] async for document in cursor]

    def _snapshot(self, request: Request, member: str) -> Snapshot | None:
        """Return a member as it is now, or None if the request's programme has no such member (yet)."""
        snapshot = self._snapshots.get(member)
        return snapshot if snapshot is not None and snapshot.member.programme == request.programme.key else None

    def _members(self, request: Request) -> tuple[Member | None, list[Member | None]]:
        """Return the first member of a command and the others, as they are now."""
        first = self._snapshot(request, request.member)
        others = [self._snapshot(request, other.id) for other in request.others]
        return _member_of(first), [_member_of(other) for other in others]

    def _purchase(self, request: Request) -> RecordedEvent | None:
        """Return the recorded purchase that a command refers to, as it is now, or None."""
        found = self._references.referred(request) if request.purchase_key is not None else None
        return found if isinstance(found, RecordedEvent) else None

    def _needs(self, request: Request, purchase: RecordedEvent | None) -> Needs:
        member, others = self._members(request)
        return needs(request.command, member, request.programme, others=others, purchase=purchase, now=request.now)

    def _facts(self, request: Request, need: Needs) -> Facts:
        """Return the facts that a command depends on, with the effects of the group's earlier commands."""
        if need is NO_NEEDS and request.purchase_key is None:
            return NO_FACTS
        programme = request.programme.key
        taken = {counter: counter_id(programme, counter) for counter in need.counters}
        facts = Facts(
            {counter: self._counters[id_] for counter, id_ in taken.items() if id_ in self._counters},
            {pool: self._codes[programme, pool] for pool in need.codes if (programme, pool) in self._codes},
            {order: self._orders[order] for order in need.orders if order in self._orders},
            {member: self._lists[member] for member in request.members if member in self._lists},
            receipts={receipt: self._holder(receipt_id(programme, receipt)) for receipt in need.receipts},
            open_claims={
                member: self._open_claims[member] for member in request.members if member in self._open_claims
            },
        )
        return self._references.added_to(facts, request) if request.purchase_key is not None else facts

    def _holder(self, receipt: str) -> RecordedEvent | None:
        """Return the event that a receipt belongs to.

        Raises:
            FactNotRead: an earlier command of the group made a later one need it.
        """
        if receipt not in self._receipts:
            raise FactNotRead(receipt)
        event = self._receipts[receipt]
        return counted_event_of(self._events[event]) if event is not None else None

    def _decide(self, request: Request) -> Outcome | Exception:
        """Decide one command and add its writes; a fault of its own is its outcome."""
        try:
            answered = self._answered(request) or self._identity_taken(request)
            if answered is not None:
                return answered
            outcome = self._decided(request)
            if isinstance(outcome, Committed) and outcome.snapshot.member.waiting:
                return self._followed_up(request, outcome)
        except Exception as error:  # noqa: BLE001 - a command that cannot be decided must not fail its neighbours
            return error
        else:
            return outcome

    def _decided(self, request: Request) -> Outcome:
        command, programme = request.command, request.programme
        member, others = self._members(request)
        facts = self._facts(request, self._needs(request, self._purchase(request)))
        decision = decide(command, member, programme, request.now, facts, others=others)
        return self._adopt(request, decision) if isinstance(decision, Decision) else decision

    def _followed_up(self, request: Request, outcome: Committed) -> Committed:
        """Count the events that waited for a purchase right after it; return its outcome with the member as it is then.

        An event that cannot be decided goes on waiting: the sweeper tries it again.
        """
        for follow_up in follow_ups(request, outcome.snapshot.member, self._events):
            try:
                self._decided(follow_up)
            except FactNotRead:
                if len(self._requests) > 1:
                    raise  # it is read for the purchase alone
            except Exception:
                log.exception("waiting_event_failed", member=request.member)
        return replace(outcome, snapshot=self._snapshots[request.member])

    def _answered(self, request: Request) -> Outcome | None:
        """Return the first answer to a key that was counted before, or the refusal if the content differs."""
        key = request.own_key
        document = self._events.get(key) if key else None
        if document is None:
            return None
        if not request.has_digest(document["digest"]):
            return Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": request.command.cause.key})
        refused = refusal_of(document)
        if refused is not None:
            return refused
        first, *others = (
            Committed(
                self._snapshots[member],
                self._records[record_id(member, version)],
                replayed=True,
                orders=tuple(self._orders[order] for order in orders),
            )
            for member, version, orders in command_parts(document)
        )
        hold = hold_of(document["hold"]) if "hold" in document else None
        return replace(first, hold=hold, others=tuple(others), waiting=still_waits(document, request.now))

    def _identity_taken(self, request: Request) -> Refusal | None:
        for key, kind in request.identities().items():
            if self._identities.get(key, request.member) != request.member:
                if kind == "number":
                    raise DuplicateKeyError("the number drawn for a new member is taken; draw another", DUPLICATE_KEY)
                return Refusal(RefusalCode.ALREADY_EXISTS, f"{kind}_taken", (kind,))
        return None

    def _adopt(self, request: Request, decision: Decision) -> Committed:
        """Add a decision to the group's writes, and to the state that its later commands are decided on."""
        programme = request.programme
        parts = (decision, *decision.others)
        befores = [self._snapshots.get(part.member.id) for part in parts]
        # All documents first: a fault in one must leave no part of the command behind.
        snapshots = [snapshot_after(before, part, programme.zone) for before, part in zip(befores, parts, strict=True)]
        documents = [snapshot_document(snapshot) for snapshot in snapshots]
        records = [record_document(part.record, programme.key) for part in parts]
        for before, document in zip(befores, documents, strict=True):
            # If another process changed the member since this transaction read it, MongoDB refuses this write. The
            # filter is the `_id` alone: with the version too, MongoDB plans each write, which costs more than it.
            self._writes.members.append(
                InsertOne(document) if before is None else ReplaceOne({"_id": document["_id"]}, document)
            )
        self._writes.records |= {document["_id"]: document for document in records}
        for part, snapshot in zip(parts, snapshots, strict=True):
            self._snapshots[part.member.id] = snapshot
            self._versions.append(snapshot)
            self._records[record_id(part.member.id, part.record.version)] = part.record
            self._adopt_shared(programme.key, part)
            for refused in part.refused_waiting:
                self._amend(waiting_key(programme.key, refused.waiting), refused_fields(refused.refusal), ("waiting",))
        self._adopt_identities(request, decision.member.id)
        self._adopt_event(request, decision, records[0])
        first, *others = (
            Committed(snapshot, part.record, orders=part.orders, hold=part.hold)
            for snapshot, part in zip(snapshots, parts, strict=True)
        )
        if others or decision.waits:
            return replace(first, others=tuple(others), waiting=decision.waits)
        return first

    def _adopt_identities(self, request: Request, member: str) -> None:
        own = [key for key, owner in self._identities.items() if owner == member]
        for key in request.freed(own):
            del self._identities[key]
            self._writes.identities[key] = None
        for key in request.identities():
            self._identities[key] = member
            self._writes.identities[key] = {"_id": key, "programme": request.programme.key, "member": member}

    async def _write_identities(self) -> None:
        """Write which identities changed hands: the unique `_id` is the lock of one that is claimed."""
        before = self._read_identities
        writes: list[InsertOne[Document] | ReplaceOne[Document] | DeleteOne] = []
        for key, document in self._writes.identities.items():
            if key not in before:
                if document is not None:  # otherwise claimed and given up within this group
                    writes.append(InsertOne(document))
            elif document is None:
                writes.append(DeleteOne({"_id": key}))
            elif document["member"] != before[key]:
                writes.append(ReplaceOne({"_id": key}, document))
        if not writes:
            return
        done = await self._db.identities.bulk_write(writes, session=self._session)
        if done.inserted_count + done.matched_count + done.deleted_count != len(writes):
            raise Conflict("an identity is gone that its group has read")

    def _adopt_event(self, request: Request, decision: Decision, document: Document) -> None:
        """Add the key that was counted to its record, with what a retry and a refund need."""
        own_key = request.own_key
        if own_key is not None:
            document |= {"key": own_key, "digest": request.digest, **_content(request, decision)}
            if decision.receipt is not None:
                document["receipt"] = self._adopt_receipt(request, decision, decision.receipt, own_key)
            if "claim" in document and decision.member.id in self._open_claims:
                self._open_claims[decision.member.id] += 1
            if decision.hold is not None:
                document["hold"] = hold_document(decision.hold)
            if decision.others:
                document["others"] = [
                    [other.member.id, other.record.version, [order.id for order in other.orders]]
                    for other in decision.others
                ]
            self._references.add(request, own_key, waits=decision.waiting_event is not None)
        elif decision.recorded_event is not None:
            document |= self._take_from_waiting(request.programme.key, decision.recorded_event)
        if "key" in document:
            if decision.orders:
                document["orders"] = [order.id for order in decision.orders]
            self._events[document["key"]] = document
        purchase = decision.amended_purchase
        if purchase is not None:
            key = event_key(request.programme.key, EVENT_OPERATION, purchase.event.sender, purchase.event.key)
            self._amend(key, amended_fields(purchase))

    def _take_from_waiting(self, programme: str, recorded: RecordedEvent) -> Document:
        """Take the key and the event from the record in which it waited; return the fields of the one that counts it.

        Raises:
            FactNotRead: that record was not read.
        """
        key = event_key(programme, EVENT_OPERATION, recorded.event.sender, recorded.event.key)
        if key not in self._events:
            raise FactNotRead(key)
        waited = self._events[key]
        fields = {"key": key, "digest": waited["digest"], "waited": waited["version"], **event_fields(recorded)}
        self._amend(key, {}, WAITING_FIELDS)
        return fields

    def _amend(self, key: str, fields: Document, removed: Some[str] = ()) -> None:
        """Set some fields of the record that owns a key, and remove others; its hash covers none of them."""
        stored = self._events.get(key)
        if stored is not None:
            stored.update(fields)
            for name in removed:
                stored.pop(name, None)
            if stored["_id"] in self._writes.records:
                return  # this group inserts it
        change = {"$set": fields, "$unset": dict.fromkeys(removed, "")}
        self._writes.amendments.append(UpdateOne({"key": key}, {name: part for name, part in change.items() if part}))

    def _adopt_receipt(self, request: Request, decision: Decision, receipt: ReceiptKey, event: str) -> str:
        """Give a receipt to an event, and settle the claim that had it; return its `_id`."""
        programme = request.programme.key
        id_ = receipt_id(programme, receipt)
        self._receipts[id_] = event
        document = receipt_document(id_, programme, decision.member.id, event)
        self._writes.receipts[id_] = ReplaceOne({"_id": id_}, document, upsert=True)
        if decision.settled_claim is not None:
            reference, state = decision.settled_claim
            key = event_id(programme, EVENT_OPERATION, reference)
            self._amend(key, {"claim": {**self._events[key]["claim"], "state": state.value}})
        return id_

    def _adopt_shared(self, programme: str, decision: Decision) -> None:
        for order in decision.orders:
            self._orders[order.id] = order
            document = order_document(order, programme)
            self._writes.orders[order.id] = ReplaceOne({"_id": order.id}, document, upsert=True)
        for counter, pieces in decision.counter_changes.items():
            self._writes.counters[programme, counter] += pieces
            id_ = counter_id(programme, counter)
            if id_ in self._counters:
                self._counters[id_] += pieces
        for move in decision.code_moves:
            self._writes.codes.append(_code_write(programme, move, decision.member, decision.record.recorded_at))
            free = self._codes.get((programme, move.pool), [])
            if move.code in free:
                free.remove(move.code)

    async def _write(self) -> None:
        writes, session = self._writes, self._session
        if not writes.members:
            return
        await self._write_identities()
        replaced: list[tuple[Collection, list[Any]]] = [
            # Before the new records, of which one may get the key of an event that waited.
            (self._db.records, writes.amendments),
            (self._db.receipts, [*writes.receipts.values()]),
            (self._db.orders, [*writes.orders.values()]),
        ]
        for collection, changes in replaced:
            if changes:
                await collection.bulk_write(changes, session=session)
        counters = [*_counter_writes(writes.counters.items())]
        if counters:
            await self._db.counters.bulk_write(counters, session=session)
        if writes.codes:
            moved = await self._db.codes.bulk_write(writes.codes, session=session)
            if moved.matched_count != len(writes.codes):
                raise Conflict("a code changed hands while its group was decided")
        await self._db.records.insert_many(writes.records.values(), session=session)
        result = await self._db.members.bulk_write(writes.members, session=session)
        if result.matched_count + result.inserted_count != len(writes.members):
            raise Conflict("a member is gone that its group has read")
        await self._write_commit()

    async def _write_commit(self) -> None:
        """Say which members the group changed, for those who follow all commits."""
        commit, versions = ObjectId(), self._versions
        changed = ((snapshot.member.id, snapshot.version) for snapshot in versions)
        await self._db.commits.insert_one(commit_document(commit, changed), session=self._session)
        self._on_write(commit, versions)


def _content(request: Request, decision: Decision) -> Document:
    """Return the stored fields of what a key stands for: an event, counted or waiting, or the use of an offer."""
    fields: Document = {}
    if decision.recorded_event is not None:
        fields = event_fields(decision.recorded_event)
    elif decision.waiting_event is not None:
        fields = waiting_fields(decision.waiting_event)
    elif (store := getattr(request.command, "store", None)) is not None:
        fields["store"] = store
    if decision.consequences is not None:
        fields["consequences"] = consequence_rows(decision.consequences)
    return fields


def _member_of(snapshot: Snapshot | None) -> Member | None:
    return snapshot.member if snapshot is not None else None


def _counter_writes(counters: Iterable[tuple[tuple[str, CounterKey], int]]) -> Iterable[UpdateOne]:
    for (programme, counter), pieces in counters:
        if pieces:
            yield UpdateOne(
                {"_id": counter_id(programme, counter)},
                {"$inc": {"taken": pieces}, "$setOnInsert": counter_fields(programme, counter)},
                upsert=True,
            )


def _code_write(programme: str, move: CodeTransition, member: Member, at: datetime) -> UpdateOne:
    """Return the write that moves a code; the state before it is the lock."""
    change: dict[str, Any] = {"$set": {"state": move.state_after.value, "at": at}}
    if move.holder is not None:
        change["$set"] |= {"holder": move.holder, "member": member.id}
    elif move.state_after is CodeState.FREE:
        change["$unset"] = {"holder": "", "member": ""}
    return UpdateOne({"_id": code_id(programme, move.pool, move.code), "state": move.state_before.value}, change)
