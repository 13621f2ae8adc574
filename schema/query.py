"""Queries: each reads an object; the resolvers decide whether the actor may see it."""

from typing import Annotated

import strawberry

from loyalty.model.programme import Programme as ProgrammeRules
from resolvers import order as orders
from resolvers import reward as rewards
from resolvers import voucher as vouchers
from resolvers import waiting
from resolvers.core import member as members
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.member import MemberKey as Key
from resolvers.core.operation_error import BadInput, Forbidden
from resolvers.core.reading import read_or_unavailable
from resolvers.tablets import device
from resolvers.tablets import session as kiosk_session
from schema.types.content import Content, ContentKey
from schema.types.device import Device, DeviceConnection, DeviceEdge, Pass
from schema.types.kiosk_session import KioskSession
from schema.types.ledger import LedgerEntry
from schema.types.member import Member
from schema.types.member_key import MemberKey
from schema.types.offer import Offer
from schema.types.order import Order, OrderKey
from schema.types.programme import Programme
from schema.types.reward import InCategory, Reward, RewardConnection, RewardEdge
from schema.types.waiting import WaitingEvent, WaitingEventConnection, WaitingEventEdge
from schema.wire.access import EVERY_ROLE, PUBLIC, only, resolver
from schema.wire.ids import from_global_id, from_order_cursor, from_ranked_cursor, is_place
from schema.wire.info import Info
from schema.wire.node import Node
from schema.wire.on_channel import OnChannel
from schema.wire.page import After, First, page_size
from schema.wire.text import response_locale

LOOKUP = only(*members.LOOKUP_ROLES)
ProgrammeKey = Annotated[
    str | None,
    strawberry.argument(
        description="Key of the programme to read without a token; required then if several programmes run. Ignored "
        "with a token, which names the programme."
    ),
]


@strawberry.type
class Query:
    """Everything that clients can read."""

    @resolver(EVERY_ROLE)
    async def node(
        self,
        info: Info,
        id: Annotated[  # noqa: A002 - Relay's name
            strawberry.ID,
            strawberry.argument(description="Global id of a Member, LedgerEntry, Offer, Reward or Order."),
        ],
    ) -> Node | None:
        """An object by its global id; null if there is none, or if it is another member's order."""
        match from_global_id(id):
            case "Member", [member]:
                snapshot = await members.look_up(info.context, Key("id", member))
                return Member.of(snapshot) if snapshot is not None else None
            case "LedgerEntry", [member, version, index] if is_place(version) and is_place(index):
                return await _entry(info.context, member, int(version), int(index))
            case "Offer", [brand, key]:
                return await _offer(info.context, brand, key)
            case "Reward", [brand, key]:
                return await _reward(info.context, brand, key)
            case "Order", [order]:
                return await _order(info.context, order)
        raise BadInput("id_invalid")

    @resolver(EVERY_ROLE)
    async def programme(self, info: Info) -> Programme:
        """The programme of the caller's brand, with its name, tiers, currency and colours."""
        context = info.context
        return Programme.of(context.programme(), await response_locale(context))

    @resolver(EVERY_ROLE)
    async def me(self, info: Info) -> Member | None:
        """The member of the token: a member, or the shopper at a tablet. Null for other callers."""
        snapshot = await members.own_member(info.context)
        return Member.of(snapshot) if snapshot is not None else None

    @resolver(LOOKUP)
    async def member(
        self, info: Info, by: Annotated[MemberKey, strawberry.argument(description="The key to find the member by.")]
    ) -> Member | None:
        """A member by one of its keys; null if there is none. A member, or a tablet's session, reads only itself."""
        snapshot = await members.look_up(info.context, by.to_key())
        return Member.of(snapshot) if snapshot is not None else None

    @resolver(only(Role.MEMBER, Role.TILL, Role.AGENT, Role.MANAGER))
    async def order(
        self,
        info: Info,
        by: Annotated[
            OrderKey, strawberry.argument(description="The number or code that the shopper shows, or its id.")
        ],
    ) -> Order | None:
        """An order; null if there is none. For a till, an agent and a manager; a member reads its own orders."""
        context = info.context
        kind, value = by.to_key()
        found = await _ORDER_BY[kind](context, value)
        if found is None:
            return None
        return Order.of(found, context, await response_locale(context, found.member), is_presented=kind == "code")

    @resolver(only(Role.MEMBER), name="pass")
    async def member_pass(self, info: Info) -> Pass:
        """A new pass, which the member shows at a tablet to open a session, or at a till. For members."""
        return Pass.of(kiosk_session.issue_pass(info.context))

    @resolver(only(Role.KIOSK))
    async def kiosk_session(self, info: Info) -> KioskSession | None:
        """The session of the token; null if the token is not a session's. For tablets."""
        opened = await kiosk_session.current_view(info.context)
        return KioskSession.of(opened) if opened is not None else None

    @resolver(only(Role.MANAGER))
    async def devices(self, info: Info, first: First = 20, after: After = strawberry.UNSET) -> DeviceConnection:
        """The brand's tablets, newest first. For managers."""
        context, place = info.context, from_order_cursor(after) if after else None
        page, has_more = await device.page(context, first=page_size(context, first), after=place)
        edges = [DeviceEdge(node=Device.of(found)) for found in page]
        return DeviceConnection(edges=edges, has_more=has_more, is_first=place is None)

    @resolver(only(Role.AGENT, Role.MANAGER, Role.SERVICE))
    async def waiting_events(
        self, info: Info, first: First = 20, after: After = strawberry.UNSET
    ) -> WaitingEventConnection:
        """The events that wait for the purchase that they refer to, the first to be refused first. For staff."""
        context, place = info.context, from_order_cursor(after) if after else None
        page, has_more = await waiting.page(context, first=page_size(context, first), after=place)
        edges = [WaitingEventEdge(node=WaitingEvent.of(found)) for found in page]
        return WaitingEventConnection(edges=edges, has_more=has_more, is_first=place is None)

    @resolver(PUBLIC)
    async def rewards(  # noqa: PLR0917 - GraphQL passes arguments by name
        self,
        info: Info,
        first: First = 20,
        after: After = strawberry.UNSET,
        category: InCategory = strawberry.UNSET,
        points_max: Annotated[
            int | None,
            strawberry.argument(description="Only rewards that cost at most this many points; all if left out."),
        ] = strawberry.UNSET,
        programme: ProgrammeKey = strawberry.UNSET,
        channel: OnChannel = strawberry.UNSET,
    ) -> RewardConnection:
        """The catalogue of rewards, cheapest first. Open to all callers, with or without a token."""
        context, place = info.context, from_ranked_cursor(after) if after else None
        brand = rewards.public_programme(context, programme or None)
        page, has_more = rewards.catalogue_page(
            brand,
            category=category or None,
            points_max=points_max if isinstance(points_max, int) else None,
            first=page_size(context, first),
            after=place,
        )
        locale, on = await _public_locale(context, brand), channel or context.channel
        edges = [RewardEdge(node=Reward.of(found, brand, locale, on, context.now())) for found in page]
        return RewardConnection(edges=edges, has_more=has_more, is_first=place is None)

    @resolver(PUBLIC)
    async def content(
        self,
        info: Info,
        key: ContentKey,
        programme: ProgrammeKey = strawberry.UNSET,
        channel: OnChannel = strawberry.UNSET,
    ) -> Content | None:
        """A text for a place of an app, a website or a screen; null if there is none. Open to all callers."""
        context = info.context
        brand = rewards.public_programme(context, programme or None)
        found = brand.catalogue.contents.get(key)
        locale = await _public_locale(context, brand)
        return Content.of(found, brand, locale, channel or context.channel) if found is not None else None


_ORDER_BY = {"id": orders.find, "number": vouchers.find_by_number, "code": vouchers.find_by_code}


async def _public_locale(context: Context, brand: ProgrammeRules) -> str:
    """Return the locale of the response: the request's, else that of the calling member, else the programme's."""
    return await response_locale(context) if context.actor is not None else context.locale or brand.locale


async def _offer(context: Context, brand: str, key: str) -> Offer | None:
    programme = context.programme()
    found = programme.catalogue.offers.get(key) if brand == programme.key else None
    return Offer.of(found, programme, await response_locale(context), context.channel) if found is not None else None


async def _reward(context: Context, brand: str, key: str) -> Reward | None:
    programme = context.programme()
    found = programme.catalogue.rewards.get(key) if brand == programme.key else None
    if found is None:
        return None
    return Reward.of(found, programme, await response_locale(context), context.channel, context.now())


async def _order(context: Context, order: str) -> Order | None:
    actor = context.require_actor()
    if actor.role is Role.TILL:
        raise Forbidden("field_forbidden", role=actor.role, field="Order")
    found = await orders.find(context, order)
    return Order.of(found, context, await response_locale(context, found.member)) if found is not None else None


async def _entry(context: Context, member: str, version: int, index: int) -> LedgerEntry | None:
    actor = context.require_actor()
    if actor.role is Role.TILL:
        raise Forbidden("field_forbidden", role=actor.role, field="LedgerEntry")
    permitted = await members.find_permitted(context, Key("id", member))
    if permitted is None:
        return None
    view = await read_or_unavailable(context.services.reader.entry(actor.programme, permitted, version, index))
    if view is None:
        return None
    locale = await response_locale(context, permitted)
    return LedgerEntry(view, context.programme(), locale)
