"""Collections that report their reads to whoever records what an answer depends on.

A cached answer is served again once a small read has proved that its dependencies are unchanged. So a query that
records no dependency has to make its answer uncacheable, even if whoever wrote it did not think of the cache: every
read of a collection reports itself here. `models/reads` runs the reads whose dependencies it records outside of the
observation.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.asynchronous.cursor import AsyncCursor


class ReadObserver(Protocol):
    """Records what an answer depends on."""

    def unrecorded_read(self) -> None:
        """Take note of a read whose dependencies are not recorded."""


observer: ContextVar[ReadObserver | None] = ContextVar("read_observer", default=None)
"""The observer of the running task, and of the tasks that it starts."""


@contextmanager
def unobserved() -> Iterator[None]:
    """Do not report the reads of the block: their dependencies are recorded by other means."""
    token = observer.set(None)
    try:
        yield
    finally:
        observer.reset(token)


def _report() -> None:
    current = observer.get()
    if current is not None:
        current.unrecorded_read()


class Collection(AsyncCollection[dict[str, Any]]):
    """A collection whose reads are observed. `find_one`, of PyMongo, reads with `find`."""

    def find(self, *args: Any, **options: Any) -> AsyncCursor[dict[str, Any]]:
        """Query documents."""
        _report()
        return super().find(*args, **options)

    def find_raw_batches(self, *args: Any, **options: Any) -> Any:
        """Query documents, as BSON."""
        _report()
        return super().find_raw_batches(*args, **options)

    async def aggregate(self, *args: Any, **options: Any) -> AsyncCommandCursor[dict[str, Any]]:
        """Run a pipeline."""
        _report()
        return await super().aggregate(*args, **options)

    async def aggregate_raw_batches(self, *args: Any, **options: Any) -> Any:
        """Run a pipeline, with results as BSON."""
        _report()
        return await super().aggregate_raw_batches(*args, **options)

    async def count_documents(self, *args: Any, **options: Any) -> int:
        """Count the documents that a query finds."""
        _report()
        return await super().count_documents(*args, **options)

    async def estimated_document_count(self, *args: Any, **options: Any) -> int:
        """Count all documents."""
        _report()
        return await super().estimated_document_count(*args, **options)

    async def distinct(self, *args: Any, **options: Any) -> list[Any]:
        """Return the distinct values of a field."""
        _report()
        return await super().distinct(*args, **options)
