import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from support.clients.request_factory import RequestFactory
from support.clients.resolver_client import ResolverClient
from support.outcome import committed
from support.query_log import QueryLog

from loyalty.model.ledger import Account
from loyalty.model.supply import CodeState
from models.commits.committer import Committer
from models.mongo.database import Database
from models.mongo.ledger import record_of
from models.mongo.snapshot import EntryView, Snapshot, entry_views
from models.mongod.server import EmbeddedServer
from models.reads.dependencies import Dependencies
from models.reads.loader import BATCH_MAX
from models.reads.reader import Reader


@pytest.fixture
def reader(database: Database) -> Reader:
    return Reader(database)


@pytest.fixture
async def watched(mongod: EmbeddedServer, database: Database) -> AsyncIterator[tuple[Reader, QueryLog]]:
    """A reader with its own MongoDB client, and the log of its queries."""
    query_log = QueryLog()
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        mongod.url, tz_aware=True, event_listeners=[query_log]
    )
    yield Reader(Database(client, database.db.name)), query_log
    await client.close()


async def read(reader: Reader, member: str) -> Snapshot:
    snapshot = await reader.member("grocer", member)
    assert snapshot is not None
    return snapshot


async def eventful(committer: Committer, request_factory: RequestFactory) -> AsyncIterator[str]:
    """A member with every kind of entry: 45 entries in 43 versions."""
    member = await request_factory.member(committer)
    yield member

    async def happen(*requests: object) -> None:
        for request in requests:
            committed(await committer.commit(request))  # type: ignore[arg-type]

    for number in range(30):
        await happen(request_factory.buy(member, f"{40 + number}.00", key=f"receipt-{number}"))
        yield member
    for number in (3, 4, 5):
        await happen(request_factory.refund(member, f"receipt-{number}"))
        yield member
    await happen(request_factory.adjust(member, -200))
    yield member
    request_factory.clock.advance(days=60)
    await happen(request_factory.buy(member, "15.00"))
    yield member
    request_factory.clock.advance(days=325)  # silver ends without an entry, then what was left of June's lot expires
    await happen(request_factory.settle(member))
    yield member
    await happen(request_factory.buy(member, "16.00"))
    yield member
    request_factory.clock.advance(days=400)
    await happen(request_factory.buy(member, "17.00"))  # with what expires before it in the same version
    yield member
    for number in range(4):
        await happen(request_factory.buy(member, f"{number + 1}.00"))
        yield member


async def whole_ledger(database: Database, member: str) -> list[EntryView]:
    """Return every entry, newest first, read without the reader."""
    rows = await database.records.find({"member": member}).sort("version", -1).to_list()
    return [view for row in rows for view in reversed(entry_views(record_of(row)))]


# Pages


async def test_pages_of_any_size_return_every_entry_once_newest_first(
    database: Database, committer: Committer, reader: Reader, request_factory: RequestFactory
) -> None:
    members = [member async for member in eventful(committer, request_factory)]
    snapshot = await read(reader, members[0])
    expected = await whole_ledger(database, members[0])
    assert (snapshot.entries_count, len(snapshot.rows)) == (len(expected), 20)
    assert len({view.version for view in expected}) < len(expected)  # some version has several entries
    assert {view.version for view in expected} < set(range(1, snapshot.version + 1))  # and some has none
    for size in (1, 2, 3, 5, 7, 19, 20, 21, 22, len(expected) - 1, len(expected), 100):
        result: list[EntryView] = []
        after: tuple[int, int] | None = None
        while True:
            page = await reader.entries(snapshot, first=size, after=after)
            result += page.entries
            assert page.has_more == (len(result) < len(expected))
            if not page.has_more:
                break
            assert len(page.entries) == size
            after = (page.entries[-1].version, page.entries[-1].index)
        assert result == expected


async def test_a_cursor_stays_where_it_is_when_new_entries_come(
    database: Database, committer: Committer, reader: Reader, request_factory: RequestFactory
) -> None:
    [*_, member] = [member async for member in eventful(committer, request_factory)]
    expected = await whole_ledger(database, member)
    for size in (4, 25):
        first = await reader.entries(await read(reader, member), first=size, after=None)
        for total in ("8.00", "9.00", "10.00"):
            committed(await committer.commit(request_factory.buy(member, total)))
        last = first.entries[-1]
        rest = await reader.entries(await read(reader, member), first=100, after=(last.version, last.index))
        assert [*first.entries, *rest.entries] == expected
        expected = await whole_ledger(database, member)


async def test_nothing_newer_than_the_snapshot_is_returned(
    database: Database, committer: Committer, reader: Reader, request_factory: RequestFactory
) -> None:
    [*_, member] = [member async for member in eventful(committer, request_factory)]
    snapshot, expected = await read(reader, member), await whole_ledger(database, member)
    for _ in range(30):  # enough that none of the snapshot's own is among the newest twenty
        await committer.commit(request_factory.buy(member, "8.00"))
    for after in (None, (10_000, 0)):
        page = await reader.entries(snapshot, first=100, after=after)
        assert [*page.entries] == expected


async def test_a_member_without_entries_has_an_empty_page(
    committer: Committer, reader: Reader, request_factory: RequestFactory
) -> None:
    snapshot = await read(reader, await request_factory.member(committer))
    page = await reader.entries(snapshot, first=10, after=None)
    assert (page.entries, page.has_more) == ((), False)


async def test_pages_that_the_snapshot_holds_need_no_query(
    committer: Committer, request_factory: RequestFactory, watched: tuple[Reader, QueryLog]
) -> None:
    reader, query_log = watched
    [*_, member] = [member async for member in eventful(committer, request_factory)]
    snapshot = await read(reader, member)
    query_log.collections.clear()
    page = await reader.entries(snapshot, first=10, after=None)
    await reader.entries(snapshot, first=9, after=(page.entries[-1].version, page.entries[-1].index))
    assert query_log.collections == []
    await reader.entries(snapshot, first=21, after=None)
    assert query_log.collections == ["entries"]


async def test_one_entry_by_its_place(
    database: Database, committer: Committer, reader: Reader, request_factory: RequestFactory
) -> None:
    [*_, member] = [member async for member in eventful(committer, request_factory)]
    for view in await whole_ledger(database, member):
        assert await reader.entry("grocer", member, view.version, view.index) == view
    for programme, version, index in (("coffee", 2, 0), ("grocer", 2, 1), ("grocer", 2, -1), ("grocer", 999, 0)):
        assert await reader.entry(programme, member, version, index) is None


# Versions


async def test_each_version_is_returned_as_it_was_then(
    committer: Committer, reader: Reader, request_factory: RequestFactory
) -> None:
    seen = [await read(reader, member) async for member in eventful(committer, request_factory)]
    newest = seen[-1]
    assert [snapshot.version for snapshot in seen] == [*range(1, len(seen) + 1)]
    assert {snapshot.member.tier_status.tier for snapshot in seen} == {"green", "silver"}
    assert newest.member.balance(Account.EXPIRED) > 0
    for after in (0, 1, 17, len(seen) - 1, len(seen)):
        result = [version async for version in reader.versions(newest, after=after)]
        assert [version.snapshot.version for version in result] == [*range(after + 1, len(seen) + 1)]
        for version, then in zip(result, seen[after:], strict=True):
            now = version.snapshot
            assert {a: p for a, p in now.member.balances.items() if p} == {
                a: p for a, p in then.member.balances.items() if p
            }
            assert now.member.tier_status == then.member.tier_status
            assert [lot for lot in now.member.lots if lot.points] == [lot for lot in then.member.lots if lot.points]
            assert (now.member.head_hash, now.entries_count, now.recorded_at) == (
                then.member.head_hash,
                then.entries_count,
                then.recorded_at,
            )
            assert now.as_of == then.recorded_at
            assert version.entries == then.newest_version_entries() == now.newest_version_entries()
            pages = [await reader.entries(snapshot, first=30, after=None) for snapshot in (now, then)]
            assert pages[0] == pages[1]


# Batches


async def test_loads_at_the_same_time_share_one_query(
    committer: Committer, request_factory: RequestFactory, watched: tuple[Reader, QueryLog]
) -> None:
    reader, query_log = watched
    members = [await request_factory.member(committer, card=f"card-{number}") for number in range(20)]
    requested = [*members, "nobody", *members]
    snapshots = await asyncio.gather(*(reader.member("grocer", member) for member in requested))
    assert [snapshot and snapshot.member.id for snapshot in snapshots] == [*members, None, *members]
    assert query_log.collections == ["members"]
    cards = await asyncio.gather(*(reader.member_id_by("grocer", "card", f"CARD{number}") for number in range(25)))
    assert [*cards] == [*members, *[None] * 5]
    assert query_log.collections == ["members", "identities"]


async def test_more_loads_than_a_batch_holds_are_two_parts_of_a_query(watched: tuple[Reader, QueryLog]) -> None:
    reader, query_log = watched
    await asyncio.gather(*(reader.member("grocer", str(number)) for number in range(BATCH_MAX + 1)))
    assert query_log.collections == [("members", "members")]


async def test_validators_of_many_answers_are_one_query(
    committer: Committer, request_factory: RequestFactory, database: Database, watched: tuple[Reader, QueryLog]
) -> None:
    reader, query_log = watched
    ada, bob = [await request_factory.member(committer) for _ in range(2)]
    await database.counters.insert_one({"_id": "lamps", "programme": "grocer", "kind": "s", "key": "l", "taken": 3})
    await database.codes.insert_one(
        {"_id": "c", "programme": "grocer", "pool": "full", "code": "c", "state": CodeState.FREE.value}
    )
    await database.audiences.insert_one({"_id": "ada", "programme": "grocer", "lists": ["vip"]})
    both = ("grocer", ("empty", "full"))
    limits = ("lamps", "mugs"), (3, 1)
    rests = Dependencies({ada: 1}, {limits: (True, False)}, {both: frozenset({"empty"})}, {"ada": frozenset({"vip"})})
    others = [
        Dependencies({ada: 1, bob: 1}, {}, {}, {"bob": frozenset()}),
        replace(rests, versions={ada: 1, bob: 2}),
        replace(rests, versions={"nobody": 1}),
        replace(rests, exhausted={limits: (True, True)}),
        replace(rests, exhausted={(("lamps", "mugs"), (4, 1)): (True, False)}),
        replace(rests, empty_pools={both: frozenset()}),
        replace(rests, lists={"ada": frozenset()}),
    ]
    assert await asyncio.gather(*map(reader.validate, [rests, *others])) == [True, True, *[False] * 6]
    assert query_log.collections == [("members", "counters", "codes", "codes", "audiences")]
    query_log.collections.clear()
    assert await reader.validate(Dependencies({bob: 1}, {}, {}, {}))
    assert query_log.collections == ["members"]
    assert await reader.validate(Dependencies({}, {}, {}, {}))
    assert query_log.collections == ["members"]


async def test_validation_gives_up_while_mongodb_does_not_answer(
    committer: Committer,
    request_factory: RequestFactory,
    reader: Reader,
    mongod: EmbeddedServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada = await request_factory.member(committer)
    monkeypatch.setattr("models.reads.reader.VALIDATION_SECONDS_MAX", 0.2)
    os.kill(mongod.pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            await reader.validate(Dependencies({ada: 1}, {}, {}, {}))
    finally:
        os.kill(mongod.pid, signal.SIGCONT)
    assert await reader.validate(Dependencies({ada: 1}, {}, {}, {}))


async def test_loads_are_not_cached(
    committer: Committer, request_factory: RequestFactory, watched: tuple[Reader, QueryLog]
) -> None:
    reader, query_log = watched
    member = await request_factory.member(committer)
    for version in (1, 2, 3):
        assert (await read(reader, member)).version == version
        await committer.commit(request_factory.buy(member, "1.00"))
    assert query_log.collections == ["members"] * 3


async def test_cancelled_caller_does_not_cancel_the_others(
    committer: Committer, reader: Reader, request_factory: RequestFactory
) -> None:
    members = [await request_factory.member(committer) for _ in range(6)]
    loads = [asyncio.create_task(reader.member("grocer", member)) for member in members]
    await asyncio.sleep(0)
    for load in loads[::2]:
        load.cancel()
    answers = await asyncio.gather(*loads, return_exceptions=True)
    assert [type(answer) for answer in answers[::2]] == [asyncio.CancelledError] * 3
    assert [answer.member.id for answer in answers[1::2] if isinstance(answer, Snapshot)] == members[1::2]


async def test_missing_member_is_none(committer: Committer, reader: Reader, request_factory: RequestFactory) -> None:
    member = await request_factory.member(committer)
    await committer.commit(request_factory.buy(member, "1.00", key="receipt"))
    assert await reader.member("coffee", member) is None
    assert await reader.event("grocer", "event", "till", "another") is None
    assert await reader.event("coffee", "event", "till", "receipt") is None
    event = await reader.event("grocer", "event", "till", "receipt")
    assert event is not None
    assert (event["member"], event["version"]) == (member, 2)
    assert await reader.record(member, 3) is None
    record = await reader.record(member, 2)
    assert record is not None
    assert [entry.points for entry in record.entries] == [1]


async def test_cancelled_read_costs_the_pool_no_connection(
    resolver_client: ResolverClient,
) -> None:
    member = await resolver_client.member()
    for _ in range(25):
        await resolver_client.buy(member, "1.00")
    reader = resolver_client.services.reader
    snapshot = await reader.member("grocer", member)
    assert snapshot is not None
    reads: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        lambda: reader.member("grocer", member),
        lambda: reader.member_id_by("grocer", "number", snapshot.member.number),
        lambda: reader.orders("grocer", member, first=5, after=None),
        lambda: reader.entries(snapshot, first=5, after=(5, 0)),
        lambda: reader.entry("grocer", member, 1, 0),
        lambda: reader.record(member, 1),
    ]

    async def opened() -> int:
        status = await resolver_client.services.database.client.admin.command("serverStatus")
        return int(status["connections"]["totalCreated"])

    await asyncio.gather(*(read() for read in (*reads, *reads, *reads)))  # as many connections as they need at once
    before = await opened()
    for turn in range(30):
        tasks = [asyncio.create_task(read()) for read in reads]
        await asyncio.sleep(0.0005 * (turn % 5))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(read() for read in reads))  # what goes on is done by then, and as many are in use
    assert await reader.member("grocer", member) == snapshot
    assert await opened() - before < 10, "cancelled reads closed their connections"
