"""Pages of connections: their type, their arguments, their size."""

from collections.abc import Sequence
from typing import Annotated, Generic, Protocol, TypeVar

import strawberry

from resolvers.core.context import Context
from resolvers.core.operation_error import BadInput, LimitExceeded
from schema.wire.access import REACHED, field, resolver
from schema.wire.node import PageInfo

FIRST_DEFAULT = 20
First = Annotated[
    int | None,
    strawberry.argument(
        description="Page size: 0 or more, 20 by default and if null. At most 100, unless the gateway's setting "
        "CARILLON_LIMIT_PAGE says otherwise; more fails with `LIMIT_EXCEEDED`."
    ),
]
After = Annotated[
    str | None,
    strawberry.argument(
        description="Cursor from this list (`endCursor`, or an edge's `cursor`): the page starts after that item. Left "
        "out, null or empty: the page starts at the beginning."
    ),
]


class Edge(Protocol):
    """An item and its position in the list."""

    def cursor(self) -> str:
        """Return the position."""


E = TypeVar("E", bound=Edge)


@strawberry.type
class Connection(Generic[E]):
    """A page of a list. A subclass for each type of edge names the served type."""

    edges: list[E] = field(REACHED, "The items of this page, in the order of the list, each with its cursor.")
    has_more: strawberry.Private[bool]
    is_first: strawberry.Private[bool]

    @resolver(REACHED)
    def page_info(self) -> PageInfo:
        """Where this page is in the list, and the cursor to read on from."""
        return page_info(self.edges, has_more=self.has_more, is_first=self.is_first)


def page_size(context: Context, first: int | None) -> int:
    """Return the requested number of items; FIRST_DEFAULT for None.

    Raises:
        BadInput: the number is negative.
        LimitExceeded: the number exceeds the limit of a page.
    """
    most = context.services.bounds.page_max
    first = FIRST_DEFAULT if first is None else first
    if first < 0:
        raise BadInput("first_negative")
    if first > most:
        raise LimitExceeded("page", value=most, setting="CARILLON_LIMIT_PAGE")
    return first


def page_info(edges: Sequence[Edge], *, has_more: bool, is_first: bool) -> PageInfo:
    """Return where a page is in its list."""
    return PageInfo(
        has_next_page=has_more,
        has_previous_page=not is_first,
        start_cursor=edges[0].cursor() if edges else None,
        end_cursor=edges[-1].cursor() if edges else None,
    )
