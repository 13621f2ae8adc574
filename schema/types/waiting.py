"""Events that wait for what they refer to."""

from datetime import datetime
from typing import Self

import strawberry

from resolvers.waiting import WaitingView
from schema.wire.access import REACHED, field, resolver
from schema.wire.ids import global_id, order_cursor
from schema.wire.page import Connection


@strawberry.type
class WaitingEvent:
    """An event that arrived before the purchase that it refers to. It counts as soon as that is recorded."""

    id: strawberry.ID = field(REACHED, "Opaque id.")
    type: str = field(REACHED, "Type of the event, such as `refund`.")
    sender: str = field(REACHED, "Who sent it.")
    key: str = field(REACHED, "Key that its sender gave it.")
    waits_for: str = field(REACHED, "Key of the purchase that it waits for.")
    since: datetime = field(REACHED, "When it arrived, in UTC.")
    until: datetime = field(REACHED, "When it is refused if the purchase has not arrived, in UTC.")
    view: strawberry.Private[WaitingView]

    @classmethod
    def of(cls, view: WaitingView) -> Self:
        """Return a waiting event."""
        return cls(
            id=strawberry.ID(global_id("WaitingEvent", view.id)),
            type=view.type,
            sender=view.sender,
            key=view.key,
            waits_for=view.waits_for,
            since=view.since,
            until=view.until,
            view=view,
        )


@strawberry.type
class WaitingEventEdge:
    """A waiting event and its position in the list."""

    node: WaitingEvent = field(REACHED, "The waiting event at this position.")

    @resolver(REACHED)
    def cursor(self) -> str:
        """Opaque position; pass it as `after` to read the events that follow."""
        return order_cursor(self.node.view.until, self.node.view.id)


@strawberry.type
class WaitingEventConnection(Connection[WaitingEventEdge]):
    """A page of the events that wait."""
