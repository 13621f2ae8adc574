"""The member as channels see it: profile, status, points and ledger, all of one version."""

from datetime import date, datetime
from typing import Self

import strawberry

from loyalty.model import member as domain
from loyalty.model.ledger import Account
from loyalty.model.lot import Lots
from loyalty.model.programme import Programme as ProgrammeRules
from loyalty.rules import tier as tiers
from models.mongo.snapshot import EntryView, Snapshot
from resolvers import consent as consents
from resolvers import offer as offers
from resolvers import order as orders
from resolvers import reward as rewards
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.member import answered
from resolvers.core.personal_data import masked_email, masked_name, masked_phone
from resolvers.personalisation import Outlook, foresee_left
from schema.access import REACHED, field, only, resolver
from schema.consent import Consent
from schema.enums import Channel, EntryKind, OfferState
from schema.ids import (
    cursor,
    entry_id,
    from_cursor,
    from_order_cursor,
    from_ranked_cursor,
    global_id,
)
from schema.node import Node, PageInfo
from schema.offer import MemberOffer, MemberOfferConnection, MemberOfferEdge
from schema.order import Order, OrderConnection, OrderEdge
from schema.page import page_info, page_size
from schema.programme import Tier
from schema.reward import MemberReward, MemberRewardConnection, MemberRewardEdge
from schema.text import explained, labelled, locale_of

Info = strawberry.Info[Context, None]

PERSONAL = only(Role.MEMBER, Role.KIOSK, Role.AGENT, Role.MANAGER, Role.SERVICE)


@strawberry.type
class Profile:
    """Who a member is. On a shared screen (role kiosk) personal fields come masked."""

    first_name: str | None = field(PERSONAL)
    last_name: str | None = field(PERSONAL)
    email: str | None = field(PERSONAL)
    phone: str | None = field(PERSONAL)
    birth_date: date | None = field(PERSONAL)
    locale: str = field(PERSONAL)
    preferences: list[str] = field(PERSONAL, description="What the member says to like: `category:COFFEE`.")
    member: strawberry.Private[domain.Member]

    @resolver(PERSONAL, description="The share of the personal fields that are filled in, 0 to 1.")
    def completion(self) -> float:
        """Return how complete it is."""
        return self.member.profile.completion

    @resolver(PERSONAL, description="What the member agreed to or refused; what it was never asked is not there.")
    def consents(self) -> list[Consent]:
        """Return what holds now."""
        return [Consent.of(consent) for consent in self.member.profile.consents]

    @resolver(PERSONAL, description="Every change of the member's consents, the newest first.")
    async def consent_history(self, info: Info) -> list[Consent]:
        """Return what the ledger tells."""
        return [Consent.of(consent) for consent in await consents.history(info.context, self.member.id)]

    @classmethod
    def of(cls, member: domain.Member, *, masked: bool) -> Self:
        """Return a member's profile; `masked` for a screen that others can see."""
        profile = member.profile
        return cls(
            member=member,
            first_name=masked_name(profile.first_name) if masked else profile.first_name,
            last_name=masked_name(profile.last_name) if masked else profile.last_name,
            email=masked_email(profile.email) if masked else profile.email,
            phone=masked_phone(profile.phone) if masked else profile.phone,
            birth_date=None if masked else profile.birth_date,
            locale=profile.locale,
            preferences=list(profile.preferences),
        )


@strawberry.type
class TierProgress:
    """The way to the next tier."""

    tier: Tier = field(REACHED)
    qualifying: int = field(REACHED, description="Points earned in the qualification period so far.")
    required: int = field(REACHED)
    missing: int = field(REACHED)
    ratio: float = field(REACHED, description="How much of the way is done, 0 to 1.")
    before: datetime | None = field(REACHED, description="When the period ends; null where it rolls or never ends.")

    @classmethod
    def of(cls, way: tiers.Progress, locale: str) -> Self:
        """Return the way to a tier in one language."""
        return cls(
            tier=Tier.of(way.tier, locale),
            qualifying=way.qualifying,
            required=way.required,
            missing=way.missing,
            ratio=way.ratio,
            before=way.before,
        )


@strawberry.type
class Status:
    """A member's tier, and the way to the next one, which is worked out for who asks for it."""

    tier: Tier = field(REACHED)
    since: datetime = field(REACHED)
    until: datetime | None = field(REACHED, description="Kept at least so long; null where it has no end.")
    snapshot: strawberry.Private[Snapshot]
    locale: strawberry.Private[str]

    @resolver(REACHED, description="Null at the top.")
    def next(self, info: Info) -> TierProgress | None:
        """Return the way to the next tier, now."""
        context, member = info.context, self.snapshot.member
        at = self.snapshot.as_of or context.now()
        way = tiers.progress(context.programme(), member.standing, member.qualifying, now=at)
        return TierProgress.of(way, self.locale) if way is not None else None

    @classmethod
    def of(cls, snapshot: Snapshot, programme: ProgrammeRules, locale: str) -> Self:
        """Return the status of a snapshot."""
        standing = snapshot.member.standing
        return cls(
            tier=Tier.of(programme.tier(standing.tier), locale),
            since=standing.since,
            until=standing.until,
            snapshot=snapshot,
            locale=locale,
        )


@strawberry.type
class ExpiringPoints:
    """Points with the last day on which they can be spent."""

    points: int = field(REACHED)
    on: date = field(REACHED)


@strawberry.type
class Points:
    """A member's balances."""

    available: int = field(REACHED)
    pending: int = field(REACHED)
    held: int = field(REACHED)
    lifetime: int = field(REACHED, description="All points ever given, less those that refunds took back.")
    member: strawberry.Private[domain.Member]

    @resolver(REACHED, description="The next to expire first.")
    def expiring(self) -> list[ExpiringPoints]:
        """Return the points of each day on which some expire."""
        by_day = Lots.of(self.member.lots).by_last_day()
        return [ExpiringPoints(points=points, on=day) for day, points in by_day if day is not None]

    @classmethod
    def of(cls, member: domain.Member) -> Self:
        """Return the balances of a member."""
        return cls(
            available=member.available,
            pending=member.balance(Account.PENDING),
            held=member.balance(Account.HELD),
            lifetime=member.lifetime,
            member=member,
        )


@strawberry.type
class Explanation:
    """What one rule gave for one event, and why."""

    rule: str = field(REACHED, description="The rule's key in the programme file.")
    points: int = field(REACHED)
    applied: bool = field(REACHED)
    reason: str = field(REACHED)


def explanations(entries: tuple[EntryView, ...], programme: ProgrammeRules, locale: str) -> list[Explanation]:
    """Return every explanation of some entries, in words."""
    return [
        Explanation(
            rule=explanation.rule,
            points=explanation.points,
            applied=explanation.applied,
            reason=explained(explanation, programme, locale),
        )
        for entry in entries
        for explanation in entry.why
    ]


@strawberry.type
class LedgerEntry(Node):
    """One movement of points. Nothing is made of an entry but what is asked for."""

    kind: EntryKind = field(REACHED)
    points: int = field(REACHED, description="Signed change of the available balance.")
    balance: int = field(REACHED, description="Available balance after this entry.")
    version: int = field(REACHED, description="The member's version that this entry belongs to.")
    occurred_at: datetime = field(REACHED)
    recorded_at: datetime = field(REACHED)
    channel: Channel = field(REACHED)
    view: strawberry.Private[EntryView]
    programme: strawberry.Private[ProgrammeRules]
    locale: strawberry.Private[str]

    def __init__(self, view: EntryView, programme: ProgrammeRules, locale: str) -> None:
        """Make an entry in one language; a page makes dozens, and ten arguments by name take three times as long."""
        self.view, self.programme, self.locale = view, programme, locale
        # Told as they are stored where they are stored as they are told: names, and moments in RFC 3339.
        (
            self.kind,
            self.points,
            self.balance,
            self.version,
            self.occurred_at,
            self.recorded_at,
            self.channel,
        ) = view.told()

    @resolver(REACHED)  # type: ignore[misc]  # made when it is asked for; other nodes keep theirs
    def id(self) -> strawberry.ID:  # type: ignore[override]
        """Return the entry's place in the ledger as an id."""
        view = self.view
        return strawberry.ID(entry_id(view.member, self.version, view.index))

    @resolver(REACHED, description="One line for the shopper, in the locale of the request.")
    def label(self) -> str:
        """Return what it was, in words."""
        return labelled(self.view, self.programme, self.locale)

    @resolver(REACHED, description="Which rules gave how much, and why others gave nothing.")
    def why(self) -> list[Explanation]:
        """Return the explanations of this entry."""
        return explanations((self.view,), self.programme, self.locale)


@strawberry.type
class LedgerEntryEdge:
    """An entry and its place in the list."""

    node: LedgerEntry = field(REACHED)

    @resolver(REACHED)
    def cursor(self) -> str:
        """Return the place."""
        return cursor(self.node.version, self.node.view.index)


@strawberry.type
class LedgerEntryConnection:
    """A page of the ledger."""

    edges: list[LedgerEntryEdge] = field(REACHED)
    has_more: strawberry.Private[bool]
    is_first: strawberry.Private[bool]

    @resolver(REACHED)
    def page_info(self) -> PageInfo:
        """Return where the page stands in its list."""
        return page_info(self.edges, has_more=self.has_more, is_first=self.is_first)


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
        foresees=foresee_left,
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
        foresees=foresee_left,
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
