"""The dependencies of an answer, recorded while it is computed, so that a small read can validate it later.

Caching is the exception: a read of MongoDB that records no dependency makes the answer uncacheable
(`models/mongo/collection.py` reports it), and so does `uncacheable()`, for answers that differ each time.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from models.mongo.collection import observer
from models.mongo.snapshot import Snapshot

Ids = tuple[str, ...]
Pools = tuple[str, tuple[str, ...]]
"""A programme, and the pools of codes that were read in it."""

Limits = tuple[Ids, tuple[int, ...]]
"""The ids of counters, and the limit of each."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Validators of an answer: member versions, counters at their limit, empty pools, and the lists of members.

    The value of a counter is not a validator: every order changes one, but few exhaust it.
    """

    versions: Mapping[str, int]
    exhausted: Mapping[Limits, tuple[bool, ...]]
    empty_pools: Mapping[Pools, frozenset[str]]
    lists: Mapping[str, frozenset[str]]

    @property
    def is_empty(self) -> bool:
        """Whether the answer depends on no stored data."""
        return not (self.versions or self.exhausted or self.empty_pools or self.lists)

    @property
    def id_count(self) -> int:
        """How many ids there are, which the memory of the dependencies grows with."""
        exhausted = sum(len(ids) for ids, _ in self.exhausted)
        pools = sum(len(pools) for _, pools in self.empty_pools)
        return len(self.versions) + exhausted + pools + sum(map(len, self.lists.values()))

    def unchanged_in(self, current: "Dependencies") -> bool:
        """Return whether all of them have the same values in `current`, which may hold more."""
        return (
            all(current.versions.get(member) == version for member, version in self.versions.items())
            and all(current.exhausted[limits] == exhausted for limits, exhausted in self.exhausted.items())
            and all(current.empty_pools[pools] == empty for pools, empty in self.empty_pools.items())
            and all(current.lists[audience] == lists for audience, lists in self.lists.items())
        )


class Recording:
    """The dependencies of one answer, as they are recorded.

    `cacheable` turns false with the first read whose dependencies are not recorded, or that contradicts an earlier one.
    `timed`: the answer depends on the present moment too.
    """

    __slots__ = ("_empty_pools", "_exhausted", "_lists", "cacheable", "snapshots", "timed")

    def __init__(self) -> None:
        self.cacheable = True
        self.timed = False
        self.snapshots: dict[str, Snapshot] = {}
        self._exhausted: dict[Limits, tuple[bool, ...]] = {}
        self._empty_pools: dict[Pools, frozenset[str]] = {}
        self._lists: dict[str, frozenset[str]] = {}

    def unrecorded_read(self) -> None:
        """Make the answer uncacheable: it depends on something that no validator covers."""
        self.cacheable = False

    def member(self, snapshot: Snapshot | None) -> None:
        """Record a member that was read. A member that does not exist has no version to validate."""
        if snapshot is None or self.snapshots.setdefault(snapshot.member.id, snapshot).version != snapshot.version:
            self.cacheable = False

    def counters(self, limits: Limits, exhausted: tuple[bool, ...]) -> None:
        """Record which counters had reached their limits."""
        self.cacheable = self.cacheable and self._exhausted.setdefault(limits, exhausted) == exhausted

    def pools(self, pools: Pools, empty: frozenset[str]) -> None:
        """Record which pools of a programme had no code left."""
        self.cacheable = self.cacheable and self._empty_pools.setdefault(pools, empty) == empty

    def lists(self, audience: str, lists: frozenset[str]) -> None:
        """Record the audience lists that a member was on."""
        self.cacheable = self.cacheable and self._lists.setdefault(audience, lists) == lists

    def dependencies(self) -> Dependencies:
        """Return what the answer depends on."""
        versions = {member: snapshot.version for member, snapshot in self.snapshots.items()}
        return Dependencies(versions, self._exhausted, self._empty_pools, self._lists)


@contextmanager
def recording() -> Iterator[Recording]:
    """Record the reads of the block, and of the tasks that it starts."""
    current = Recording()
    token = observer.set(current)
    try:
        yield current
    finally:
        observer.reset(token)


def current_recording() -> Recording | None:
    """Return the recording of the running task, or None if its answer is not cached."""
    current = observer.get()
    return current if isinstance(current, Recording) else None


def uncacheable() -> None:
    """Make the answer uncacheable: it differs each time, or it has changed something."""
    current = current_recording()
    if current is not None:
        current.cacheable = False


def depends_on_time() -> None:
    """Record that the answer depends on the present moment."""
    current = current_recording()
    if current is not None:
        current.timed = True
