"""Queries: each finds the object, the resolvers say whether the actor may see it."""

from typing import Annotated

import strawberry

from loyalty.model.programme import Programme as ProgrammeRules
from resolvers import order as orders
from resolvers import reward as rewards
from resolvers.core import member as members
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.fault import BadInput, Forbidden
from resolvers.core.member import MemberKey as Key
from resolvers.core.member import answered
from resolvers.tablets import device
from resolvers.tablets import session as kiosk_session
from schema.types.content import Content
from schema.types.device import Device, DeviceConnection, DeviceEdge, Pass
from schema.types.kiosk_session import KioskSession
from schema.types.ledger import LedgerEntry
from schema.types.member import Member
from schema.types.member_key import MemberKey
from schema.types.offer import Offer
from schema.types.order import Order
from schema.types.programme import Programme
from schema.types.reward import Reward, RewardConnection, RewardEdge
from schema.wire.access import EVERY_ROLE, PUBLIC, only, resolver
from schema.wire.enums import Channel
from schema.wire.ids import from_global_id, from_order_cursor, from_ranked_cursor
from schema.wire.info import Info
from schema.wire.node import Node
from schema.wire.page import page_size
from schema.wire.text import locale_asked

LOOKUP = only(*members.LOOKUP_ROLES)


@strawberry.type
class Query:
    """Everything that can be read."""

    @resolver(EVERY_ROLE)
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 - Relay's name
        """Return what an id stands for, as far as the actor may see it."""
        match from_global_id(id):
            case "Member", [member]:
                snapshot = await members.look_up(info.context, Key("id", member))
                return Member.of(snapshot) if snapshot is not None else None
            case "LedgerEntry", [member, version, index] if version.isdecimal() and index.isdecimal():
                return await _entry(info.context, member, int(version), int(index))
            case "Offer", [brand, key]:
                return await _offer(info.context, brand, key)
            case "Reward", [brand, key]:
                return await _reward(info.context, brand, key)
            case "Order", [order]:
                return await _order(info.context, order)
        raise BadInput("id_invalid")

    @resolver(EVERY_ROLE, description="The programme of the actor's brand: its name, tiers and units.")
    async def programme(self, info: Info) -> Programme:
        """Return the programme that runs."""
        context = info.context
        return Programme.of(context.programme(), await locale_asked(context))

    @resolver(EVERY_ROLE, description="The member the token stands for; null for an actor that is not a member.")
    async def me(self, info: Info) -> Member | None:
        """Return the actor itself."""
        snapshot = await members.me(info.context)
        return Member.of(snapshot) if snapshot is not None else None

    @resolver(LOOKUP, description="Any member, for an actor that may look members up; null when there is none.")
    async def member(self, info: Info, by: MemberKey) -> Member | None:
        """Return a member."""
        snapshot = await members.look_up(info.context, by.to_key())
        return Member.of(snapshot) if snapshot is not None else None

    @resolver(only(Role.MEMBER), name="pass", description="What a member shows at a tablet: fresh each time.")
    async def member_pass(self, info: Info) -> Pass:
        """Return a pass of the actor."""
        return Pass.of(kiosk_session.issue_pass(info.context))

    @resolver(only(Role.KIOSK), description="The session that the token stands for; null for a token that is none.")
    async def kiosk_session(self, info: Info) -> KioskSession | None:
        """Return the shopper's session."""
        opened = await kiosk_session.shown(info.context)
        return KioskSession.of(opened) if opened is not None else None

    @resolver(only(Role.MANAGER), description="The brand's tablets, the newest first.")
    async def devices(
        self, info: Info, first: int | None = 20, after: str | None = strawberry.UNSET
    ) -> DeviceConnection:
        """Return a page of tablets."""
        context, place = info.context, from_order_cursor(after) if after else None
        page, has_more = await device.page(context, first=page_size(context, first), after=place)
        edges = [DeviceEdge(node=Device.of(found)) for found in page]
        return DeviceConnection(edges=edges, has_more=has_more, is_first=place is None)

    @resolver(PUBLIC, description="The catalogue, the cheapest first; open to everybody.")
    async def rewards(  # noqa: PLR0917 - GraphQL's arguments come by name
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = strawberry.UNSET,
        category: str | None = strawberry.UNSET,
        points_max: int | None = strawberry.UNSET,
        programme: Annotated[
            str | None,
            strawberry.argument(description="Whose catalogue, for who has no token; needed where several brands run."),
        ] = strawberry.UNSET,
        channel: Channel | None = strawberry.UNSET,
    ) -> RewardConnection:
        """Return a page of the catalogue."""
        context, place = info.context, from_ranked_cursor(after) if after else None
        brand = rewards.public_programme(context, programme or None)
        page, has_more = rewards.listed(
            brand,
            category=category or None,
            points_max=points_max if isinstance(points_max, int) else None,
            first=page_size(context, first),
            after=place,
        )
        locale, on = await _public_locale(context, brand), channel or context.channel
        edges = [RewardEdge(node=Reward.of(found, brand, locale, on, context.now())) for found in page]
        return RewardConnection(edges=edges, has_more=has_more, is_first=place is None)

    @resolver(PUBLIC, description="A text for a place of an app, a website or a screen; null where there is none.")
    async def content(
        self,
        info: Info,
        key: str,
        programme: str | None = strawberry.UNSET,
        channel: Channel | None = strawberry.UNSET,
    ) -> Content | None:
        """Return a content."""
        context = info.context
        brand = rewards.public_programme(context, programme or None)
        found = brand.catalogue.contents.get(key)
        locale = await _public_locale(context, brand)
        return Content.of(found, brand, locale, channel or context.channel) if found is not None else None


async def _public_locale(context: Context, brand: ProgrammeRules) -> str:
    """Return the locale to answer in: the request's, else that of a member that asks, else the programme's."""
    return await locale_asked(context) if context.actor is not None else context.locale or brand.locale


async def _offer(context: Context, brand: str, key: str) -> Offer | None:
    programme = context.programme()
    found = programme.catalogue.offers.get(key) if brand == programme.key else None
    return Offer.of(found, programme, await locale_asked(context), context.channel) if found is not None else None


async def _reward(context: Context, brand: str, key: str) -> Reward | None:
    programme = context.programme()
    found = programme.catalogue.rewards.get(key) if brand == programme.key else None
    if found is None:
        return None
    return Reward.of(found, programme, await locale_asked(context), context.channel, context.now())


async def _order(context: Context, order: str) -> Order | None:
    actor = context.require_actor()
    if actor.role is Role.TILL:
        raise Forbidden("field_forbidden", role=actor.role, field="Order")
    found = await orders.find(context, order)
    return Order.of(found, context, await locale_asked(context, found.member)) if found is not None else None


async def _entry(context: Context, member: str, version: int, index: int) -> LedgerEntry | None:
    actor = context.require_actor()
    if actor.role is Role.TILL:
        raise Forbidden("field_forbidden", role=actor.role, field="LedgerEntry")
    permitted = await members.permitted(context, Key("id", member))
    if permitted is None:
        return None
    view = await answered(context.services.reader.entry(actor.programme, permitted, version, index))
    if view is None:
        return None
    locale = await locale_asked(context, permitted)
    return LedgerEntry(view, context.programme(), locale)
