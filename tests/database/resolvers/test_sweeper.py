import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.clients.resolver_client import ResolverClient
from support.documents import documents
from support.outcome import committed

from loyalty.model.ledger import Account, EntryKind
from models.commits.committer import Committer
from models.mongo.database import connect
from models.mongo.snapshot import Snapshot
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import Programmes
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey, look_up, own_member, settle_if_due
from resolvers.core.operation_error import Unavailable
from resolvers.member_stream import member_changes
from resolvers.sweeper import BATCH_MAX, Sweeper, run_settlement, settle_all_due

# The grocer's points last twelve months and to the end of that month, in New York.
BOUGHT_AT = datetime(2026, 6, 15, 16, 0, tzinfo=UTC)
EXPIRED_AT = datetime(2027, 7, 1, 4, 0, tzinfo=UTC)
A_MOMENT = timedelta(milliseconds=1)


async def seen(resolver_client: ResolverClient, member: str) -> Snapshot:
    """Return the stored member; an ordinary read would settle it."""
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    return snapshot


def version_and_balances(snapshot: Snapshot) -> tuple[int, Mapping[Account, int]]:
    balances = {account: points for account, points in snapshot.member.balances.items() if points}
    return snapshot.version, balances


async def test_lots_expire_when_the_clock_has_passed_their_last_day(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    resolver_client.clock.moment = EXPIRED_AT - A_MOMENT
    before = await documents(resolver_client.services.database)
    assert await settle_all_due(resolver_client.services) == 0
    assert await documents(resolver_client.services.database) == before

    resolver_client.clock.moment = EXPIRED_AT
    assert await settle_all_due(resolver_client.services) == 1
    snapshot = await seen(resolver_client, member)
    assert version_and_balances(snapshot) == (3, {Account.ISSUED: -30, Account.EXPIRED: 30})
    [entry] = snapshot.newest_version_entries()
    assert (entry.kind, entry.points, entry.balance, entry.occurred_at) == (EntryKind.EXPIRE, -30, 0, EXPIRED_AT)
    assert snapshot.next_settlement_at is None
    assert await settle_all_due(resolver_client.services) == 0


async def test_only_overdue_lots_expire(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    resolver_client.clock.advance(days=30)
    await resolver_client.buy(member, "12.00")
    resolver_client.clock.moment = EXPIRED_AT
    assert await settle_all_due(resolver_client.services) == 1
    snapshot = await seen(resolver_client, member)
    assert version_and_balances(snapshot) == (4, {Account.ISSUED: -42, Account.AVAILABLE: 12, Account.EXPIRED: 30})
    assert snapshot.next_settlement_at == datetime(2027, 8, 1, 4, 0, tzinfo=UTC)


async def test_a_tier_ends_when_the_clock_has_passed_its_period(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "1200.00")
    snapshot = await seen(resolver_client, member)
    assert (snapshot.member.tier_status.tier, snapshot.member.tier_status.guaranteed_until) == (
        "silver",
        datetime(2027, 6, 15, 4, 0, tzinfo=UTC),
    )
    resolver_client.clock.moment = datetime(2027, 6, 15, 4, 0, tzinfo=UTC)
    assert await settle_all_due(resolver_client.services) == 1
    snapshot = await seen(resolver_client, member)
    assert (snapshot.version, snapshot.member.tier_status.tier, snapshot.member.tier_status.guaranteed_until) == (
        3,
        "green",
        None,
    )
    assert snapshot.member.tier_status.since == datetime(2027, 6, 15, 4, 0, tzinfo=UTC)
    assert snapshot.newest_version_entries() == ()
    assert snapshot.member.available == 1200  # its points last to the end of the month


async def test_settling_pushes_a_version_to_subscribers(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    changes = member_changes(resolver_client.context(Role.KIOSK), member, after=2)
    following = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0.1)
    resolver_client.clock.moment = EXPIRED_AT
    assert await settle_all_due(resolver_client.services) == 1
    update = await asyncio.wait_for(following, 10)
    assert (update.snapshot.version, update.snapshot.member.available) == (3, 0)
    assert [(entry.kind, entry.points) for entry in update.entries] == [(EntryKind.EXPIRE, -30)]
    await changes.aclose()


async def test_reading_an_overdue_member_settles_it_first(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    resolver_client.clock.moment = EXPIRED_AT
    as_agent = await look_up(resolver_client.context(Role.AGENT), MemberKey("id", member))
    as_itself = await own_member(resolver_client.context(Role.MEMBER, member=member))
    assert as_agent is not None
    assert as_itself is not None
    assert (
        version_and_balances(as_agent)
        == version_and_balances(as_itself)
        == (3, {Account.ISSUED: -30, Account.EXPIRED: 30})
    )
    assert version_and_balances(await seen(resolver_client, member)) == version_and_balances(as_itself)


async def test_many_readers_of_an_overdue_member_settle_it_once(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    resolver_client.clock.moment = EXPIRED_AT
    key = MemberKey("id", member)
    snapshots = await asyncio.gather(*(look_up(resolver_client.context(Role.AGENT), key) for _ in range(20)))
    assert [snapshot and snapshot.version for snapshot in snapshots] == [3] * 20
    assert (await seen(resolver_client, member)).version == 3


async def test_member_settled_by_another_process_is_shown_settled(
    resolver_client: ResolverClient,
) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    stale = await seen(resolver_client, member)
    resolver_client.clock.moment = EXPIRED_AT
    assert (
        await settle_all_due(resolver_client.services) == 1
    )  # between this reader's read and its own attempt to settle
    assert (await settle_if_due(resolver_client.context(Role.AGENT), stale)).version == 3


async def test_two_sweepers_at_once_settle_each_member_once(
    resolver_client: ResolverClient, mongod: EmbeddedServer
) -> None:
    members = [await resolver_client.member() for _ in range(30)]
    await asyncio.gather(*(resolver_client.buy(member, "30.00") for member in members))
    resolver_client.clock.moment = EXPIRED_AT
    database = connect(mongod.url, name=resolver_client.services.database.db.name)
    async with Committer(database) as committer:
        other = replace(resolver_client.services, database=database, committer=committer)
        done = await asyncio.gather(settle_all_due(resolver_client.services), settle_all_due(other))
    await database.close()
    assert max(done) == 30
    for member in members:
        assert version_and_balances(await seen(resolver_client, member)) == (
            3,
            {Account.ISSUED: -30, Account.EXPIRED: 30},
        )
    assert await resolver_client.services.database.records.count_documents({}) == 90


async def test_a_member_that_cannot_be_settled_does_not_stop_the_others(resolver_client: ResolverClient) -> None:
    members = [await resolver_client.member() for _ in range(5)]
    for member in members:
        await resolver_client.buy(member, "30.00")
    broken, *others = members
    await resolver_client.services.database.members.update_one(
        {"_id": broken}, {"$set": {"lots": [["no day", None, 30, 0]]}}
    )
    resolver_client.clock.moment = EXPIRED_AT
    sweeper = asyncio.create_task(run_settlement(resolver_client.services))
    async with asyncio.timeout(10):
        while {(await seen(resolver_client, member)).version for member in others} != {3}:  # noqa: ASYNC110 - in MongoDB
            await asyncio.sleep(0.02)
    assert not sweeper.done()
    sweeper.cancel()
    await asyncio.gather(sweeper, return_exceptions=True)


async def test_members_that_cannot_be_decided_block_no_others(resolver_client: ResolverClient) -> None:
    members = await asyncio.gather(*(resolver_client.member() for _ in range(BATCH_MAX + 1)))
    await asyncio.gather(*(resolver_client.buy(member, "30.00") for member in members))
    *broken, behind = members
    every_broken = {"_id": {"$in": broken}}
    await resolver_client.services.database.members.update_many(
        every_broken, {"$set": {"lots": [["no day", None, 30, 0]]}}
    )
    await resolver_client.services.database.members.update_one(
        {"_id": behind}, {"$set": {"due_at": EXPIRED_AT + A_MOMENT}}
    )
    resolver_client.clock.moment = EXPIRED_AT + A_MOMENT
    assert await settle_all_due(resolver_client.services) == 1
    assert version_and_balances(await seen(resolver_client, behind)) == (3, {Account.ISSUED: -30, Account.EXPIRED: 30})


async def test_members_of_an_unknown_programme_block_no_others(resolver_client: ResolverClient) -> None:
    cafe = ResolverClient(
        resolver_client.services, resolver_client.clock, programme="coffee", keys=resolver_client.keys
    )
    await asyncio.gather(*(cafe.member() for _ in range(BATCH_MAX)))  # their welcome lasts six months
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    resolver_client.clock.moment = EXPIRED_AT
    grocer = resolver_client.services.programmes.get("grocer")
    here = replace(resolver_client.services, programmes=Programmes(resolver_client.services.database, [grocer]))
    assert await settle_all_due(here) == 1
    assert version_and_balances(await seen(resolver_client, member)) == (3, {Account.ISSUED: -30, Account.EXPIRED: 30})


async def test_failed_settlement_is_counted_and_retried_with_backoff(
    resolver_client: ResolverClient,
) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    members = resolver_client.services.database.members
    whole = await members.find_one({"_id": member})
    assert whole is not None
    await members.update_one({"_id": member}, {"$set": {"lots": [["no day", None, 30, 0]]}})
    left: list[int] = []
    attempts: list[int] = []
    async with Committer(
        resolver_client.services.database, on_group=lambda size, _seconds: attempts.append(size)
    ) as committer:
        sweeper = Sweeper(replace(resolver_client.services, committer=committer), on_unsettled=left.append)
        assert (await sweeper.sweep(), left) == (0, [0])
        for seconds, tried in ((0, 1), (4, 1), (5, 2), (14, 2), (15, 3), (34, 3), (35, 4)):
            resolver_client.clock.moment = EXPIRED_AT + timedelta(seconds=seconds)
            assert await sweeper.sweep() == 0
            assert (seconds, len(attempts)) == (seconds, tried)
        assert left == [0, *[1] * 7]
        await members.replace_one({"_id": member}, whole)
        resolver_client.clock.advance(hours=1)
        assert (await sweeper.sweep(), left[-1]) == (1, 0)
    assert version_and_balances(await seen(resolver_client, member)) == (3, {Account.ISSUED: -30, Account.EXPIRED: 30})


async def test_sweeper_reads_overdue_members_only(resolver_client: ResolverClient) -> None:
    for total in ("30.00", "40.00", "50.00"):
        await resolver_client.buy(await resolver_client.member(), total)
    await resolver_client.member()  # never due: no points
    db = resolver_client.services.database.db
    await db.command("profile", 2)
    try:
        assert await settle_all_due(resolver_client.services) == 0
    finally:
        await db.command("profile", 0)
        [requested] = await db["system.profile"].find({"ns": f"{db.name}.members", "op": "query"}).to_list()
        await db.drop_collection("system.profile")
    assert (requested["planSummary"], requested["docsExamined"]) == ("IXSCAN { due_at: 1 }", 0)


async def test_early_due_date_is_corrected_without_a_version(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    early = resolver_client.clock() - timedelta(hours=1)  # as an earlier time zone of the programme would have it
    await resolver_client.services.database.members.update_one({"_id": member}, {"$set": {"due_at": early}})
    assert await settle_all_due(resolver_client.services) == 1
    snapshot = await seen(resolver_client, member)
    assert (snapshot.version, snapshot.next_settlement_at) == (2, EXPIRED_AT)
    assert await settle_all_due(resolver_client.services) == 0


async def test_event_of_an_overdue_member_expires_its_lots_in_the_same_version(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    resolver_client.clock.moment = EXPIRED_AT
    outcome = committed(await resolver_client.record(member, resolver_client.purchase_event("7.00")))
    entries = [(entry.kind, entry.points, entry.balance) for entry in outcome.record.entries]
    assert entries == [(EntryKind.EXPIRE, -30, 0), (EntryKind.EARN, 7, 7)]
    assert (outcome.record.version, outcome.snapshot.member.available) == (3, 7)


async def test_wrong_host_clock_settles_nobody_and_recovers(resolver_client: ResolverClient) -> None:
    """A gateway whose clock is 800 days ahead expires nothing: not by a read, in a round, nor by a command."""
    member = await resolver_client.member()
    await resolver_client.buy(member, "100.00")
    before = await seen(resolver_client, member)
    faults: list[str | None] = ["the host clock is ahead"]

    async def clock_fault() -> str | None:
        return faults[0]

    right = resolver_client.services
    resolver_client.services = replace(right, clock_fault=clock_fault)
    resolver_client.clock.advance(days=800)
    assert await settle_if_due(resolver_client.context(), before) == before
    assert await look_up(resolver_client.context(Role.AGENT), MemberKey("id", member)) == before
    assert await settle_all_due(resolver_client.services) == 0
    with pytest.raises(Unavailable, match="clock_wrong"):
        await resolver_client.buy(member, "1.00")
    assert version_and_balances(await seen(resolver_client, member)) == version_and_balances(before)
    faults[0] = None
    assert await settle_all_due(resolver_client.services) == 1
    assert version_and_balances(await seen(resolver_client, member)) != version_and_balances(before)
