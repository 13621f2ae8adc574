"""The member: the root of what its channels show."""

from typing import Self

import strawberry

from models.mongo.snapshot import Snapshot
from resolvers import offer as offers
from resolvers import order as orders
from resolvers import reward as rewards
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.member import answered
from resolvers.personalisation import Outlook
from schema.types.ledger import LedgerEntry, LedgerEntryConnection, LedgerEntryEdge
from schema.types.offer import MemberOffer, MemberOfferConnection, MemberOfferEdge
from schema.types.order import Order, OrderConnection, OrderEdge
from schema.types.points import Points
from schema.types.profile import PERSONAL, Profile
from schema.types.reward import MemberReward, MemberRewardConnection, MemberRewardEdge
from schema.types.status import Status
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import Channel, OfferState
from schema.wire.ids import from_cursor, from_order_cursor, from_ranked_cursor, global_id
from schema.wire.info import Info
from schema.wire.node import Node
from schema.wire.page import page_size
from schema.wire.text import locale_of

SUPPLY_FIELDS = frozenset({"Member.offers", "Member.rewards"})
"""Fields that need what is left of offers and rewards: their operations start to read it before they are executed."""


@strawberry.type
class Member(Node):
    """A member. Every field tells the same version."""

    number: str = field(
        REACHED, description="The membership number, for people: short, typed at a till, with a check digit."
    )
    version: int = field(
        REACHED,
        description="Grows by exactly one with every committed change of this member; the same on every channel.",
    )
    snapshot: strawberry.Private[Snapshot]
    known_outlook: strawberry.Private[Outlook | None] = None

    @resolver(REACHED)  # type: ignore[misc]  # made when it is asked for; other nodes keep theirs
    def id(self) -> strawberry.ID:  # type: ignore[override]
        """Return the member's id."""
        return strawberry.ID(global_id("Member", self.snapshot.member.id))

    def outlook(self, context: Context) -> Outlook:
        """Return what offers and rewards are worked out from: once for both."""
        if self.known_outlook is None:
            self.known_outlook = Outlook(context, self.snapshot)
        return self.known_outlook

    @resolver(PERSONAL)
    def profile(self, info: Info) -> Profile:
        """Return who the member is, masked on a shared screen."""
        return Profile.of(self.snapshot.member, masked=info.context.require_actor().role is Role.KIOSK)

    @resolver(REACHED)
    def status(self, info: Info) -> Status:
        """Return the member's tier."""
        context = info.context
        locale = locale_of(context, self.snapshot.member)
        return Status.of(self.snapshot, context.programme(), locale)

    @resolver(REACHED)
    def points(self) -> Points:
        """Return the member's balances."""
        return Points.of(self.snapshot.member)

    @resolver(PERSONAL, description="The ledger, newest first.")
    async def activity(
        self, info: Info, first: int | None = 20, after: str | None = strawberry.UNSET
    ) -> LedgerEntryConnection:
        """Return a page of the ledger."""
        context = info.context
        size = page_size(context, first)
        place = from_cursor(after) if after else None
        page = await answered(context.services.reader.entries(self.snapshot, first=size, after=place))
        programme, locale = context.programme(), locale_of(context, self.snapshot.member)
        edges = [LedgerEntryEdge(node=LedgerEntry(view, programme, locale)) for view in page.entries]
        return LedgerEntryConnection(edges=edges, has_more=page.has_more, is_first=place is None)

    @resolver(
        REACHED,
        description="Best first for this member, on the channel of the request, now.",
    )
    async def offers(
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = strawberry.UNSET,
        states: list[OfferState] | None = strawberry.UNSET,
        channel: Channel | None = strawberry.UNSET,
    ) -> MemberOfferConnection:
        """Return a page of offers as they stand for the member."""
        context, place = info.context, from_ranked_cursor(after) if after else None
        on = channel or context.channel
        page, has_more = await offers.ranked(
            context,
            self.outlook(context),
            channel=on,
            states=frozenset(states) if states else None,
            first=page_size(context, first),
            after=place,
        )
        member, programme = self.snapshot.member, context.programme()
        locale = locale_of(context, member)
        edges = [
            MemberOfferEdge(node=MemberOffer.of(found, member, programme, locale, on), score=found.score)
            for found in page
        ]
        return MemberOfferConnection(edges=edges, has_more=has_more, is_first=place is None)

    @resolver(
        REACHED,
        description="Best first for this member: what can be had now, then what is nearly reached.",
    )
    async def rewards(  # noqa: PLR0917 - GraphQL's arguments come by name
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = strawberry.UNSET,
        category: str | None = strawberry.UNSET,
        eligible: bool | None = strawberry.UNSET,
        channel: Channel | None = strawberry.UNSET,
    ) -> MemberRewardConnection:
        """Return a page of rewards as they stand for the member."""
        context, place = info.context, from_ranked_cursor(after) if after else None
        on = channel or context.channel
        page, has_more = await rewards.ranked(
            context,
            self.outlook(context),
            channel=on,
            category=category or None,
            eligible=eligible if isinstance(eligible, bool) else None,
            first=page_size(context, first),
            after=place,
        )
        locale, programme, now = locale_of(context, self.snapshot.member), context.programme(), context.now()
        edges = [
            MemberRewardEdge(node=MemberReward.of(standing, programme, locale, on, now), score=found.score)
            for found, standing in page
        ]
        return MemberRewardConnection(edges=edges, has_more=has_more, is_first=place is None)

    @resolver(PERSONAL, description="The newest first, as they stand now.")
    async def orders(self, info: Info, first: int | None = 20, after: str | None = strawberry.UNSET) -> OrderConnection:
        """Return a page of the member's orders."""
        context, place = info.context, from_order_cursor(after) if after else None
        member = self.snapshot.member
        page, has_more = await orders.page(context, member.id, first=page_size(context, first), after=place)
        locale = locale_of(context, member)
        edges = [OrderEdge(node=Order.of(order, context, locale), key=order.id) for order in page]
        return OrderConnection(edges=edges, has_more=has_more, is_first=place is None)

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Return the member of a snapshot."""
        member = snapshot.member
        return cls(number=member.number, version=member.version, snapshot=snapshot)
