"""Time passes: lots expire and tiers end without anybody asking, and every channel sees it as a committed change."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from pymongo.errors import PyMongoError

from loyalty.commands.settle import Settle
from loyalty.kernel.refusal import Refusal
from loyalty.model.decision import Unchanged
from loyalty.model.ledger import Cause
from loyalty.model.member import due_at
from models.commits.committer import Overloaded
from models.commits.committer import Unavailable as CommitUnavailable
from models.commits.request import Outcome, Request
from models.mongo.bson import Document
from models.mongo.member import member_of
from models.programmes.programme_store import ProgrammeNotFound
from resolvers.core.context import Services
from resolvers.core.member import SYSTEM

BATCH_MAX = 500
INTERVAL_SECONDS = 1.0
# A member that cannot be settled is tried again after this long, then after twice as long, and so on.
RETRY_MIN = timedelta(seconds=5)
RETRY_MAX = timedelta(hours=1)
# Of those beyond, nothing is remembered: they are tried in every round.
REMEMBERED_MAX = 10_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Failure:
    """A member that could not be settled: when it is tried again, and how long it waits after that."""

    again_at: datetime
    wait: timedelta


@dataclass(slots=True)
class _Round:
    """What became of the members that are due.

    `left` could not be settled, or were not tried yet again; `waiting` are those of them that are remembered.
    """

    settled: int = 0
    left: int = 0
    unknown: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)


class Sweeper:
    """Settles due members in rounds. A round goes past those that cannot be settled. One for each process."""

    def __init__(self, services: Services, *, on_left: Callable[[int], None] = lambda _members: None) -> None:
        """Make a sweeper; `on_left` is told after each round how many due members were left unsettled."""
        self._services = services
        self._on_left = on_left
        self._failures: dict[str, _Failure] = {}
        self._left = 0

    async def sweep(self) -> int:
        """Settle every member whom time has changed; return how many that was possible for.

        Every gateway does this. Where two settle the same member, the second finds nothing due.

        Raises:
            PyMongoError, Unavailable, Overloaded: nothing can be settled now; the next round begins anew.
        """
        done = _Round()
        batch: list[Request] = []
        async for request in self._due(done):
            batch.append(request)
            if len(batch) == BATCH_MAX:
                await self._settle(batch, done)
                batch = []
        await self._settle(batch, done)
        # Who is due no more was settled by somebody else.
        self._failures = {id_: failure for id_, failure in self._failures.items() if id_ in done.waiting}
        self._tell(done)
        return done.settled

    async def _due(self, done: _Round) -> AsyncIterator[Request]:
        """Give what settles each due member, the longest due first. The cursor only ever goes on.

        Only the id and the programme are read: a snapshot that cannot be read must not keep the others from it.
        """
        now = self._services.clock()
        # Without `$type`, MongoDB would not use the index, which holds only members that have such a moment.
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
            if now < failure.again_at:
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
        """Settle some members at once.

        Raises:
            Unavailable, Overloaded: not one of them could be committed.
        """
        outcomes = await asyncio.gather(*(self._settle_one(request) for request in batch), return_exceptions=True)
        stopped = [outcome for outcome in outcomes if isinstance(outcome, CommitUnavailable | Overloaded)]
        for request, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, BaseException | Refusal):
                done.left += 1
                self._note_failure(request, outcome)
                if request.member in self._failures:
                    done.waiting.add(request.member)
            else:
                done.settled += 1
                self._failures.pop(request.member, None)
        if stopped and len(stopped) == len(batch):
            raise stopped[0]

    async def _settle_one(self, request: Request) -> Outcome:
        outcome = await self._services.committer.commit(request)
        if isinstance(outcome, Unchanged):
            await self._postpone(request)
        return outcome

    async def _postpone(self, request: Request) -> None:
        """Note when the member is really due: a changed programme (its time zone) can move that."""
        members = self._services.database.members
        document = await members.find_one({"_id": request.member})
        if document is not None:
            member = member_of(document)
            due = due_at(member, request.programme.zone)
            await members.update_one({"_id": member.id, "version": member.version}, {"$set": {"due_at": due}})

    def _note_failure(self, request: Request, outcome: BaseException | Refusal) -> None:
        why = outcome.reason if isinstance(outcome, Refusal) else f"{type(outcome).__name__}: {outcome}"
        before = self._failures.get(request.member)
        wait = before.wait if before is not None else RETRY_MIN
        log.error("settlement_failed", member=request.member, error=why, again_seconds=wait.total_seconds())
        if before is not None or len(self._failures) < REMEMBERED_MAX:
            self._failures[request.member] = _Failure(request.now + wait, min(wait * 2, RETRY_MAX))

    def _tell(self, done: _Round) -> None:
        self._on_left(done.left)
        if done.left != self._left:
            log.warning("settlement_left", members=done.left, programmes_unknown=sorted(done.unknown))
        self._left = done.left


async def settle_due(services: Services) -> int:
    """Settle, in one round, every member whom time has changed; return how many that was possible for."""
    return await Sweeper(services).sweep()


async def run_settlement(services: Services, *, on_left: Callable[[int], None] = lambda _members: None) -> None:
    """Settle members as they become due, until cancelled. `on_left` is told how many each round left unsettled."""
    sweeper = Sweeper(services, on_left=on_left)
    while True:
        try:
            await sweeper.sweep()
        except (PyMongoError, CommitUnavailable, Overloaded) as error:
            log.warning("settlement_interrupted", error=type(error).__name__)
        except Exception:
            # What nobody thought of must not stop the clock for all members.
            log.exception("settlement_failed")
        await asyncio.sleep(INTERVAL_SECONDS)
