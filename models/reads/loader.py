"""Batched reads by key, whose dependencies are recorded, or whose answers are uncacheable."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from aiodataloader import DataLoader

from models.mongo.collection import observer
from models.reads.dependencies import Recording, current_recording

BATCH_MAX = 500

K = TypeVar("K")
V = TypeVar("V")


class Loader(Generic[K, V]):
    """Coalesces the loads of one event-loop tick into calls of `load_batch`, which returns a value for each key.

    It caches no values. `record` records the dependency of an answer on a loaded value; without `record`, a load makes
    the answer uncacheable.
    """

    def __init__(
        self,
        load_batch: Callable[[list[K]], Awaitable[list[V]]],
        *,
        record: Callable[[Recording, K, V], None] | None = None,
    ) -> None:
        async def load(keys: list[K]) -> list[V]:
            # The batch is for all its callers. It is a task of its own, in a copy of the first caller's context.
            observer.set(None)
            return await load_batch(keys)

        self._loader: DataLoader[K, V] = DataLoader(load, cache=False, max_batch_size=BATCH_MAX)
        self._record = record

    async def load(self, key: K) -> V:
        """Return the value of a key."""
        value = await self._loader.load(key)
        self._record_dependency(key, value)
        return value

    async def load_many(self, keys: Sequence[K]) -> list[V]:
        """Return the value of each key."""
        values = await self._loader.load_many(keys)
        for key, value in zip(keys, values, strict=True):
            self._record_dependency(key, value)
        return values

    def start(self, key: K) -> "asyncio.Future[V]":
        """Start a load that several answers may await. Each of them records its dependencies itself."""
        return self._loader.load(key)

    def _record_dependency(self, key: K, value: V) -> None:
        recording = current_recording()
        if recording is None:
            return
        if self._record is None:
            recording.unrecorded_read()
        else:
            self._record(recording, key, value)
