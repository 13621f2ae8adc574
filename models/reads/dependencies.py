"""What an answer rests on, noted while it is made: so that it can be told later, by a read of little, that it holds.

A reader notes what it read. What it does not know how to prove makes the answer one for this once: an answer that can
be kept is the exception, and a read that is forgotten here errs on the safe side.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from models.mongo.snapshot import Snapshot

Ids = tuple[str, ...]
Pools = tuple[str, tuple[str, ...]]
Limits = tuple[Ids, tuple[int, ...]]
"""Counters, and how far each can go."""

_current: ContextVar["Proof | None"] = ContextVar("proof", default=None)


@dataclass(frozen=True, slots=True)
class Rests:
    """What has to be the same still: members' versions, which counters are used up and pools empty, members' lists.

    Not what counters stand at: each order of somebody moves one, and few use it up.
    """

    versions: Mapping[str, int]
    used_up: Mapping[Limits, tuple[bool, ...]]
    pools: Mapping[Pools, frozenset[str]]
    lists: Mapping[str, frozenset[str]]

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing that could have changed."""
        return not (self.versions or self.used_up or self.pools or self.lists)

    def are_part_of(self, now: "Rests") -> bool:
        """Say whether all of it is the same in `now`, which may hold more."""
        return (
            all(now.versions.get(member) == version for member, version in self.versions.items())
            and all(now.used_up[limits] == used_up for limits, used_up in self.used_up.items())
            and all(now.pools[pools] == empty for pools, empty in self.pools.items())
            and all(now.lists[audience] == lists for audience, lists in self.lists.items())
        )


class Proof:
    """The reads of one answer. `lasts` is false once there was one that is not proved again by reading little.

    `timed`: the answer depends on the moment, too.
    """

    __slots__ = ("_lists", "_pools", "_used_up", "lasts", "snapshots", "timed")

    def __init__(self) -> None:
        self.lasts = True
        self.timed = False
        self.snapshots: dict[str, Snapshot] = {}
        self._used_up: dict[Limits, tuple[bool, ...]] = {}
        self._pools: dict[Pools, frozenset[str]] = {}
        self._lists: dict[str, frozenset[str]] = {}

    def member(self, snapshot: Snapshot | None) -> None:
        """Note a member that was read; where there is none, or another version of it was read before, nothing lasts."""
        if snapshot is None or self.snapshots.setdefault(snapshot.member.id, snapshot).version != snapshot.version:
            self.lasts = False

    def limited(self, limits: Limits, used_up: tuple[bool, ...]) -> None:
        """Note which counters had reached their limit."""
        self.lasts = self.lasts and self._used_up.setdefault(limits, used_up) == used_up

    def emptied(self, pools: Pools, empty: frozenset[str]) -> None:
        """Note which of a programme's pools had no code to give."""
        self.lasts = self.lasts and self._pools.setdefault(pools, empty) == empty

    def listed(self, audience: str, lists: frozenset[str]) -> None:
        """Note the lists that a member was on."""
        self.lasts = self.lasts and self._lists.setdefault(audience, lists) == lists

    def rests(self) -> Rests:
        """Return what the answer rests on."""
        versions = {member: snapshot.version for member, snapshot in self.snapshots.items()}
        return Rests(versions, self._used_up, self._pools, self._lists)


@contextmanager
def proving() -> Iterator[Proof]:
    """Note what is read within the block, and in the tasks that it starts."""
    proof = Proof()
    token = _current.set(proof)
    try:
        yield proof
    finally:
        _current.reset(token)


def noted() -> Proof | None:
    """Return where to note what is read now; None where nobody wants to know."""
    return _current.get()


def note_once() -> None:
    """Note a read that is not proved again: the answer is for this once."""
    proof = _current.get()
    if proof is not None:
        proof.lasts = False


def note_time() -> None:
    """Note that the answer depends on the moment."""
    proof = _current.get()
    if proof is not None:
        proof.timed = True
