"""Pages of connections: how many items, and from where."""

from collections.abc import Sequence
from typing import Protocol

from resolvers.core.context import Context
from resolvers.core.fault import BadInput, LimitExceeded
from schema.wire.node import PageInfo

FIRST_DEFAULT = 20


class Edge(Protocol):
    """An item and its place in the list."""

    def cursor(self) -> str:
        """Return the place."""


def page_size(context: Context, first: int | None) -> int:
    """Return how many items are asked for.

    Raises:
        BadInput: fewer than none.
        LimitExceeded: more than a page may have.
    """
    most = context.services.bounds.page_max
    first = FIRST_DEFAULT if first is None else first
    if first < 0:
        raise BadInput("first_negative")
    if first > most:
        raise LimitExceeded("page", most=most, setting="CARILLON_LIMIT_PAGE")
    return first


def page_info(edges: Sequence[Edge], *, has_more: bool, is_first: bool) -> PageInfo:
    """Return where a page stands in its list."""
    return PageInfo(
        has_next_page=has_more,
        has_previous_page=not is_first,
        start_cursor=edges[0].cursor() if edges else None,
        end_cursor=edges[-1].cursor() if edges else None,
    )
