"""Limits wrong attempts at cards, phone numbers and codes; right ones are not counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from loyalty.kernel.refusal import Refusal, RefusalCode
from models.mongo.ids import joined_id
from models.tablets import session_store
from resolvers.core.context import Context
from resolvers.core.member import read_or_unavailable

SPAN = timedelta(minutes=15)


class Attempt:
    """One attempt. It counts unless the caller sets `succeeded`."""

    def __init__(self) -> None:
        self.succeeded = False


@asynccontextmanager
async def counted_attempt(context: Context, *who: str, attempts_max: int) -> AsyncIterator[Attempt | Refusal]:
    """Count an attempt by `who` (parts of the counter's id); yield a refusal after `attempts_max` wrong ones in SPAN.

    It is counted before it is made, so that concurrent attempts are all counted, and uncounted if it was right.
    """
    database, now = context.services.database, context.now()
    span = int(now.timestamp()) // int(SPAN.total_seconds())
    ends_at = datetime.fromtimestamp((span + 1) * SPAN.total_seconds(), UTC)
    id_ = joined_id("attempt", *who, str(span))
    if await read_or_unavailable(session_store.count_attempt(database, id_, forget_at=ends_at)) > attempts_max:
        yield Refusal(RefusalCode.LIMIT_REACHED, "attempts", (), {"minutes": int(SPAN.total_seconds()) // 60})
        return
    attempt = Attempt()
    yield attempt
    if attempt.succeeded:
        await read_or_unavailable(session_store.uncount_attempt(database, id_))
