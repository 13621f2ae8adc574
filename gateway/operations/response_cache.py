"""The response cache: whole answers in memory, sent again once a read has proved that their dependencies are unchanged.

The key of an answer is the request, byte for byte, and everything about the actor that an answer can depend on. Before
it is sent, its dependencies are validated, in one query with those of all requests in flight: it is as fresh as an
answer that is computed, at an eighth of the cost. Answers are uncacheable unless all their dependencies were recorded
(`models/reads/dependencies.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cachetools import LRUCache

from gateway.operations.answer_expiry import valid_until
from models.programmes.programme_store import Programmes
from models.reads.dependencies import Dependencies, Recording
from models.reads.reader import Reader
from resolvers.core.context import Context
from resolvers.core.operation_error import Unavailable
from resolvers.core.reading import read_or_unavailable

Key = tuple[bytes, str, tuple[Any, ...] | None, str | None, str | None]
"""The request's text, its method, its actor, its language and its channel."""

OVERHEAD_BYTES = 1500
"""Memory of an answer besides its own bytes, those of its request and its dependencies, roughly."""

DEPENDENCY_BYTES = 120
"""Memory of each id that an answer depends on, roughly."""


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """An answer in bytes, and the name of its operation.

    `turn` is the state of the programmes and catalogues that it was computed from; `until` is the moment at which time
    alone may change it.
    """

    body: bytes
    name: str | None
    dependencies: Dependencies
    turn: int
    until: datetime | None
    size: int


class ResponseCache:
    """The cached answers of one process, at most `bytes_max` bytes; the least recently used are evicted first."""

    def __init__(
        self,
        reader: Reader,
        programmes: Programmes,
        clock: Callable[[], datetime],
        *,
        bytes_max: int,
    ) -> None:
        self._reader, self._programmes, self._clock = reader, programmes, clock
        self._bytes_max = bytes_max
        self._responses = LRUCache[Key, CachedResponse](bytes_max, getsizeof=lambda response: response.size)

    @property
    def turn(self) -> int:
        """The state of programmes and catalogues now."""
        return self._programmes.change_count

    async def get(self, key: Key) -> CachedResponse | None:
        """Return the cached answer to a request, if it is still valid."""
        response = self._responses.get(key)
        if response is None:
            return None
        expired = response.until is not None and self._clock() >= response.until
        if expired or response.turn != self.turn or not await self._is_valid(response):
            if self._responses.get(key) is response:
                del self._responses[key]
            return None
        if response.turn != self.turn:  # a programme or catalogue changed during the validation
            return None
        return response

    async def _is_valid(self, response: CachedResponse) -> bool:
        if response.dependencies.is_empty:
            return True
        try:
            return await read_or_unavailable(self._reader.validate(response.dependencies))
        except (Unavailable, TimeoutError):
            return False  # the answer is computed then, which reports the fault

    def put(
        self, key: Key, body: bytes, name: str | None, *, turn: int, recording: Recording, context: Context
    ) -> None:
        """Cache an answer if it is cacheable; `turn` is the state of the programmes when its execution began."""
        if not recording.cacheable or turn != self.turn:
            return
        now = self._clock()
        # Without a token, a request may read the catalogue of any programme.
        keys = [context.actor.programme] if context.actor is not None else self._programmes.keys()
        programmes = [programme for brand in keys if (programme := self._programmes.find(brand)) is not None]
        if not programmes:
            return
        until = valid_until(recording, programmes, now)
        dependencies = recording.dependencies()
        size = len(key[0]) + len(body) + OVERHEAD_BYTES + DEPENDENCY_BYTES * dependencies.id_count
        if size > self._bytes_max or (until is not None and until <= now):
            return
        self._responses[key] = CachedResponse(body, name, dependencies, turn, until, size)
