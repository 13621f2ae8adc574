import asyncio
from dataclasses import replace

import pytest
from support.member_histories import BEGIN, MemberHistory
from support.programme_files import programme_from_file

from loyalty.commands.enrol import Enrol
from loyalty.kernel.channel import Channel
from loyalty.kernel.membership_number import number_from
from loyalty.model.ledger import Cause
from loyalty.model.member import Profile
from models.live.hub import BACKLOG_MAX, Change, Hub
from models.mongo.snapshot import Snapshot, snapshot_after


@pytest.fixture(scope="module")
def first() -> Snapshot:
    """A member's first version."""
    history = MemberHistory(programme_from_file("grocer"))
    cause = Cause("enrol", "till", "till", "form")
    history.decide(Enrol("sam", number_from(7), Profile("en"), None, Channel.STORE, None, BEGIN, cause))
    return snapshot_after(None, history.decisions[0], history.programme.zone)


def version(first: Snapshot, number: int, member: str = "sam") -> Snapshot:
    return replace(first, member=replace(first.member, id=member, version=number))


async def test_each_watcher_gets_every_version_in_order(first: Snapshot) -> None:
    hub = Hub()
    with hub.watch("sam") as one, hub.watch("sam") as two:
        for number in range(1, 5):
            assert hub.publish(version(first, number)) == 2
        for watch in (one, two):
            assert [await watch.next() for _ in range(4)] == [Change(version(first, number)) for number in range(1, 5)]


async def test_a_watcher_waits_for_what_comes(first: Snapshot) -> None:
    hub = Hub()
    with hub.watch("sam") as watch:
        following = asyncio.create_task(watch.next())
        await asyncio.sleep(0)
        assert not following.done()
        hub.publish(version(first, 1))
        assert await following == Change(version(first, 1))


async def test_watcher_gets_only_its_member_and_nothing_after_its_end(first: Snapshot) -> None:
    hub = Hub()
    with hub.watch("sam"), hub.watch("alex") as alex:
        assert hub.publish(version(first, 1)) == 1
        assert hub.publish(version(first, 1, "alex")) == 1
        assert await alex.next() == Change(version(first, 1, "alex"))
        assert hub.publish(version(first, 1, "nobody")) == 0
        with hub.watch("sam"):
            assert hub.publish(version(first, 2)) == 2
        assert hub.watched(["sam"])
    assert not hub.watched(["sam"])
    assert hub.publish(version(first, 3)) == 0


async def test_a_full_backlog_is_merged_into_its_newest_state(first: Snapshot) -> None:
    hub = Hub()
    with hub.watch("sam") as slow, hub.watch("sam") as full:
        for number in range(1, BACKLOG_MAX + 1):
            hub.publish(version(first, number))
        result = [await full.next() for _ in range(BACKLOG_MAX)]
        assert result == [Change(version(first, number)) for number in range(1, BACKLOG_MAX + 1)]
        hub.publish(version(first, BACKLOG_MAX + 1))
        hub.publish(version(first, BACKLOG_MAX + 2))
        assert [await slow.next(), await slow.next()] == [
            Change(version(first, BACKLOG_MAX + 1), resync=True),
            Change(version(first, BACKLOG_MAX + 2)),
        ]
        assert await full.next() == Change(version(first, BACKLOG_MAX + 1))


async def test_gap_replaces_the_backlog_of_every_watcher(first: Snapshot) -> None:
    hub = Hub()
    with hub.watch("sam") as sam, hub.watch("alex") as alex:
        hub.publish(version(first, 1))
        hub.publish_gap()
        hub.publish(version(first, 3))
        assert [await sam.next(), await alex.next()] == [None, None]
        hub.publish(version(first, 4))
        assert await sam.next() == Change(version(first, 4))
