"""Mutations: verb first, one input with the caller's key, a payload."""

from typing import Annotated

import strawberry

from resolvers import adjustment, enrol, event
from resolvers.actor import Role
from schema.access import STAFF, mutation, only
from schema.inputs import AdjustPointsInput, EnrolInput, RecordEventInput
from schema.member import Info
from schema.payloads import AdjustPointsPayload, EnrolPayload, RecordEventPayload

ENROLLERS = only(Role.KIOSK, Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE)
RECORDERS = ENROLLERS


@strawberry.type
class Mutation:
    """Everything that can be changed."""

    @mutation(ENROLLERS)
    async def enrol(self, info: Info, input: EnrolInput) -> EnrolPayload:  # noqa: A002 - Relay's name
        """Make somebody a member."""
        return EnrolPayload.of(await enrol.enrol(info.context, input.to_newcomer()), info.context)

    @mutation(
        RECORDERS,
        description="One engaging event from a till, a site, an app or a partner. The same key counts once, for ever.",
    )
    async def record_event(self, info: Info, input: RecordEventInput) -> RecordEventPayload:  # noqa: A002
        """Count an event."""
        return RecordEventPayload.of(await event.record(info.context, input.to_told()), info.context)

    @mutation(
        RECORDERS,
        description="Up to 500 events; each is counted or refused on its own, in the order given for each member.",
    )
    async def record_events(
        self,
        info: Info,
        input: Annotated[list[RecordEventInput], strawberry.argument()],  # noqa: A002 - Relay's name
    ) -> list[RecordEventPayload]:
        """Count a batch of events."""
        context = info.context
        outcomes = await event.record_many(context, [told.to_told() for told in input])
        return [RecordEventPayload.of(outcome, context, str(n)) for n, outcome in enumerate(outcomes)]

    @mutation(RECORDERS, description="What the event would give, with nothing written.")
    async def preview_event(self, info: Info, input: RecordEventInput) -> RecordEventPayload:  # noqa: A002
        """Show what an event would give."""
        return RecordEventPayload.of(await event.preview(info.context, input.to_told()), info.context)

    @mutation(STAFF)
    async def adjust_points(self, info: Info, input: AdjustPointsInput) -> AdjustPointsPayload:  # noqa: A002
        """Give points, or take some away, for a reason."""
        outcome = await adjustment.adjust(
            info.context, key=input.key, member=input.member.to_key(), points=input.points, reason=input.reason
        )
        return AdjustPointsPayload.of(outcome, info.context)
