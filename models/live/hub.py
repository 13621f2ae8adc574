"""Distributes each committed version of a member, and each use of its pass, to all its watchers in this process.

Every queue is bounded. When a watcher is too slow, its backlog is dropped and its next change is the newest version,
marked `resync`.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bson import ObjectId

from models.mongo.snapshot import Snapshot

BACKLOG_MAX = 256
# Groups that this process wrote and the feed has not delivered yet. What was dropped is read from the database.
WRITTEN_MAX = 64


@dataclass(frozen=True, slots=True)
class Change:
    """A version of a member; with `resync`, versions before it were dropped."""

    snapshot: Snapshot
    resync: bool = False


class Watcher:
    """One watcher's bounded queue of changes."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque()
        self._waiting = asyncio.Event()
        self._gap = False

    def put(self, snapshot: Snapshot) -> None:
        """Add a version; if the backlog is full, drop it and mark this version `resync`."""
        overflow = len(self._changes) >= BACKLOG_MAX
        if overflow:
            self._changes.clear()
        self._changes.append(Change(snapshot, resync=overflow))
        self._waiting.set()

    def put_gap(self) -> None:
        """Mark that changes may have been missed: the watcher must read the member."""
        self._gap = True
        self._waiting.set()

    async def next(self) -> Change | None:
        """Wait for the next change; None if changes may have been missed."""
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
        self._watches: dict[str, set[Watcher]] = {}
        self._pass_watches: dict[str, set[asyncio.Event]] = {}
        self._written: OrderedDict[ObjectId, Sequence[Snapshot]] = OrderedDict()

    def watched(self, members: Iterable[str]) -> list[str]:
        """Return those of some members that have watchers."""
        watches = self._watches
        return [member for member in members if member in watches]

    def keep_written(self, commit: ObjectId, snapshots: Sequence[Snapshot]) -> None:
        """Keep the versions that this process writes in a commit, until the feed says that it is committed."""
        watches = self._watches
        if watched := [snapshot for snapshot in snapshots if snapshot.member.id in watches]:
            self._written[commit] = watched
            if len(self._written) > WRITTEN_MAX:
                self._written.popitem(last=False)

    def take_written(self, commit: ObjectId) -> Sequence[Snapshot]:
        """Return the versions of watched members that this process wrote in a commit, in order; none if it did not."""
        return self._written.pop(commit, ())

    @contextmanager
    def watch(self, member: str) -> Iterator[Watcher]:
        """Watch a member until the block ends."""
        watch = Watcher()
        self._watches.setdefault(member, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[member]
            watches.discard(watch)
            if not watches:
                del self._watches[member]

    def publish(self, snapshot: Snapshot) -> int:
        """Add a version to the queue of each watcher of its member; return how many there are."""
        watches = self._watches.get(snapshot.member.id, ())
        for watch in watches:
            watch.put(snapshot)
        return len(watches)

    @contextmanager
    def watch_passes(self, member: str) -> Iterator[asyncio.Event]:
        """Watch the passes of a member until the block ends: the event is set when one was, or may have been, used."""
        used = asyncio.Event()
        self._pass_watches.setdefault(member, set()).add(used)
        try:
            yield used
        finally:
            watches = self._pass_watches[member]
            watches.discard(used)
            if not watches:
                del self._pass_watches[member]

    def publish_pass_use(self, member: str | None) -> None:
        """Set the events of a member whose pass was used."""
        for used in self._pass_watches.get(member or "", ()):
            used.set()

    def publish_gap(self) -> None:
        """Mark for every watcher that changes may have been missed."""
        for member in self._pass_watches:
            self.publish_pass_use(member)
        for watches in self._watches.values():
            for watch in watches:
                watch.put_gap()
