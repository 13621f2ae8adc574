"""Relay: nodes, which `Query.node` reads by id, and pages of connections."""

import strawberry

from schema.wire.access import REACHED, field


@strawberry.interface
class Node:
    """An object that `node(id:)` reads by its id."""

    id: strawberry.ID = field(REACHED, "Global id: opaque, unique over all types, and the same for ever.")


@strawberry.type
class PageInfo:
    """Where a page is in its list."""

    has_next_page: bool = field(REACHED, "True if items follow this page.")
    has_previous_page: bool = field(REACHED, "True if the page was requested with `after`.")
    start_cursor: str | None = field(REACHED, "Cursor of the first item; null if the page is empty.")
    end_cursor: str | None = field(
        REACHED, "Cursor of the last item: pass it as `after` to read the next page. Null if the page is empty."
    )
