"""Streams the uses of a member's passes to its app, which then shows a new one."""

from collections.abc import AsyncGenerator
from datetime import datetime

from resolvers.core.context import Context
from resolvers.core.operation_error import BadInput
from resolvers.member_stream import feed_opened


async def pass_uses(context: Context) -> AsyncGenerator[datetime | None, None]:
    """Yield None once uses are watched, then the present moment whenever a pass of the calling member was used.

    After a gap in the change feed, a pass may have been used: that counts as a use.

    Raises:
        BadInput: the caller is not a member.
        Unavailable: the change feed is not open.
    """
    actor = context.require_actor()
    if actor.member is None:
        raise BadInput("by_missing", role=actor.role)
    await feed_opened(context)
    with context.services.hub.watch_passes(actor.member) as used:
        yield None
        while True:
            await used.wait()
            used.clear()
            yield context.services.clock()
