"""Settles members when they are due (lots, tiers or holds expire), so that every channel sees a committed change."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

import structlog
from pymongo.errors import PyMongoError

from loyalty.commands.settle import Settle
from loyalty.kernel.refusal import Refusal
from loyalty.model.decision import NothingToSettle
from loyalty.model.ledger import Cause
from loyalty.model.member import next_settlement_at
from models.commits.committer import Overloaded
from models.commits.committer import Unavailable as CommitUnavailable
from models.commits.request import Outcome, Request
from models.mongo.bson import Document
from models.mongo.member import member_of
from models.programmes.programme_store import ProgrammeNotFound
from resolvers.core.context import Services
from resolvers.core.member import SYSTEM
from resolvers.waiting import count_arrived

BATCH_MAX = 500
INTERVAL_SECONDS = 1.0
WAITING_INTERVAL_SECONDS = 60.0
# A member that cannot be settled is tried again after this long, then after twice as long, and so on.
RETRY_MIN = timedelta(seconds=5)
RETRY_MAX = timedelta(hours=1)
# Failures beyond this number are not remembered: those members are tried in every round.
FAILURES_REMEMBERED_MAX = 10_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Failure:
    """A member that could not be settled: when to retry, and how long to wait after the next failure."""

    retry_at: datetime
    wait: timedelta


@dataclass(slots=True)
class _Round:
    """The result of one round.

    `left` counts the due members that failed or wait for their retry; `waiting` are those with a remembered failure;
    `unknown` are programmes that are not loaded.
    """

    settled: int = 0
    left: int = 0
    unknown: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)


class Sweeper:
    """Settles due members in rounds, skipping those that cannot be settled. One per process."""

    def __init__(self, services: Services, *, on_unsettled: Callable[[int], None] = lambda _members: None) -> None:
        """`on_unsettled` gets the number of due members left unsettled after each round."""
        self._services = services
        self._on_left = on_unsettled
        self._failures: dict[str, _Failure] = {}
        self._left = 0

    async def sweep(self) -> int:
        """Settle every due member, unless the host clock is wrong; return how many were settled.

        Every gateway does this. If two settle the same member, the second one finds it not due.

        Raises:
            PyMongoError, Unavailable, Overloaded: nothing can be settled now; the next round starts over.
        """
        done = _Round()
        batch: list[Request] = []
        async for request in self._due(done):
            batch.append(request)
            if len(batch) == BATCH_MAX:
                if not await self._may_settle():
                    return done.settled
                await self._settle(batch, done)
                batch = []
        if batch and not await self._may_settle():
            return done.settled
        await self._settle(batch, done)
        # Members that are no longer due were settled by another process.
        self._failures = {id_: failure for id_, failure in self._failures.items() if id_ in done.waiting}
        self._report(done)
        return done.settled

    async def _may_settle(self) -> bool:
        fault = await self._services.clock_fault()
        if fault is not None:
            log.warning("settlement_refused", reason=fault)
        return fault is None

    async def _due(self, done: _Round) -> AsyncIterator[Request]:
        """Yield a request that settles each due member, the longest due first, in one pass of a cursor.

        Only the id and programme are read, so that a snapshot that cannot be decoded does not stop the others.
        """
        now = self._services.clock()
        # Without `$type`, MongoDB would not use the partial index.
        due = {"due_at": {"$lte": now, "$type": "date"}}
        cursor = self._services.database.members.find(due, {"programme": 1}, sort=[("due_at", 1)], batch_size=BATCH_MAX)
        async with cursor:
            async for document in cursor:
                request = self._request(document, done)
                if request is not None:
                    yield request

    def _request(self, document: Document, done: _Round) -> Request | None:
        id_, now = document["_id"], self._services.clock()
        failure = self._failures.get(id_)
        if failure is not None:
            done.waiting.add(id_)
            if now < failure.retry_at:
                done.left += 1
                return None
        try:
            programme = self._services.programmes.get(document["programme"])
        except ProgrammeNotFound:
            done.left += 1
            done.unknown.add(document["programme"])
            return None
        return Request(Settle(Cause("settle", SYSTEM, SYSTEM, "")), id_, programme, now)

    async def _settle(self, batch: list[Request], done: _Round) -> None:
        """Settle some members concurrently.

        Raises:
            Unavailable, Overloaded: none of them could be committed.
        """
        outcomes = await asyncio.gather(*(self._settle_one(request) for request in batch), return_exceptions=True)
        uncommitted = [outcome for outcome in outcomes if isinstance(outcome, CommitUnavailable | Overloaded)]
        for request, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, BaseException | Refusal):
                done.left += 1
                self._note_failure(request, outcome)
                if request.member in self._failures:
                    done.waiting.add(request.member)
            else:
                done.settled += 1
                self._failures.pop(request.member, None)
        if uncommitted and len(uncommitted) == len(batch):
            raise uncommitted[0]

    async def _settle_one(self, request: Request) -> Outcome:
        outcome = await self._services.committer.commit(request)
        if isinstance(outcome, NothingToSettle):
            await self._postpone(request)
        return outcome

    async def _postpone(self, request: Request) -> None:
        """Correct when the member is due: a new programme version with another time zone can change it."""
        members = self._services.database.members
        document = await members.find_one({"_id": request.member})
        if document is not None:
            member = member_of(document)
            due = next_settlement_at(member, request.programme.zone)
            await members.update_one({"_id": member.id, "version": member.version}, {"$set": {"due_at": due}})

    def _note_failure(self, request: Request, outcome: BaseException | Refusal) -> None:
        why = outcome.reason if isinstance(outcome, Refusal) else f"{type(outcome).__name__}: {outcome}"
        before = self._failures.get(request.member)
        wait = before.wait if before is not None else RETRY_MIN
        log.error("settlement_failed", member=request.member, error=why, again_seconds=wait.total_seconds())
        if before is not None or len(self._failures) < FAILURES_REMEMBERED_MAX:
            self._failures[request.member] = _Failure(request.now + wait, min(wait * 2, RETRY_MAX))

    def _report(self, done: _Round) -> None:
        self._on_left(done.left)
        if done.left != self._left:
            log.warning("settlement_left", members=done.left, programmes_unknown=sorted(done.unknown))
        self._left = done.left


async def settle_all_due(services: Services) -> int:
    """Settle every due member in one round; return how many were settled. Raises as `Sweeper.sweep`."""
    return await Sweeper(services).sweep()


async def run_settlement(services: Services, *, on_unsettled: Callable[[int], None] = lambda _members: None) -> None:
    """Settle members as they become due, until cancelled. `on_unsettled` is as for `Sweeper`.

    Also counts the events that wait although their purchase is recorded: the programme file lets their sender refer to
    it only now, or their first attempt failed.
    """
    sweeper = Sweeper(services, on_unsettled=on_unsettled)
    counted_at = -WAITING_INTERVAL_SECONDS
    while True:
        try:
            await sweeper.sweep()
            if monotonic() - counted_at >= WAITING_INTERVAL_SECONDS:
                counted_at = monotonic()
                await count_arrived(services)
        except (PyMongoError, CommitUnavailable, Overloaded) as error:
            log.warning("settlement_interrupted", error=type(error).__name__)
        except Exception:
            # An unexpected error must not stop settlement for all members.
            log.exception("settlement_failed")
        await asyncio.sleep(INTERVAL_SECONDS)
