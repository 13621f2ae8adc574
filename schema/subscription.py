"""Subscriptions: live changes of a member, of its pass, and of contents."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry

from resolvers.catalogue import content_changes
from resolvers.core.actor import Role
from resolvers.core.member import watched_member
from resolvers.member_stream import member_changes
from resolvers.pass_stream import pass_uses
from schema.query import LOOKUP
from schema.types.content import Content, ContentKey
from schema.types.ledger import LedgerEntry
from schema.types.member import Member
from schema.types.member_key import MemberKey
from schema.types.notice import Notice
from schema.wire.access import EVERY_ROLE, REACHED, field, only, subscription
from schema.wire.info import Info
from schema.wire.on_channel import OnChannel
from schema.wire.text import locale_of, response_locale


@strawberry.type
class MemberUpdate:
    """A version of a member, with what changed in it."""

    version: int = field(REACHED, "The member's version: pass the last one received as `after` to reconnect.")
    member: Member = field(REACHED, "The member at this version.")
    entries: list[LedgerEntry] = field(
        REACHED, "Ledger entries of this version; empty in a first state and with `resync`."
    )
    resync: bool = field(
        REACHED, "True if versions before this one were skipped: read again what the client derived from them."
    )
    notices: list[Notice] = field(
        REACHED, "What happened in this version, worded for the member; empty in a first state and with `resync`."
    )


@strawberry.type
class Subscription:
    """Everything that clients can watch."""

    @subscription(EVERY_ROLE)
    async def content_changed(
        self, info: Info, key: ContentKey, channel: OnChannel = strawberry.UNSET
    ) -> AsyncGenerator[Content | None, None]:
        """A content of the caller's programme now, then each time it changes; null while there is none."""
        context = info.context
        async with aclosing(content_changes(context, context.programme(), key)) as contents:
            async for found in contents:
                programme, locale = context.programme(), await response_locale(context)
                on = channel or context.channel
                yield Content.of(found, programme, locale, on) if found is not None else None

    @subscription(only(Role.MEMBER))
    async def pass_used(self, info: Info) -> AsyncGenerator[datetime | None, None]:
        """When a till or a tablet has used a pass of the calling member: the app then reads a new one. For members.

        The first value is null: uses are watched from then on. Uses before it are not repeated, so read a new pass
        after each reconnection.
        """
        async with aclosing(pass_uses(info.context)) as uses:
            async for used_at in uses:
                yield used_at

    @subscription(LOOKUP)
    async def member_changed(
        self,
        info: Info,
        by: Annotated[
            MemberKey | None,
            strawberry.argument(
                description="The member to watch. Left out: the caller itself, which must be a member."
            ),
        ] = strawberry.UNSET,
        after: Annotated[
            int | None,
            strawberry.argument(
                description="Last version that the client has; 0 for all versions. Left out: the stream starts with "
                "the present state."
            ),
        ] = strawberry.UNSET,
    ) -> AsyncGenerator[MemberUpdate, None]:
        """The member now, then every committed change in order of version, none twice and none left out.

        With `after`, the versions since then come first. If they are more than 1000 (CARILLON_LIMIT_REPLAY) or that
        version does not exist, one update with `resync: true` carries the present state instead.
        """
        context = info.context
        member = await watched_member(context, by.to_key() if by else None)
        since = after if isinstance(after, int) else None
        async with aclosing(member_changes(context, member, after=since)) as updates:
            async for update in updates:
                programme, locale = context.programme(), locale_of(context, update.snapshot.member)
                yield MemberUpdate(
                    version=update.snapshot.version,
                    member=Member.of(update.snapshot),
                    entries=[LedgerEntry(view, programme, locale) for view in update.entries],
                    resync=update.resync,
                    notices=[Notice.of(notice, programme, locale) for notice in update.notices],
                )
