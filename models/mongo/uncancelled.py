"""Lets a read finish when its caller is cancelled, so that its connection stays usable."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def uncancelled(read: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return `read` shielded from cancellation: PyMongo closes the connection of a cancelled task.

    Reads through a loader do not need it: a batch is a task of its own.
    """

    @wraps(read)
    async def shielded(*args: P.args, **named: P.kwargs) -> T:
        reading = asyncio.ensure_future(read(*args, **named))
        _reading.add(reading)
        reading.add_done_callback(discard)
        return await asyncio.shield(reading)

    return shielded


_reading: set[asyncio.Future[Any]] = set()


def discard(reading: asyncio.Future[Any]) -> None:
    """Forget a finished read, and retrieve its error so that asyncio does not log it as never retrieved."""
    _reading.discard(reading)
    # A caller that still waits gets the error itself.
    if not reading.cancelled():
        reading.exception()
