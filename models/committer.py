"""Group commit: concurrent commands are gathered while the previous transaction runs, and committed together.

A till's event is small and a transaction is dear (see docs/decisions/0002-group-commit.md). The rules that hold:

- commands of one member (its lane) are decided in the order they came, and a lane is in one group at a time;
- every command is decided in memory from the state its transaction read;
- a command that fails on its own never fails its neighbours: the others are committed without it;
- a conflict with another process is retried from a fresh read;
- a caller is answered after the commit is durable on a majority, never before.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Self

import pymongo
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, ConnectionFailure, DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from loyalty.decide import Command, Enrol, RecordEvent, decide
from loyalty.decision import Decision, Unchanged
from loyalty.ledger import Record
from loyalty.programme import Programme
from loyalty.refusal import Refusal, RefusalCode
from models.codec import Document, counted_event_of, event_fields, record_document, record_id, record_of, returned_rows
from models.database import MAJORITY, Database
from models.key import event_key, identity_key
from models.snapshot import Snapshot, next_snapshot, snapshot_document, snapshot_of

GROUP_MAX = 200
LANE_SHARE_MAX = 64
GROUPS_IN_FLIGHT = 2
PENDING_MAX = 20_000
TRANSACTION_SECONDS_MAX = 8.0  # with all its retries; callers' own time (10 seconds by default) is not up before
ATTEMPTS_ALONE = 5
DUPLICATE_KEY = 11000


class Overloaded(Exception):  # noqa: N818 - answered as UNAVAILABLE
    """More commands wait than may; try again in a moment with the same key."""


class Unavailable(Exception):  # noqa: N818 - answered as UNAVAILABLE
    """MongoDB did not take the command in time. It may have been counted: send it again with the same key."""


class _Conflict(Exception):  # noqa: N818 - caught in this module
    """A member changed between the read and the write of one transaction."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command on its way to be committed. `digest` is that of what the caller sent, None for the system's own."""

    command: Command
    member: str
    programme: Programme
    now: datetime
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """What was committed; `replayed` where the key had been counted before and nothing changed."""

    snapshot: Snapshot
    record: Record
    replayed: bool = False


Outcome = Committed | Refusal | Unchanged


@dataclass(slots=True)
class _Job:
    request: Request
    future: asyncio.Future[Outcome]


@dataclass(slots=True)
class _Group:
    """What one transaction has read, and what it will write."""

    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    events: dict[str, Document] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    new_events: list[Document] = field(default_factory=list)
    new_records: list[Document] = field(default_factory=list)
    new_identities: list[Document] = field(default_factory=list)
    member_writes: list[InsertOne[Document] | ReplaceOne[Document]] = field(default_factory=list)
    amendments: list[UpdateOne] = field(default_factory=list)


def _own_key(request: Request) -> str | None:
    cause = request.command.cause
    if request.digest is None:
        return None
    return event_key(request.programme.key, cause.operation, cause.subject, cause.key)


def _bought_key(request: Request) -> str | None:
    command = request.command
    if not isinstance(command, RecordEvent) or command.event.refund_of is None:
        return None
    return event_key(request.programme.key, command.cause.operation, command.event.sender, command.event.refund_of)


def identities_of(request: Request) -> dict[str, str]:
    """Return the identities that an enrolment claims: their `_id`, and which input field each came from."""
    command = request.command
    if not isinstance(command, Enrol):
        return {}
    claims = {
        "number": command.number,
        "card": command.card,
        "email": command.profile.email,
        "phone": command.profile.phone,
    }
    return {identity_key(request.programme.key, kind, value): kind for kind, value in claims.items() if value}


class Committer:
    """Takes commands from any number of tasks and commits them in groups. One for each process and database."""

    def __init__(
        self,
        database: Database,
        *,
        on_group: Callable[[int, float], None] = lambda _size, _seconds: None,
        pending_max: int = PENDING_MAX,
        transaction_seconds_max: float = TRANSACTION_SECONDS_MAX,
    ) -> None:
        """Make a committer; `on_group` is told the size of each group and how many seconds it took."""
        self._db = database
        self._on_group = on_group
        self._pending_max = pending_max
        self._transaction_seconds_max = transaction_seconds_max
        self._lanes: dict[str, deque[_Job]] = {}
        self._ready: deque[str] = deque()
        self._pending = 0
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._run(), name=f"committer-{n}") for n in range(GROUPS_IN_FLIGHT)]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.drain()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def drain(self) -> None:
        """Wait until every command that was taken is answered."""
        await self._idle.wait()

    def submit(self, request: Request) -> asyncio.Future[Outcome]:
        """Take a command; the future holds its outcome once that is durable.

        The order of calls is the order in which commands of one member are decided. A caller that stops waiting does
        not stop the command.

        Raises:
            Overloaded: too many commands wait already.
        """
        if self._pending >= self._pending_max:
            raise Overloaded(f"{self._pending} commands are waiting; try again in a moment with the same key")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        lane = self._lanes.get(request.member)
        if lane is None:
            lane = self._lanes[request.member] = deque()
            self._ready.append(request.member)
            self._work.set()
        lane.append(_Job(request, future))
        self._pending += 1
        self._idle.clear()
        return future

    async def commit(self, request: Request) -> Outcome:
        """Submit a command and return its outcome."""
        return await asyncio.shield(self.submit(request))

    async def _run(self) -> None:
        while True:
            while not self._ready:
                self._work.clear()
                await self._work.wait()
            lanes, jobs = self._gather()
            started = monotonic()
            try:
                await self._commit_jobs(jobs)
            except Unavailable as error:
                for job in (*jobs, *self._drop_waiting()):
                    _fail(job, error)
            except Exception as error:  # noqa: BLE001 - told to each caller; the worker must go on
                for job in jobs:
                    _fail(job, error)
            self._release(lanes, len(jobs))
            self._on_group(len(jobs), monotonic() - started)

    def _gather(self) -> tuple[list[str], list[_Job]]:
        """Take what waits now. Lanes that are taken stay out of `_ready` until they are released."""
        lanes: list[str] = []
        jobs: list[_Job] = []
        while self._ready and len(jobs) < GROUP_MAX:
            name = self._ready.popleft()
            lane = self._lanes[name]
            share = min(len(lane), LANE_SHARE_MAX, GROUP_MAX - len(jobs))
            jobs += [lane.popleft() for _ in range(share)]
            lanes.append(name)
        return lanes, jobs

    def _release(self, lanes: Iterable[str], done: int) -> None:
        for name in lanes:
            if self._lanes[name]:
                self._ready.append(name)
            else:
                del self._lanes[name]
        self._pending -= done
        if self._ready:
            self._work.set()
        if self._pending == 0:
            self._idle.set()

    def _drop_waiting(self) -> list[_Job]:
        """Take away all that waits: it would only wait as long again for a MongoDB that does not answer."""
        waiting = [job for lane in self._lanes.values() for job in lane]
        for lane in self._lanes.values():
            lane.clear()
        for name in self._ready:
            del self._lanes[name]
        self._ready.clear()
        self._pending -= len(waiting)
        return waiting

    async def _commit_jobs(self, jobs: list[_Job]) -> None:
        """Commit the jobs together; where the group cannot be, each on its own, so that only a bad one fails."""
        try:
            outcomes = await self._transact([job.request for job in jobs])
        except Unavailable:
            raise
        except Exception as error:
            # Not only MongoDB's errors: a member that cannot be read, a value that BSON cannot hold.
            if len(jobs) == 1 and not _retriable(error):
                raise
            for job in jobs:
                await self._commit_alone(job)
            return
        for job, outcome in zip(jobs, outcomes, strict=True):
            _answer(job, outcome)

    async def _commit_alone(self, job: _Job) -> None:
        for attempt in range(1, ATTEMPTS_ALONE + 1):
            try:
                [outcome] = await self._transact([job.request])
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - told to its caller; the others must go on
                if not _retriable(error):
                    _fail(job, error)
                    return
                if attempt == ATTEMPTS_ALONE:
                    _fail(job, Unavailable(str(error)))
                    return
            else:
                _answer(job, outcome)
                return

    async def _transact(self, requests: list[Request]) -> list[Outcome | Exception]:
        async def attempt(session: AsyncClientSession) -> list[Outcome | Exception]:
            group = await self._read(requests, session)
            outcomes = [_decide_in(group, request) for request in requests]
            await self._write(group, session)
            return outcomes

        try:
            # Left to itself, with_transaction() goes on trying for two minutes.
            with pymongo.timeout(self._transaction_seconds_max):
                async with self._db.client.start_session() as session:
                    return await session.with_transaction(
                        attempt,
                        read_concern=ReadConcern("snapshot"),
                        write_concern=MAJORITY,
                        read_preference=ReadPreference.PRIMARY,
                    )
        except PyMongoError as error:
            if error.timeout or isinstance(error, ConnectionFailure):
                raise Unavailable(str(error)) from error
            raise

    async def _read(self, requests: list[Request], session: AsyncClientSession) -> _Group:
        """Read all that the commands can depend on, in as many queries as there are collections."""
        group = _Group()
        members = {request.member for request in requests if not isinstance(request.command, Enrol)}
        keys = {key for request in requests for key in (_own_key(request), _bought_key(request)) if key}
        claims = {key for request in requests for key in identities_of(request)}
        if keys:
            async for document in self._db.events.find({"_id": {"$in": [*keys]}}, session=session):
                group.events[document["_id"]] = document
                members.add(document["member"])
        if members:
            async for document in self._db.members.find({"_id": {"$in": [*members]}}, session=session):
                group.snapshots[document["_id"]] = snapshot_of(document)
        if claims:
            async for document in self._db.identities.find({"_id": {"$in": [*claims]}}, session=session):
                group.identities[document["_id"]] = document["member"]
        await self._read_answers(requests, group, session)
        return group

    async def _read_answers(self, requests: list[Request], group: _Group, session: AsyncClientSession) -> None:
        """Read the records of keys that were counted before: the first answer is given again."""
        counted = [group.events[key] for request in requests if (key := _own_key(request)) in group.events and key]
        ids = [record_id(document["member"], document["version"]) for document in counted]
        if ids:
            async for document in self._db.entries.find({"_id": {"$in": ids}}, session=session):
                group.records[document["_id"]] = record_of(document)

    async def _write(self, group: _Group, session: AsyncClientSession) -> None:
        if not group.member_writes:
            return
        if group.new_identities:
            await self._db.identities.insert_many(group.new_identities, session=session)
        if group.new_events:
            await self._db.events.insert_many(group.new_events, session=session)
        if group.amendments:
            await self._db.events.bulk_write(group.amendments, session=session)
        await self._db.entries.insert_many(group.new_records, session=session)
        result = await self._db.members.bulk_write(group.member_writes, session=session)
        if result.matched_count + result.inserted_count != len(group.member_writes):
            # The version in each filter did not match: another process was first. Nothing of this group may stay.
            raise _Conflict("a member changed while its group was decided")


def _decide_in(group: _Group, request: Request) -> Outcome | Exception:
    """Decide one command on the group's state, and add what it writes to the group. Its own faults stay its own."""
    try:
        answered = _answered(group, request)
        if answered is not None:
            return answered
        taken = _identity_taken(group, request)
        if taken is not None:
            return taken
        command = request.command
        bought_key = _bought_key(request)
        if isinstance(command, RecordEvent) and bought_key is not None and bought_key in group.events:
            command = replace(command, bought=counted_event_of(group.events[bought_key]))
        before = group.snapshots.get(request.member)
        if before is not None and before.member.programme != request.programme.key:
            before = None
        decision = decide(command, before.member if before else None, request.programme, request.now)
        if not isinstance(decision, Decision):
            return decision
        return _adopt(group, request, before, decision)
    except Exception as error:  # noqa: BLE001 - a command that cannot be decided must not fail its neighbours
        return error


def _answered(group: _Group, request: Request) -> Outcome | None:
    """Return the first answer to a key that was counted before, or why the key cannot be used for this content."""
    key = _own_key(request)
    document = group.events.get(key) if key else None
    if document is None:
        return None
    if document["digest"] != request.digest:
        return Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": request.command.cause.key})
    record = group.records[record_id(document["member"], document["version"])]
    return Committed(group.snapshots[document["member"]], record, replayed=True)


def _identity_taken(group: _Group, request: Request) -> Refusal | None:
    for key, kind in identities_of(request).items():
        if key in group.identities:
            if kind == "number":
                raise DuplicateKeyError("the number drawn for a new member is taken; draw another", DUPLICATE_KEY)
            return Refusal(RefusalCode.ALREADY_EXISTS, f"{kind}_taken", (kind,))
    return None


def _adopt(group: _Group, request: Request, before: Snapshot | None, decision: Decision) -> Committed:
    """Add a decision to what the group writes, and to the state that the next commands are decided on."""
    programme = request.programme
    member, record = decision.member, decision.record
    snapshot = next_snapshot(before, member, record, programme.zone)
    document = snapshot_document(snapshot)
    if before is None:
        group.member_writes.append(InsertOne(document))
    else:
        # The version is the lock: whoever read an older one must not write.
        group.member_writes.append(ReplaceOne({"_id": member.id, "version": before.version}, document))
    group.snapshots[member.id] = snapshot
    group.new_records.append(record_document(record, programme.key))
    group.records[record_id(member.id, record.version)] = record
    for key in identities_of(request):
        group.identities[key] = member.id
        group.new_identities.append({"_id": key, "programme": programme.key, "member": member.id})
    own_key = _own_key(request)
    if own_key is not None:
        cause = request.command.cause
        event: Document = {
            "_id": own_key,
            "programme": programme.key,
            "operation": cause.operation,
            "sender": cause.subject,
            "key": cause.key,
            "digest": request.digest,
            "member": member.id,
            "version": record.version,
            "recorded_at": record.recorded_at,
        }
        if decision.counted is not None:
            event |= event_fields(decision.counted)
        group.events[own_key] = event
        group.new_events.append(event)
    bought_key = _bought_key(request)
    if decision.amended is not None and bought_key is not None:
        returned = returned_rows(decision.amended.returned)
        group.events[bought_key] = {**group.events[bought_key], "returned": returned}
        group.amendments.append(UpdateOne({"_id": bought_key}, {"$set": {"returned": returned}}))
    return Committed(snapshot, record)


def _retriable(error: Exception) -> bool:
    """Say whether a fresh read can make the command succeed, or answer it as a refusal."""
    if isinstance(error, _Conflict | DuplicateKeyError):
        return True
    if isinstance(error, BulkWriteError):
        codes = [found.get("code") for found in error.details.get("writeErrors", [])]
        return bool(codes) and all(code == DUPLICATE_KEY for code in codes)
    return isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError")


def _answer(job: _Job, outcome: Outcome | Exception) -> None:
    if isinstance(outcome, Exception):
        _fail(job, outcome)
    elif not job.future.done():
        job.future.set_result(outcome)


def _fail(job: _Job, error: Exception) -> None:
    if not job.future.done():
        job.future.set_exception(error)
