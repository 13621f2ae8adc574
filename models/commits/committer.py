"""Group commit: concurrent commands are gathered while the previous transaction runs, and committed together.

A till's event is small and a transaction is expensive (see docs/decisions/0002-group-commit.md). The rules:

- a member's commands wait in its lane, in the order of their submission, and a lane is in one group at a time;
- a command of several members waits in all their lanes; a group takes it when it is the first in each of them;
- every command is decided in memory from the state that its transaction read;
- a command that fails on its own never fails its neighbours: the others are committed without it;
- a conflict with another process is retried from a fresh read;
- a caller is answered after the commit is durable on a majority, never before.

Lanes cannot deadlock: a command waits only for earlier ones, so the earliest waits for groups in flight alone.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Self

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, ConnectionFailure, DuplicateKeyError, PyMongoError

from loyalty.model.facts import FactNotRead
from models.commits.group import DUPLICATE_KEY, Conflict, Group, OnWrite
from models.commits.request import Outcome, Request
from models.mongo.database import Database

GROUP_MAX = 200
LANE_SHARE_MAX = 64
GROUPS_IN_FLIGHT = 2
PENDING_MAX = 20_000
TRANSACTION_SECONDS_MAX = 8.0  # with all retries; less than the 10 seconds that callers wait by default
ATTEMPTS_ALONE = 5


class Overloaded(Exception):  # noqa: N818 - answered as UNAVAILABLE
    """Too many commands wait; try again in a moment with the same key."""


class Unavailable(Exception):  # noqa: N818 - answered as UNAVAILABLE
    """MongoDB did not answer in time. The command may have been committed: send it again with the same key."""


@dataclass(slots=True)
class _Job:
    request: Request
    future: asyncio.Future[Outcome]


@dataclass(slots=True)
class _Group:
    """The commands of the next transaction in order, and how many of them each lane has given."""

    jobs: list[_Job] = field(default_factory=list)
    lanes: dict[str, int] = field(default_factory=dict)


class Committer:
    """Takes commands from any number of tasks and commits them in groups. One per process and database."""

    def __init__(
        self,
        database: Database,
        *,
        on_group: Callable[[int, float], None] = lambda _size, _seconds: None,
        on_write: OnWrite = lambda _commit, _snapshots: None,
        pending_max: int = PENDING_MAX,
        transaction_seconds_max: float = TRANSACTION_SECONDS_MAX,
    ) -> None:
        """Make a committer.

        `on_group` is called with the size of each group and the seconds that it took, `on_write` before each attempt to
        commit one, with the id of its commit document and the snapshots that it writes.
        """
        self._db = database
        self._on_group = on_group
        self._on_write = on_write
        self._pending_max = pending_max
        self._transaction_seconds_max = transaction_seconds_max
        self._lanes: dict[str, deque[_Job]] = {}
        # Lanes to look at for the next group, the longest waiting first. The others are in a group in flight, or begin
        # with a command that waits for another lane: that lane reaches it later, and takes it for both.
        self._ready: OrderedDict[str, None] = OrderedDict()
        self._in_flight: set[str] = set()
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
        """Wait until every submitted command is answered."""
        await self._idle.wait()

    def submit(self, request: Request) -> asyncio.Future[Outcome]:
        """Take a command; the future gets its outcome once that is durable.

        Commands of one member are decided in the order of these calls. A caller that stops waiting does not stop its
        command.

        Raises:
            Overloaded: too many commands wait.
        """
        if self._pending >= self._pending_max:
            raise Overloaded(f"{self._pending} commands are waiting; try again in a moment with the same key")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        job = _Job(request, future)
        for member in request.members:
            lane = self._lanes.get(member)
            if lane is None:
                lane = self._lanes[member] = deque()
                self._ready[member] = None
                self._work.set()
            lane.append(job)
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
            group = self._gather()
            if not group.jobs:
                continue  # all that was ready waits for lanes in flight
            jobs = group.jobs
            started = monotonic()
            try:
                await self._commit_jobs(jobs)
            except Unavailable as error:
                for job in (*jobs, *self._drop_waiting()):
                    _fail(job, error)
            except Exception as error:  # noqa: BLE001 - raised to each caller; the worker must go on
                for job in jobs:
                    _fail(job, error)
            self._release(group)
            self._on_group(len(jobs), monotonic() - started)

    def _gather(self) -> _Group:
        """Take the commands of the next group. Its lanes are in flight until they are released."""
        group = _Group()
        while self._ready and len(group.jobs) < GROUP_MAX:
            name, _ = self._ready.popitem(last=False)
            self._take(name, group)
        return group

    def _take(self, name: str, group: _Group) -> None:
        """Move commands from a lane to the group, up to one that waits for another lane, or to the lane's share."""
        if not self._is_free(name, group):
            return  # its release makes it ready again
        lane, taken = self._lanes[name], group.lanes.get(name, 0)
        while lane and taken < LANE_SHARE_MAX and len(group.jobs) < GROUP_MAX:
            job = lane[0]
            if len(job.request.members) > 1 and not self._take_from_others(job, name, group):
                break
            group.jobs.append(lane.popleft())
            taken += 1
        if taken:
            group.lanes[name] = taken
            self._in_flight.add(name)

    def _take_from_others(self, job: _Job, name: str, group: _Group) -> bool:
        """Take a command of several members from their lanes besides `name`; False if it is not first in each."""
        others = [member for member in job.request.members if member != name]
        if not all(self._lanes[other][0] is job and self._is_free(other, group) for other in others):
            return False
        for other in others:
            self._lanes[other].popleft()
            group.lanes[other] = group.lanes.get(other, 0) + 1
            self._in_flight.add(other)
            self._ready[other] = None  # to go on with, in this group or after its release
        return True

    def _is_free(self, name: str, group: _Group) -> bool:
        """Return whether the group may take commands of a lane: it has the lane already, or no other group has it."""
        return name in group.lanes or name not in self._in_flight

    def _release(self, group: _Group) -> None:
        for name in group.lanes:
            self._in_flight.discard(name)
            if self._lanes[name]:
                self._ready[name] = None
            else:
                del self._lanes[name]
                self._ready.pop(name, None)
        self._pending -= len(group.jobs)
        if self._ready:
            self._work.set()
        if self._pending == 0:
            self._idle.set()

    def _drop_waiting(self) -> Iterable[_Job]:
        """Remove every waiting command: it would only wait as long again for a MongoDB that does not answer."""
        waiting = {id(job): job for lane in self._lanes.values() for job in lane}.values()
        self._lanes = {name: deque() for name in self._lanes if name in self._in_flight}
        self._ready.clear()
        self._pending -= len(waiting)
        return waiting

    async def _commit_jobs(self, jobs: list[_Job]) -> None:
        """Commit the jobs together; if that fails, each alone, so that only a bad one fails."""
        try:
            outcomes = await self._transact([job.request for job in jobs])
        except Unavailable:
            raise
        except Exception as error:
            # Not only MongoDB's errors: a member may be unreadable, or a value may not fit BSON.
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
            except Exception as error:  # noqa: BLE001 - raised to its caller; the others must go on
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
            return await Group(self._db, requests, session, self._on_write).transact()

        try:
            return await self._db.transact(attempt, seconds_max=self._transaction_seconds_max)
        except PyMongoError as error:
            if error.timeout or isinstance(error, ConnectionFailure):
                raise Unavailable(str(error)) from error
            raise


def _retriable(error: Exception) -> bool:
    """Say whether the command can succeed, or be refused, after a fresh read."""
    if isinstance(error, Conflict | DuplicateKeyError | FactNotRead):
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
