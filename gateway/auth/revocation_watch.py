"""Ends live connections when their tablet is revoked or their session ends; a token is verified only at connect."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from resolvers.core.actor import Actor
from resolvers.core.context import Services
from resolvers.core.operation_error import Unavailable
from resolvers.tablets.session import invalid_actors

CHECK_SECONDS = 5.0

log = structlog.get_logger(__name__)


class TokenWatch:
    """Checks all connected tablets and sessions in MongoDB, in one batch every `check_seconds`."""

    def __init__(self, services: Services, *, check_seconds: float = CHECK_SECONDS) -> None:
        self._services, self._check_seconds = services, check_seconds
        self._watched: dict[object, tuple[Actor, Callable[[], None]]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, actor: Actor | None, end: Callable[[], None]) -> Iterator[None]:
        """Call `end` when the actor's token is no longer valid. Only tablets are checked."""
        if actor is None or actor.device is None:
            yield
            return
        connection = object()
        self._watched[connection] = actor, end
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="token-watch")
        try:
            yield
        finally:
            del self._watched[connection]
            if not self._watched and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._check_seconds)
            try:
                over = await invalid_actors(self._services, {actor for actor, _ in self._watched.values()})
            except Unavailable:
                log.warning("tokens_unchecked", connections=len(self._watched))
                continue
            for actor, end in [*self._watched.values()]:
                if actor in over:
                    end()
