import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from support.clients.resolver_client import ResolverClient

from models.live.hub import BACKLOG_MAX
from resolvers.core.actor import Role
from resolvers.core.context import Bounds, Context
from resolvers.core.operation_error import BadInput
from resolvers.member_stream import Update, member_changes

Changes = AsyncGenerator[Update, None]


@asynccontextmanager
async def watching(context: Context, member: str, *, after: int | None = None) -> AsyncIterator[Changes]:
    """Subscribe to a member until the block ends."""
    changes = member_changes(context, member, after=after)
    try:
        yield changes
    finally:
        await changes.aclose()


async def take(changes: Changes, count: int) -> list[Update]:
    """Return the next updates."""
    async with asyncio.timeout(10):
        return [await anext(changes) for _ in range(count)]


def rows(updates: list[Update]) -> list[tuple[int, int, list[int], bool]]:
    """Return version, available points, points of the entries and `resync` of each update."""
    return [
        (
            update.snapshot.version,
            update.snapshot.member.available,
            [entry.points for entry in update.entries],
            update.resync,
        )
        for update in updates
    ]


def bounded(resolver_client: ResolverClient, **bounds: Any) -> Context:
    """Return a kiosk's context with other bounds."""
    context = resolver_client.context(Role.KIOSK)
    return replace(context, services=replace(resolver_client.services, bounds=Bounds(**bounds)))


async def bought(resolver_client: ResolverClient, *totals: int) -> str:
    """Return a member with one purchase for each of these dollar amounts: one version each after version 1."""
    member = await resolver_client.member()
    for total in totals:
        await resolver_client.buy(member, f"{total}.00")
    return member


async def test_first_the_member_as_it_is_then_every_change_with_its_entries(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client, 5)
    async with watching(resolver_client.context(Role.KIOSK), member) as changes:
        assert rows(await take(changes, 1)) == [(2, 5, [], False)]
        await resolver_client.buy(member, "7.00")
        await resolver_client.adjust(member, -2)
        assert rows(await take(changes, 2)) == [(3, 12, [7], False), (4, 10, [-2], False)]


async def test_after_a_version_missed_changes_then_new_ones_are_sent(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client, 1, 2, 3, 4)
    async with watching(resolver_client.context(Role.KIOSK), member, after=2) as changes:
        assert rows(await take(changes, 3)) == [(3, 3, [2], False), (4, 6, [3], False), (5, 10, [4], False)]
        await resolver_client.buy(member, "5.00")
        assert rows(await take(changes, 1)) == [(6, 15, [5], False)]


async def test_after_version_zero_every_version_is_sent(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client, 1, 2)
    async with watching(resolver_client.context(Role.KIOSK), member, after=0) as changes:
        assert rows(await take(changes, 3)) == [(1, 0, [], False), (2, 1, [1], False), (3, 3, [2], False)]


async def test_after_the_present_version_only_new_changes_are_sent(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client, 1, 2)
    async with watching(resolver_client.context(Role.KIOSK), member, after=3) as changes:
        following = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0.2)
        assert not following.done()
        await resolver_client.buy(member, "4.00")
        assert rows([await following]) == [(4, 7, [4], False)]


async def test_missed_versions_over_the_replay_limit_are_one_resync(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client, 1, 2, 3, 4, 5)
    async with watching(bounded(resolver_client, replay_max=3), member, after=2) as changes:
        assert rows(await take(changes, 1)) == [(6, 15, [], True)]
        await resolver_client.buy(member, "6.00")
        assert rows(await take(changes, 1)) == [(7, 21, [6], False)]
    async with watching(bounded(resolver_client, replay_max=3), member, after=4) as changes:
        assert rows(await take(changes, 3)) == [(5, 10, [4], False), (6, 15, [5], False), (7, 21, [6], False)]


async def test_unknown_version_is_one_resync(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client, 1)
    async with watching(resolver_client.context(Role.KIOSK), member, after=9) as changes:
        assert rows(await take(changes, 1)) == [(2, 1, [], True)]
        await resolver_client.buy(member, "6.00")
        assert rows(await take(changes, 1)) == [(3, 7, [6], False)]


async def test_a_version_below_zero_is_bad_input(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client)
    with pytest.raises(BadInput, match="after_negative"):
        await anext(member_changes(resolver_client.context(Role.KIOSK), member, after=-1))


async def test_a_member_of_another_programme_or_of_none_is_bad_input(resolver_client: ResolverClient) -> None:
    stranger = await ResolverClient(resolver_client.services, resolver_client.clock, programme="coffee").member()
    for member in (stranger, "nobody"):
        with pytest.raises(BadInput, match="no_such_member"):
            await anext(member_changes(resolver_client.context(Role.KIOSK), member, after=None))
    assert not resolver_client.services.hub.watched([stranger])


async def test_a_subscriber_that_ends_is_forgotten(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client)
    async with watching(resolver_client.context(Role.KIOSK), member) as changes:
        await take(changes, 1)
        assert resolver_client.services.hub.watched([member])
    assert not resolver_client.services.hub.watched([member])


async def test_overdue_member_is_settled_before_it_is_sent(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client, 9)
    resolver_client.clock.advance(days=400)
    async with watching(resolver_client.context(Role.KIOSK), member) as changes:
        assert rows(await take(changes, 1)) == [(3, 0, [], False)]
    async with watching(resolver_client.context(Role.KIOSK), member, after=2) as changes:
        assert rows(await take(changes, 1)) == [(3, 0, [-9], False)]


async def test_slow_subscriber_gets_a_resync(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client)
    async with (
        watching(resolver_client.context(Role.KIOSK), member) as slow,
        watching(resolver_client.context(Role.KIOSK), member) as quick,
    ):
        assert rows([*await take(slow, 1), *await take(quick, 1)]) == [(1, 0, [], False)] * 2
        # Both have seen one change: from here on the feed sends nothing older.
        await resolver_client.buy(member, "1.00")
        assert rows([*await take(slow, 1), *await take(quick, 1)]) == [(2, 1, [1], False)] * 2
        futures = []
        for _ in range(BACKLOG_MAX + 10):
            futures.append(asyncio.ensure_future(resolver_client.buy(member, "1.00")))
            if len(futures) % 50 == 0:
                await asyncio.gather(*futures)
        updates = await take(quick, BACKLOG_MAX + 10)
        assert [update.snapshot.version for update in updates] == [*range(3, BACKLOG_MAX + 13)]
        # The backlog was full at its 257th change, so that is the newest state; later ones come one by one.
        expected = [(259, 258, [], True), *((v, v - 1, [1], False) for v in range(260, BACKLOG_MAX + 13))]
        assert rows(await take(slow, len(expected))) == expected


async def test_gap_in_the_feed_is_no_gap_and_no_duplicate_for_subscribers(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client)
    async with watching(resolver_client.context(Role.KIOSK), member) as changes:
        await take(changes, 1)
        for total in (1, 2, 3):
            await resolver_client.buy(member, f"{total}.00")
        resolver_client.services.hub.publish_gap()
        await resolver_client.buy(member, "4.00")
        assert rows(await take(changes, 4)) == [
            (2, 1, [1], False),
            (3, 3, [2], False),
            (4, 6, [3], False),
            (5, 10, [4], False),
        ]
        resolver_client.services.hub.publish_gap()  # and nothing was missed
        await resolver_client.buy(member, "5.00")
        assert rows(await take(changes, 1)) == [(6, 15, [5], False)]


async def test_subscribers_joining_and_reconnecting_under_load_get_every_version_once(
    resolver_client: ResolverClient,
) -> None:
    events, subscribers = 200, 24
    member = await bought(resolver_client)
    last = events + 1
    dice = random.Random(2)  # noqa: S311 - the same joins every time

    async def subscriber(delay: float, patience: list[int], after: int | None) -> list[Update]:
        """Subscribe later, leave after some updates and resume from the last version until everything arrived."""
        await asyncio.sleep(delay)
        seen: list[Update] = []
        while after != last:
            most = patience.pop() if patience else last
            async with watching(resolver_client.context(Role.KIOSK), member, after=after) as changes:
                async for update in changes:
                    seen.append(update)
                    after = update.snapshot.version
                    if after == last or (most := most - 1) == 0:
                        break
        return seen

    async def till() -> None:
        for _ in range(events // 8):
            await resolver_client.buy(member, "1.00")

    async with asyncio.timeout(60):
        tills = asyncio.gather(*(till() for _ in range(8)))
        seen = await asyncio.gather(
            *(
                subscriber(dice.uniform(0, 0.5), [dice.randint(1, 40) for _ in range(5)], dice.choice((None, 0)))
                for _ in range(subscribers)
            )
        )
        await tills
    starts = [updates[0].snapshot.version for updates in seen]
    assert min(starts) < 20  # some joined early: the race was one
    for updates in seen:
        first, *rest = rows(updates)
        assert first[:2] == (first[0], first[0] - 1)
        assert rest == [(version, version - 1, [1], False) for version in range(first[0] + 1, last + 1)]
