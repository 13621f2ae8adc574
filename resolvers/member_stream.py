"""The live member: every version in order, once, across reconnects; or one update that says to start afresh."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from loyalty.model.notice import Notice
from models.mongo.snapshot import EntryView, Snapshot
from resolvers.core.context import Context
from resolvers.core.fault import BadInput, Unavailable
from resolvers.core.member import answered, settled

FEED_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Update:
    """One version of a member, its entries and notices. With `resync`, versions before it were not told."""

    snapshot: Snapshot
    entries: tuple[EntryView, ...] = ()
    resync: bool = False
    notices: tuple[Notice, ...] = ()


async def member_changes(context: Context, member: str, *, after: int | None) -> AsyncGenerator[Update, None]:
    """Tell what `memberChanged` tells, until the caller stops.

    The watch begins before the member is read: what is committed in between waits in its queue, and versions that were
    told already are left out by their number. So there is no gap and no double, whatever the feed's delay.
    """
    if after is not None and after < 0:
        raise BadInput("after_negative")
    await _feed_opened(context)
    with context.services.hub.watch(member) as watch:
        newest = await _read(context, member)
        async for update in _first(context, newest, after):
            yield update
        last = newest.version
        while True:
            change = await watch.next()
            # None: the feed may have missed something, and only a read can tell.
            newest = change.snapshot if change is not None else await _read(context, member)
            if newest.version <= last:
                continue
            if change is not None and change.resync:
                yield Update(newest, resync=True)
            elif newest.version == last + 1:
                yield Update(newest, newest.of_version(), notices=newest.notices)
            else:  # what did not come through the feed is read from the ledger
                async for update in _missed(context, newest, last):
                    yield update
            last = newest.version


async def _feed_opened(context: Context) -> None:
    try:
        # Not wait_for: on Python 3.11 it loses a cancellation that comes together with its result.
        async with asyncio.timeout(FEED_TIMEOUT_SECONDS):
            await context.services.feed.opened.wait()
    except TimeoutError as error:
        raise Unavailable("feed_unavailable") from error


async def _first(context: Context, snapshot: Snapshot, after: int | None) -> AsyncIterator[Update]:
    """Tell the member as it is now; or, to who knows a version, what came after that."""
    if after is None:
        yield Update(snapshot)
    else:
        async for update in _missed(context, snapshot, after):
            yield update


async def _read(context: Context, member: str) -> Snapshot:
    programme = context.require_actor().programme
    snapshot = await answered(context.services.reader.member(programme, member))
    if snapshot is None:
        raise BadInput("no_such_member")
    return await settled(context, snapshot)


async def _missed(context: Context, snapshot: Snapshot, after: int) -> AsyncIterator[Update]:
    """Tell every version after `after` up to the snapshot's, or its state alone where they cannot all be told."""
    missed = snapshot.version - after
    if missed < 0 or missed > context.services.bounds.replay_max:
        yield Update(snapshot, resync=True)
        return
    if missed == 0:
        return
    async for version in context.services.reader.versions(snapshot, after=after):
        yield Update(version.snapshot, version.entries, notices=version.snapshot.notices)
