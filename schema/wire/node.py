"""Relay: nodes that can be fetched again by id, and pages of connections."""

import strawberry

from schema.wire.access import REACHED, field


@strawberry.interface
class Node:
    """Anything that can be fetched again by its id."""

    id: strawberry.ID = field(REACHED)


@strawberry.type
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool = field(REACHED)
    has_previous_page: bool = field(REACHED)
    start_cursor: str | None = field(REACHED)
    end_cursor: str | None = field(REACHED)
