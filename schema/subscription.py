"""Subscriptions: the member, live."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry

from resolvers.catalogue import content_changes
from resolvers.core.member import subject_of_watch
from resolvers.member_stream import member_changes
from schema.query import LOOKUP
from schema.types.content import Content
from schema.types.ledger import LedgerEntry
from schema.types.member import Member
from schema.types.member_key import MemberKey
from schema.types.notice import Notice
from schema.wire.access import EVERY_ROLE, REACHED, field, subscription
from schema.wire.enums import Channel
from schema.wire.info import Info
from schema.wire.text import locale_asked, locale_of


@strawberry.type
class MemberUpdate:
    """One version of a member."""

    version: int = field(REACHED)
    member: Member = field(REACHED)
    entries: list[LedgerEntry] = field(
        REACHED, description="The entries of this version; none in a first or resync state."
    )
    resync: bool = field(REACHED, description="True where versions before this one could not be told one by one.")
    notices: list[Notice] = field(
        REACHED, description="What happened in this version, in the member's language; none in a first or resync state."
    )


@strawberry.type
class Subscription:
    """Everything that can be watched."""

    @subscription(
        EVERY_ROLE, description="A content as it is now, then each time it changes; null while there is none."
    )
    async def content_changed(
        self, info: Info, key: str, channel: Channel | None = strawberry.UNSET
    ) -> AsyncGenerator[Content | None, None]:
        """Tell a content whenever it changes."""
        context = info.context
        async with aclosing(content_changes(context, context.programme(), key)) as contents:
            async for found in contents:
                programme, locale = context.programme(), await locale_asked(context)
                on = channel or context.channel
                yield Content.of(found, programme, locale, on) if found is not None else None

    @subscription(
        LOOKUP,
        description="First the member as it is now, then every committed change, in order of version, none twice, none "
        "left out.\nWith `after`, what was missed since that version comes first; when that can no longer be told, one "
        "update with\n`resync: true` carries the present state.",
    )
    async def member_changed(
        self, info: Info, by: MemberKey | None = strawberry.UNSET, after: int | None = strawberry.UNSET
    ) -> AsyncGenerator[MemberUpdate, None]:
        """Tell every version of a member."""
        context = info.context
        member = await subject_of_watch(context, by.to_key() if by else None)
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
