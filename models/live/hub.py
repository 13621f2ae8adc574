"""The hub: hands each committed version of a member to everybody in this process who watches that member.

Every queue is bounded. A watcher that is too slow loses its backlog, and is told so: its next update is the newest
state, marked `resync`.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from models.mongo.snapshot import Snapshot

BACKLOG_MAX = 256


@dataclass(frozen=True, slots=True)
class Change:
    """A version of a member, or (with `resync`) its newest state after some could not be told one by one."""

    snapshot: Snapshot
    resync: bool = False


class Watch:
    """One watcher's bounded queue of changes."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque()
        self._waiting = asyncio.Event()
        self._gap = False

    def put(self, snapshot: Snapshot) -> None:
        """Add a version; where the backlog is full, keep only this one and mark it."""
        lost = len(self._changes) >= BACKLOG_MAX
        if lost:
            self._changes.clear()
        self._changes.append(Change(snapshot, resync=lost))
        self._waiting.set()

    def put_gap(self) -> None:
        """Say that changes may have been missed: the watcher has to read for itself."""
        self._gap = True
        self._waiting.set()

    async def next(self) -> Change | None:
        """Wait for the next change; None where changes may have been missed."""
        while not self._changes and not self._gap:
            self._waiting.clear()
            await self._waiting.wait()
        if self._gap:
            self._gap = False
            self._changes.clear()
            return None
        return self._changes.popleft()


class Hub:
    """Watchers by member, in one process."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = {}

    def watches(self, member: str) -> bool:
        """Say whether anybody watches a member, so that nobody decodes what nobody reads."""
        return member in self._watches

    @contextmanager
    def watch(self, member: str) -> Iterator[Watch]:
        """Watch a member from this moment on, until the block ends."""
        watch = Watch()
        self._watches.setdefault(member, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[member]
            watches.discard(watch)
            if not watches:
                del self._watches[member]

    def publish(self, snapshot: Snapshot) -> int:
        """Hand a version to all who watch its member; return how many that are."""
        watches = self._watches.get(snapshot.member.id, ())
        for watch in watches:
            watch.put(snapshot)
        return len(watches)

    def publish_gap(self) -> None:
        """Tell every watcher that changes may have been missed."""
        for watches in self._watches.values():
            for watch in watches:
                watch.put_gap()
