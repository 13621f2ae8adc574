"""The member: the root of all member data that channels show."""

from typing import Annotated, Self

import strawberry
from strawberry.scalars import JSON

from models.mongo.snapshot import Snapshot
from resolvers import claim as claims
from resolvers import offer as offers
from resolvers import order as orders
from resolvers import reward as rewards
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.personal_data import masked_card
from resolvers.core.reading import read_or_unavailable
from resolvers.personalisation import Personalisation
from schema.types.claim import PurchaseClaim
from schema.types.ledger import LedgerEntry, LedgerEntryConnection, LedgerEntryEdge
from schema.types.offer import MemberOffer, MemberOfferConnection, MemberOfferEdge
from schema.types.order import Order, OrderConnection, OrderEdge
from schema.types.points import Points
from schema.types.profile import PERSONAL, Profile
from schema.types.reward import InCategory, MemberReward, MemberRewardConnection, MemberRewardEdge
from schema.types.status import Status
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import OfferState
from schema.wire.ids import from_cursor, from_order_cursor, from_ranked_cursor, global_id
from schema.wire.info import Info
from schema.wire.node import Node
from schema.wire.on_channel import OnChannel
from schema.wire.page import After, First, page_size
from schema.wire.text import locale_of

SUPPLY_FIELDS = frozenset({"Member.offers", "Member.rewards"})
"""Fields that need what is left of offers and rewards: their operations start to read it before they are executed."""


@strawberry.type
class Member(Node):
    """A member of the programme. All fields of one response are of the same `version`."""

    number: str = field(
        REACHED, "Membership number for people: short, can be typed at a till, ends with a check digit."
    )
    version: int = field(
        REACHED, "Grows by exactly one with every committed change of this member; the same on every channel."
    )
    snapshot: strawberry.Private[Snapshot]
    known_personalisation: strawberry.Private[Personalisation | None] = None

    @resolver(REACHED)  # type: ignore[misc]  # computed on request; other nodes store theirs
    def id(self) -> strawberry.ID:  # type: ignore[override]
        """Global id of the member, the same for ever."""
        return strawberry.ID(global_id("Member", self.snapshot.member.id))

    def personalisation(self, context: Context) -> Personalisation:
        """Return the data that ranks offers and rewards, computed once for both."""
        if self.known_personalisation is None:
            self.known_personalisation = Personalisation(context, self.snapshot)
        return self.known_personalisation

    @resolver(PERSONAL)
    def profile(self, info: Info) -> Profile:
        """Personal data. Not for the till role; values are masked for the kiosk role."""
        return Profile.of(self.snapshot.member, masked=info.context.require_actor().role is Role.KIOSK)

    @resolver(PERSONAL)
    def cards(self, info: Info) -> list[str]:
        """Texts of the linked cards, as they were written. For the kiosk role the last four characters only."""
        is_shared = info.context.require_actor().role is Role.KIOSK
        cards = self.snapshot.member.cards
        return [masked_card(card) for card in cards] if is_shared else list(cards)

    @resolver(PERSONAL)
    def attributes(self, info: Info) -> JSON:
        """Attributes of the member, as the programme declares them. Empty for the kiosk role."""
        is_shared = info.context.require_actor().role is Role.KIOSK
        return {} if is_shared else dict(self.snapshot.member.profile.attributes)  # type: ignore[return-value]

    @resolver(REACHED)
    def status(self, info: Info) -> Status:
        """The member's tier and the progress to the next one."""
        context = info.context
        locale = locale_of(context, self.snapshot.member)
        return Status.of(self.snapshot, context.programme(), locale)

    @resolver(REACHED)
    def points(self) -> Points:
        """The member's points balances."""
        return Points.of(self.snapshot.member)

    @resolver(PERSONAL)
    async def activity(self, info: Info, first: First = 20, after: After = strawberry.UNSET) -> LedgerEntryConnection:
        """The member's ledger, newest first. Not for the till role."""
        context = info.context
        size = page_size(context, first)
        place = from_cursor(after) if after else None
        page = await read_or_unavailable(context.services.reader.entries(self.snapshot, first=size, after=place))
        programme, locale = context.programme(), locale_of(context, self.snapshot.member)
        edges = [LedgerEntryEdge(node=LedgerEntry(view, programme, locale)) for view in page.entries]
        return LedgerEntryConnection(edges=edges, has_more=page.has_more, is_first=place is None)

    @resolver(PERSONAL)
    async def claims(self, info: Info) -> list[PurchaseClaim]:
        """Purchases that were typed at a tablet and wait to be confirmed, at most 20. Not for the till role."""
        return [PurchaseClaim.of(one) for one in await claims.open_claims(info.context, self.snapshot.member.id)]

    @resolver(REACHED)
    async def offers(
        self,
        info: Info,
        first: First = 20,
        after: After = strawberry.UNSET,
        states: Annotated[
            list[OfferState] | None,
            strawberry.argument(description="Only offers in one of these states; all states if left out or empty."),
        ] = strawberry.UNSET,
        channel: OnChannel = strawberry.UNSET,
    ) -> MemberOfferConnection:
        """The offers for this member now, best first; used and expired ones come last."""
        context, place = info.context, from_ranked_cursor(after) if after else None
        on = channel or context.channel
        page, has_more = await offers.ranked_page(
            context,
            self.personalisation(context),
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

    @resolver(REACHED)
    async def rewards(  # noqa: PLR0917 - GraphQL passes arguments by name
        self,
        info: Info,
        first: First = 20,
        after: After = strawberry.UNSET,
        category: InCategory = strawberry.UNSET,
        eligible: Annotated[
            bool | None,
            strawberry.argument(
                description="True: only rewards that the member can order now. False: only the others. Left out: both."
            ),
        ] = strawberry.UNSET,
        channel: OnChannel = strawberry.UNSET,
    ) -> MemberRewardConnection:
        """The rewards for this member now, best first: what it can order, then what it has nearly enough points for."""
        context, place = info.context, from_ranked_cursor(after) if after else None
        on = channel or context.channel
        page, has_more = await rewards.ranked_page(
            context,
            self.personalisation(context),
            channel=on,
            category=category or None,
            eligible=eligible if isinstance(eligible, bool) else None,
            first=page_size(context, first),
            after=place,
        )
        locale, programme, now = locale_of(context, self.snapshot.member), context.programme(), context.now()
        edges = [
            MemberRewardEdge(node=MemberReward.of(availability, programme, locale, on, now), score=found.score)
            for found, availability in page
        ]
        return MemberRewardConnection(edges=edges, has_more=has_more, is_first=place is None)

    @resolver(PERSONAL)
    async def orders(self, info: Info, first: First = 20, after: After = strawberry.UNSET) -> OrderConnection:
        """The member's orders in their present state, newest first. Not for the till role."""
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
