"""Reads that finish although their caller is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def finished(read: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Finish a read though nobody may wait for it any more: PyMongo closes the connection of a task that is cancelled.

    What goes through a loader is finished anyway: a batch is a task of its own.
    """

    @wraps(read)
    async def whole(*args: P.args, **named: P.kwargs) -> T:
        reading = asyncio.ensure_future(read(*args, **named))
        _reading.add(reading)
        reading.add_done_callback(done)
        return await asyncio.shield(reading)

    return whole


_reading: set[asyncio.Future[Any]] = set()


def done(reading: asyncio.Future[Any]) -> None:
    """Take note that a read has ended, so that its error is not reported as never retrieved."""
    _reading.discard(reading)
    # Whoever waited is told; where nobody does, that it failed is nobody's business.
    if not reading.cancelled():
        reading.exception()
