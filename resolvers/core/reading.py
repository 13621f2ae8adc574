"""Reads of MongoDB that report its faults as an operation's error."""

from collections.abc import Awaitable
from typing import TypeVar

from pymongo.errors import PyMongoError

from resolvers.core.operation_error import Unavailable

T = TypeVar("T")


async def read_or_unavailable(read: Awaitable[T]) -> T:
    """Return the result of a read. Raises Unavailable for a database error."""
    try:
        return await read
    except PyMongoError as error:
        raise Unavailable("database_unavailable") from error
