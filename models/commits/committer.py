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
from dataclasses import dataclass
from time import monotonic
from typing import Self

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, ConnectionFailure, DuplicateKeyError, PyMongoError

from loyalty.model.facts import NotRead
from models.commits.group import DUPLICATE_KEY, Conflict, Group
from models.commits.request import Outcome, Request
from models.mongo.database import Database

GROUP_MAX = 200
LANE_SHARE_MAX = 64
GROUPS_IN_FLIGHT = 2
PENDING_MAX = 20_000
TRANSACTION_SECONDS_MAX = 8.0  # with all its retries; callers' own time (10 seconds by default) is not up before
ATTEMPTS_ALONE = 5


class Overloaded(Exception):  # noqa: N818 - answered as UNAVAILABLE
    """More commands wait than may; try again in a moment with the same key."""


class Unavailable(Exception):  # noqa: N818 - answered as UNAVAILABLE
    """MongoDB did not take the command in time. It may have been counted: send it again with the same key."""


@dataclass(slots=True)
class _Job:
    request: Request
    future: asyncio.Future[Outcome]


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
            return await Group(self._db, requests, session).transact()

        try:
            return await self._db.transact(attempt, seconds_max=self._transaction_seconds_max)
        except PyMongoError as error:
            if error.timeout or isinstance(error, ConnectionFailure):
                raise Unavailable(str(error)) from error
            raise


def _retriable(error: Exception) -> bool:
    """Say whether a fresh read can make the command succeed, or answer it as a refusal."""
    if isinstance(error, Conflict | DuplicateKeyError | NotRead):
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
