"""Time passes: lots expire and tiers end without anybody asking, and every channel sees it as a committed change."""

import asyncio

import structlog
from pymongo.errors import PyMongoError

from loyalty.decide import Settle
from loyalty.decision import Unchanged
from loyalty.ledger import Cause
from loyalty.member import due_at
from models.codec import member_of
from models.committer import Overloaded
from models.committer import Unavailable as CommitUnavailable
from models.programme_store import ProgrammeNotFound
from models.request import Outcome, Request
from resolvers.context import Services
from resolvers.member import SYSTEM

BATCH_MAX = 500
INTERVAL_SECONDS = 1.0

log = structlog.get_logger(__name__)


async def settle_due(services: Services) -> int:
    """Settle up to BATCH_MAX members whom time has changed; return how many that was possible for.

    Every gateway does this. Where two settle the same member, the second finds nothing due. A member that cannot be
    settled does not keep the others from it.
    """
    now = services.clock()
    # Without `$type`, MongoDB would not use the index, which holds only members that have such a moment.
    due = {"due_at": {"$lte": now, "$type": "date"}}
    documents = await services.database.members.find(due, sort=[("due_at", 1)], limit=BATCH_MAX).to_list()
    futures: list[tuple[dict[str, object], asyncio.Future[Outcome]]] = []
    for document in documents:
        try:
            programme = services.programmes.get(document["programme"])
        except ProgrammeNotFound:
            continue
        request = Request(Settle(Cause("settle", SYSTEM, SYSTEM, "")), document["_id"], programme, now)
        futures.append((document, services.committer.submit(request)))
    outcomes = await asyncio.gather(*(future for _, future in futures), return_exceptions=True)
    failed = 0
    for (document, _), outcome in zip(futures, outcomes, strict=True):
        if isinstance(outcome, Unchanged):
            await _postpone(services, document)
        elif isinstance(outcome, CommitUnavailable):
            raise outcome
        elif isinstance(outcome, BaseException):
            failed += 1
            log.error("settlement_failed", member=document["_id"], error=f"{type(outcome).__name__}: {outcome}")
    return len(futures) - failed


async def _postpone(services: Services, document: dict[str, object]) -> None:
    """Note when the member is really due: a changed programme (its time zone) can move that."""
    member = member_of(document)
    zone = services.programmes.get(member.programme).zone
    await services.database.members.update_one(
        {"_id": member.id, "version": member.version}, {"$set": {"due_at": due_at(member, zone)}}
    )


async def run_settlement(services: Services) -> None:
    """Settle members as they become due, until cancelled."""
    while True:
        try:
            settled = await settle_due(services)
        except (PyMongoError, CommitUnavailable, Overloaded) as error:
            log.warning("settlement_interrupted", error=type(error).__name__)
            settled = 0
        except Exception:
            # One member that cannot be settled must not stop the clock for all others.
            log.exception("settlement_failed")
            settled = 0
        if settled < BATCH_MAX:
            await asyncio.sleep(INTERVAL_SECONDS)
