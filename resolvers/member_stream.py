"""Streams a member's versions in order, each once, across reconnects; or one update that says to resynchronise."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from loyalty.model.notice import Notice
from models.mongo.snapshot import EntryView, Snapshot
from resolvers.core.context import Context
from resolvers.core.member import settle_if_due
from resolvers.core.operation_error import BadInput, Unavailable
from resolvers.core.reading import read_or_unavailable

FEED_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Update:
    """One version of a member, its entries and notices. With `resync`, versions before it were skipped."""

    snapshot: Snapshot
    entries: tuple[EntryView, ...] = ()
    resync: bool = False
    notices: tuple[Notice, ...] = ()


async def member_changes(context: Context, member: str, *, after: int | None) -> AsyncGenerator[Update, None]:
    """Yield the updates of the subscription `memberChanged`, after version `after` (None: from now), until closed.

    The watch starts before the member is read: versions committed in between wait in its queue, and those already sent
    are skipped by their number. So there is neither gap nor duplicate, whatever the feed's delay.

    Raises:
        BadInput: `after` is negative, or the member does not exist.
        Unavailable: the change feed is not open, or the database does not answer.
    """
    if after is not None and after < 0:
        raise BadInput("after_negative")
    await feed_opened(context)
    with context.services.hub.watch(member) as watch:
        newest = await _read(context, member)
        async for update in _first(context, newest, after):
            yield update
        last = newest.version
        while True:
            change = await watch.next()
            # None: the feed may have missed changes, so read the member.
            newest = change.snapshot if change is not None else await _read(context, member)
            if newest.version <= last:
                continue
            if change is not None and change.resync:
                yield Update(newest, resync=True)
            elif newest.version == last + 1:
                yield Update(newest, newest.newest_version_entries(), notices=newest.notices)
            else:  # read the versions that the feed did not deliver from the ledger
                async for update in _missed(context, newest, last):
                    yield update
            last = newest.version


async def feed_opened(context: Context) -> None:
    """Wait until the change feed is open; raise Unavailable if it does not open."""
    try:
        # Not wait_for: on Python 3.11 it loses a cancellation that arrives together with its result.
        async with asyncio.timeout(FEED_TIMEOUT_SECONDS):
            await context.services.feed.is_open.wait()
    except TimeoutError as error:
        raise Unavailable("feed_unavailable") from error


async def _first(context: Context, snapshot: Snapshot, after: int | None) -> AsyncIterator[Update]:
    """Yield the member as of now; or the versions after `after`, if the caller has that one."""
    if after is None:
        yield Update(snapshot)
    else:
        async for update in _missed(context, snapshot, after):
            yield update


async def _read(context: Context, member: str) -> Snapshot:
    programme = context.require_actor().programme
    snapshot = await read_or_unavailable(context.services.reader.member(programme, member))
    if snapshot is None:
        raise BadInput("no_such_member")
    return await settle_if_due(context, snapshot)


async def _missed(context: Context, snapshot: Snapshot, after: int) -> AsyncIterator[Update]:
    """Yield every version after `after` up to the snapshot's; or only the snapshot, if there are too many."""
    missed = snapshot.version - after
    if missed < 0 or missed > context.services.bounds.replay_max:
        yield Update(snapshot, resync=True)
        return
    if missed == 0:
        return
    async for version in context.services.reader.versions(snapshot, after=after):
        yield Update(version.snapshot, version.entries, notices=version.snapshot.notices)
