"""Queries: each finds the object, the resolvers say whether the actor may see it."""

import strawberry

from resolvers import member as members
from resolvers.actor import Role
from resolvers.context import Context
from resolvers.fault import BadInput, Forbidden
from resolvers.member import MemberKey as Key
from resolvers.member import answered
from schema.access import EVERY_ROLE, only, resolver
from schema.ids import from_global_id
from schema.inputs import MemberKey
from schema.member import Info, LedgerEntry, Member
from schema.node import Node
from schema.programme import Programme
from schema.text import locale_of

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
        raise BadInput("id_invalid")

    @resolver(EVERY_ROLE, description="The programme of the actor's brand: its name, tiers and units.")
    def programme(self, info: Info) -> Programme:
        """Return the programme that runs."""
        context = info.context
        return Programme.of(context.programme(), locale_of(context))

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


async def _entry(context: Context, member: str, version: int, index: int) -> LedgerEntry | None:
    actor = context.require_actor()
    if actor.role is Role.TILL:
        raise Forbidden("field_forbidden", role=actor.role, field="LedgerEntry")
    permitted = await members.permitted(context, Key("id", member))
    if permitted is None:
        return None
    view = await answered(context.services.reader.entry(actor.programme, permitted, version, index))
    return LedgerEntry.of(view, context.programme(), locale_of(context)) if view is not None else None
